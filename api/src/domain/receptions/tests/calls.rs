//! The order of calls, and the forecast that follows it.

use std::collections::{BTreeSet, HashSet};

use chrono::TimeDelta;
use entities::enums::RegistrationState::{Called, Served};
use proptest::prelude::*;

use super::{
    super::{Queue, QueueRefusal},
    at, id, minutes, queue, queue_of, schedule,
};

/// Books so many people for the first slots in a mixed order, then adds walk-ins and people on the waiting list.
fn full_queue(slots: i64, booked: usize, walk_ins: u128, waiting: u128) -> Queue {
    let mut queue = queue(slots, 1);
    let slots = usize::try_from(slots).unwrap();
    for n in 0..booked.min(slots) {
        // 7 has no divisor in common with the numbers of slots that the tests use.
        let start = i64::try_from(n * 7 % slots).unwrap() * 10;
        queue.register(id(u128::try_from(n).unwrap()), Some(minutes(start)), false, minutes(-600)).unwrap();
    }
    for n in 0..walk_ins {
        queue.add_walk_in(id(1_000 + n), minutes(-600));
    }
    if booked >= slots {
        for n in 0..waiting {
            queue.register(id(2_000 + n), None, true, minutes(-600)).unwrap();
        }
    }
    queue
}

fn call(queue: &mut Queue, desk: i32, now: i64) -> Option<u128> {
    let called = queue.call_next(desk, at(now)).ok()?;
    queue.close_call(called, true, at(now)).unwrap();
    Some(called.0.as_u128())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// With walk-ins who never stop coming, the k-th booked person who is due is called within 3k/2 + 2 calls; and the
    /// k-th walk-in within 3k calls, however many booked people are due.
    #[test]
    fn nobody_waits_for_ever(booked in 0..24_usize, walk_ins in 0..8_u128) {
        let mut queue = full_queue(24, booked, walk_ins, 0);
        let evening = 24 * 600;
        let (mut booked_called, mut walk_ins_called, mut newcomer) = (Vec::new(), Vec::new(), 1_500);
        for nth in 1..=60_usize {
            queue.add_walk_in(id(newcomer), at(evening));
            newcomer += 1;
            let called = call(&mut queue, 1, evening).unwrap();
            let list = if called < 1_000 { &mut booked_called } else { &mut walk_ins_called };
            list.push(called);
            prop_assert!(walk_ins_called.len() * 3 + 2 >= nth);
            prop_assert!(booked_called.len() == booked || booked_called.len() * 3 / 2 + 2 >= nth);
        }
        let slots: Vec<_> = booked_called.iter().map(|n| queue.entry(id(*n)).unwrap().slot).collect();
        prop_assert!(slots.is_sorted() && walk_ins_called.is_sorted());
    }

    #[test]
    fn two_desks_never_get_the_same_person(
        walk_ins in 0..10_u128,
        waiting in 0..6_u128,
        presses in prop::collection::vec((1..=3_i32, any::<bool>(), 0..900_i64), 1..80),
    ) {
        let mut queue = full_queue(12, 12, walk_ins, waiting);
        queue.reschedule(super::super::Schedule { desks: 3, ends_at: minutes(40), ..schedule(1, 1) }, minutes(-600));
        let (mut now, mut calls, mut ended) = (-1_800, HashSet::new(), HashSet::new());
        for (desk, ends, pause) in presses {
            now += pause;
            queue.settle(at(now));
            queue.take_changes();
            let open = queue.now_serving().iter().find(|e| e.call.unwrap().desk == desk).map(|e| e.id);
            let Ok(called) = queue.call_next(desk, at(now)) else { continue };
            match open {
                Some(open) => prop_assert!(called == open && queue.take_changes().is_empty()),
                None => prop_assert!(calls.insert(called), "called twice"),
            }
            prop_assert!(!ended.contains(&called));
            if ends && queue.close_call(called, true, at(now)).unwrap() {
                ended.insert(called);
            }
        }
    }

    /// A place is the number of people who are then called before, if everyone is called at the pace of the forecast.
    #[test]
    fn places_are_the_order_of_calls(
        booked in 0..12_usize,
        walk_ins in 0..10_u128,
        now in -36_000..14_400_i64,
        before in 0..3_usize,
    ) {
        let mut queue = full_queue(12, booked, walk_ins, 0);
        queue.settle(at(now));
        for _ in 0..before {
            call(&mut queue, 1, now);
        }
        queue.settle(at(now));
        let waited: BTreeSet<_> = queue.entries().iter().filter(|e| e.state != Served).map(|e| e.id.0.as_u128()).collect();
        let places: Vec<_> = waited.iter().map(|n| (queue.place(id(*n)).unwrap(), *n)).collect();
        let pace = queue.service_time().unwrap_or(TimeDelta::minutes(10)).num_seconds();
        let (mut order, mut time, mut line) = (Vec::new(), now.max(0), queue.clone());
        while order.len() < waited.len() {
            let Some(called) = call(&mut line, 1, time) else {
                // Nobody is there: wait for the next slot.
                time += 1;
                continue;
            };
            let expected = queue.estimated_at(id(called), at(now)).unwrap();
            let slot = queue.entry(id(called)).unwrap().slot.map(|slot| slot.starts_at);
            prop_assert_eq!(expected, slot.unwrap_or(at(time)).max(at(time)));
            order.push((order.len(), called));
            time += pace;
        }
        let mut places = places;
        places.sort_unstable();
        prop_assert_eq!(places, order);
    }
}

