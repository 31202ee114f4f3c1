//! Nothing that is stored or asked for makes the rules panic, and a large reception stays fast.

use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::RegistrationState;
use proptest::prelude::*;

use super::{
    super::{Call, Counters, Entry, MAX_SLOTS, Periods, Queue, Schedule, Slot},
    at, id, minutes, queue_of, schedule,
};

const STATES: [RegistrationState; 8] = [
    RegistrationState::Waiting,
    RegistrationState::Offered,
    RegistrationState::Booked,
    RegistrationState::Called,
    RegistrationState::Served,
    RegistrationState::NoShow,
    RegistrationState::Cancelled,
    RegistrationState::Unknown,
];

fn times() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![
        8 => (-200..200_i64).prop_map(minutes),
        1 => Just(DateTime::<Utc>::MAX_UTC),
        1 => Just(DateTime::<Utc>::MIN_UTC),
    ]
}

fn numbers() -> impl Strategy<Value = i32> {
    prop_oneof![8 => 0..5_i32, 1 => Just(i32::MAX), 1 => Just(i32::MIN)]
}

fn schedules() -> impl Strategy<Value = Schedule> {
    (times(), times(), numbers(), numbers()).prop_map(|(starts_at, ends_at, slot_minutes, desks)| Schedule {
        starts_at,
        ends_at,
        slot_minutes,
        desks,
    })
}

fn entries() -> impl Strategy<Value = Entry> {
    let slot = prop::option::of((times(), numbers()));
    let call = prop::option::of((numbers(), times(), times(), numbers()));
    let ends = (prop::option::of(times()), prop::option::of(times()), prop::option::of(times()));
    ((0..12_u128, numbers(), 0..8_usize), any::<bool>(), slot, numbers(), call, ends).prop_map(
        |((n, number, state), is_walk_in, slot, place, call, (offer_expires_at, freed_at, closed_at))| Entry {
            id: id(n),
            number,
            state: STATES[state],
            is_walk_in,
            slot: slot.map(|(starts_at, desk)| Slot { starts_at, desk }),
            place,
            offer_expires_at,
            freed_at,
            call: call.map(|(desk, first_at, last_at, times)| Call { desk, first_at, last_at, times }),
            closed_at,
        },
    )
}

fn act(queue: &mut Queue, (what, n, desk, schedule, now): (u8, u128, i32, Schedule, DateTime<Utc>)) {
    match what {
        0 => _ = queue.register(id(n), None, true, now),
        1 => _ = queue.register(id(n), Some(schedule.starts_at), false, now),
        2 => queue.add_walk_in(id(n), now),
        3 => _ = queue.cancel(id(n), now),
        4 => _ = queue.accept_offer(id(n), now),
        5 => _ = queue.call_next(desk, now),
        6 => _ = queue.recall(id(n), now),
        7 => _ = queue.close_call(id(n), desk % 2 == 0, now),
        8 => queue.reschedule(schedule, now),
        9 => _ = queue.close(now),
        _ => queue.settle(now),
    }
    let read = (queue.slots(now).len(), queue.free(now), queue.booked(), queue.waiting(), queue.now_serving().len());
    assert!(read.0 <= usize::try_from(MAX_SLOTS).unwrap() && read.1 <= read.0);
    assert_eq!(read.0, queue.capacity());
    let _ = (queue.place(id(n)), queue.estimated_at(id(n), now), queue.estimated_wait(now), queue.next_wake_up());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(
        first in schedules(),
        stored in prop::collection::vec(entries(), 0..12),
        offer in prop_oneof![Just(TimeDelta::MAX), Just(TimeDelta::MIN), Just(TimeDelta::zero()), Just(TimeDelta::minutes(10))],
        numbers in (numbers(), numbers(), numbers()),
        acts in prop::collection::vec((0..11_u8, 0..24_u128, numbers(), schedules(), times()), 1..12),
    ) {
        let (last_number, last_place, booked_in_a_row) = numbers;
        let counters = Counters { last_number, last_place, booked_in_a_row };
        let unknown = |entries: &[Entry]| -> Vec<Entry> {
            entries.iter().filter(|entry| entry.state == RegistrationState::Unknown).cloned().collect()
        };
        let left_alone = unknown(&stored);
        let mut queue = Queue::new(first, Periods { offer }, counters, stored);
        for command in acts {
            act(&mut queue, command);
        }
        prop_assert_eq!(unknown(queue.entries()), left_alone);
    }

    #[test]
    fn a_schedule_has_exactly_its_slots(schedule in schedules(), at in times(), desk in numbers()) {
        let mut last = None;
        for slot in schedule.slots() {
            prop_assert!(last < Some(slot) && schedule.has_slot(slot));
            prop_assert!(slot.starts_at + schedule.slot_length() <= schedule.ends_at);
            last = Some(slot);
        }
        prop_assert_eq!(schedule.slots().count(), schedule.capacity());
        let slot = Slot { starts_at: at, desk };
        prop_assert_eq!(schedule.has_slot(slot), schedule.slots().any(|other| other == slot));
        prop_assert_eq!(schedule.has_start(at), schedule.slots().any(|other| other.starts_at == at));
    }
}

/// Quadratic commands would need minutes here.
#[test]
fn a_reception_of_2000_people_is_served() {
    let mut queue = queue_of(schedule(400, 5));
    for n in 0..2_500 {
        queue.register(id(n), None, true, minutes(-90)).unwrap();
    }
    for n in (0..2_000).step_by(10) {
        queue.cancel(id(n), minutes(-80)).unwrap();
    }
    let offered = queue.entries().iter().filter(|entry| entry.state == RegistrationState::Offered).count();
    // The first slots start at 10:00, so all of them are in time.
    assert_eq!((queue.booked(), offered), (1_800, 200));
    queue.settle(minutes(-70));
    queue.settle(minutes(-60));
    queue.reschedule(schedule(401, 5), minutes(-55));
    let mut called = 0;
    while let Ok(next) = queue.call_next(1, at(4_000 * 60)) {
        queue.close_call(next, true, at(4_000 * 60)).unwrap();
        called += 1;
    }
    assert_eq!(called, 2_300);
}