#[test]
fn two_booked_people_then_a_walk_in() {
    let mut queue = full_queue(5, 5, 2, 2);
    let order: Vec<_> = std::iter::from_fn(|| call(&mut queue, 1, 3_000)).collect();
    let start = |n: u128| queue.entry(id(n)).unwrap().slot.map(|slot| slot.starts_at);
    assert_eq!((start(order[0]), start(order[1])), (Some(minutes(0)), Some(minutes(10))));
    assert_eq!((order[2], order[5]), (1_000, 1_001));
    assert_eq!(order[7..], [2_000, 2_001]);
}

#[test]
fn walk_ins_before_early_people_before_the_waiting_list() {
    let mut queue = full_queue(2, 2, 1, 1);
    let order: Vec<_> = std::iter::from_fn(|| call(&mut queue, 1, -60)).collect();
    assert_eq!(order, [1_000, 0, 1, 2_000]);
}

#[test]
fn nobody_is_called_before_their_day() {
    let mut queue = full_queue(1, 1, 0, 1);
    // 23:59:59 in Almaty on the day before, and midnight.
    let midnight = -10 * 3_600;
    assert_eq!(queue.call_next(1, at(midnight - 1)), Err(QueueRefusal::NobodyDue));
    assert_eq!(queue.call_next(1, at(midnight)), Ok(id(0)));
}

#[test]
fn desks_count_from_1() {
    let mut queue = full_queue(2, 2, 0, 0);
    for desk in [i32::MIN, -1, 0, 2, i32::MAX] {
        assert_eq!(queue.call_next(desk, at(0)), Err(QueueRefusal::NoSuchDesk { desks: 1 }));
    }
    let first = queue.call_next(1, at(0)).unwrap();
    assert_eq!(queue.call_next(1, at(10)), Ok(first));
    assert_eq!(queue.entry(first).unwrap().call.unwrap().times, 1);
}

#[test]
fn a_no_show_takes_three_calls_or_five_minutes() {
    let mut queue = full_queue(3, 3, 0, 0);
    let first = queue.call_next(1, at(0)).unwrap();
    assert_eq!(queue.close_call(first, false, at(299)), Err(QueueRefusal::WrongState(Called)));
    queue.recall(first, at(10)).unwrap();
    assert_eq!(queue.close_call(first, false, at(20)), Err(QueueRefusal::WrongState(Called)));
    queue.recall(first, at(30)).unwrap();
    assert_eq!(queue.close_call(first, false, at(40)), Ok(true));
    assert_eq!(queue.close_call(first, false, at(50)), Ok(false));
    let second = queue.call_next(1, at(60)).unwrap();
    assert_eq!(queue.close_call(second, false, at(360)), Ok(true));
    assert_eq!(queue.close_call(second, true, at(370)), Ok(true), "they came after all");
    assert_eq!(queue.close_call(second, true, at(380)), Ok(false));
}

#[test]
fn the_clock_never_closes_the_call_of_a_person_who_came_at_once() {
    let mut queue = full_queue(3, 3, 0, 0);
    let first = queue.call_next(1, at(0)).unwrap();
    queue.settle(at(100_000));
    assert_eq!(queue.entry(first).unwrap().state, Called);
    let mut recalled = queue.clone();
    recalled.recall(first, at(100_000)).unwrap();
    assert_eq!(recalled.next_wake_up(), Some(at(100_300)));
    assert_eq!(recalled.close_call(first, true, at(101_000)), Ok(true), "the desk knows better than the clock");
    assert_eq!(recalled.take_changes().len(), queue.take_changes().len() + 2);
}

#[test]
fn estimates_follow_the_median_visit() {
    let mut queue = queue_of(schedule(6, 1));
    assert_eq!(queue.service_time(), None);
    assert_eq!(queue.estimated_wait(at(0)), Some(TimeDelta::zero()));
    assert_eq!(queue.estimated_wait(minutes(-1_440)), None, "not today");
    for n in 0..6 {
        queue.add_walk_in(id(n), at(0));
    }
    let mut now = 0;
    for seconds in [100, 900, 200] {
        let called = queue.call_next(1, at(now)).unwrap();
        now += seconds;
        queue.close_call(called, true, at(now)).unwrap();
    }
    assert_eq!(queue.service_time(), Some(TimeDelta::seconds(200)));
    assert_eq!(queue.estimated_at(id(3), at(now)), Some(at(now)));
    assert_eq!(queue.estimated_at(id(5), at(now)), Some(at(now + 400)));
    assert_eq!(queue.estimated_wait(at(now)), Some(TimeDelta::seconds(600)));
    let called = queue.call_next(1, at(now)).unwrap();
    assert_eq!(called, id(3));
    assert_eq!(queue.estimated_at(id(4), at(now + 50)), Some(at(now + 200)), "when the desk is free");
    assert_eq!((queue.estimated_at(id(3), at(now)), queue.place(id(3))), (None, None));
}
