//! Registering, waiting and offers, by example.

use chrono::TimeDelta;
use entities::enums::RegistrationState::{Booked, Called, Cancelled, Offered, Waiting};

use super::{
    super::{QueueRefusal, Slot, letter, required_hosts, ticket},
    at, id, minutes, queue,
};

#[test]
fn tickets_have_a_letter_and_two_digits_or_more() {
    assert_eq!([ticket("A", 7), ticket("A", 123)], ["A-07", "A-123"]);
    let letters = [0, 25, 26, 51, 52, 701, 702, i32::MAX, -1].map(letter);
    assert_eq!(letters, ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA", "FXSHRXX", "A"]);
    assert_eq!(required_hosts().len(), 6);
}

#[test]
fn the_next_free_slot_is_the_earliest_that_has_yet_to_start() {
    let mut queue = queue(3, 2);
    queue.register(id(1), None, false, at(0)).unwrap();
    assert_eq!(queue.entry(id(1)).unwrap().slot, Some(Slot { starts_at: minutes(10), desk: 1 }));
    queue.register(id(2), Some(minutes(10)), false, at(0)).unwrap();
    assert_eq!(queue.entry(id(2)).unwrap().slot.unwrap().desk, 2);
    assert_eq!(queue.register(id(3), Some(minutes(10)), true, at(0)), Err(QueueRefusal::SlotTaken));
    for start in [minutes(0), minutes(30), minutes(11), minutes(-10)] {
        assert_eq!(queue.register(id(3), Some(start), true, at(0)), Err(QueueRefusal::NotASlot));
    }
    assert_eq!(queue.register(id(2), None, true, at(0)), Err(QueueRefusal::WrongState(Booked)));
    assert_eq!((queue.booked(), queue.free(at(0)), queue.capacity()), (2, 2, 6));
    // A slot that nobody had can be booked until it starts.
    assert_eq!(queue.free(minutes(20) - TimeDelta::milliseconds(1)), 2);
    assert_eq!(queue.free(minutes(20)), 0);
}

#[test]
fn when_all_slots_are_gone_people_wait_if_they_wish() {
    let mut queue = queue(1, 1);
    queue.register(id(1), None, true, minutes(-90)).unwrap();
    assert_eq!(queue.register(id(2), Some(at(0)), false, minutes(-90)), Err(QueueRefusal::Full));
    for n in 2..5 {
        queue.register(id(n), Some(at(0)), true, minutes(-90)).unwrap();
    }
    assert_eq!([2, 3, 4].map(|n| queue.place(id(n))), [Some(0), Some(1), Some(2)]);
    assert_eq!(queue.waiting(), 3);
}

#[test]
fn a_freed_slot_goes_down_the_line() {
    let mut queue = queue(1, 1);
    for n in 1..4 {
        queue.register(id(n), None, true, minutes(-90)).unwrap();
    }
    assert_eq!(queue.cancel(id(1), minutes(-80)), Ok(true));
    assert_eq!(queue.cancel(id(1), minutes(-80)), Ok(false));
    assert_eq!(queue.entry(id(2)).unwrap().offer_expires_at, Some(minutes(-70)));
    assert_eq!((queue.booked(), queue.waiting(), queue.next_wake_up()), (0, 2, Some(minutes(-70))));
    assert_eq!(queue.accept_offer(id(2), minutes(-70)), Err(QueueRefusal::OfferExpired));
    assert_eq!(queue.accept_offer(id(2), minutes(-70)), Err(QueueRefusal::OfferExpired));
    assert_eq!(queue.accept_offer(id(3), minutes(-61)), Ok(true));
    assert_eq!(queue.accept_offer(id(3), minutes(-60)), Ok(false));
    assert_eq!(queue.entry(id(3)).unwrap().slot.unwrap().starts_at, at(0));
    assert_eq!([2, 3].map(|n| queue.place(id(n))), [Some(0), Some(0)]);
}

#[test]
fn whoever_waits_alone_is_offered_the_slot_again() {
    let mut queue = queue(1, 1);
    queue.register(id(1), None, true, minutes(-90)).unwrap();
    queue.register(id(2), None, true, minutes(-90)).unwrap();
    queue.cancel(id(1), minutes(-80)).unwrap();
    // Accepting after the end is refused even though the same slot is offered anew.
    assert_eq!(queue.accept_offer(id(2), minutes(-69)), Err(QueueRefusal::OfferExpired));
    assert_eq!(queue.entry(id(2)).unwrap().offer_expires_at, Some(minutes(-59)));
    // By then it is too late for one more offer; the slot is for walk-ins.
    queue.settle(minutes(-40));
    assert_eq!((queue.entry(id(2)).unwrap().state, queue.free(minutes(-40))), (Waiting, 0));
    assert_eq!(queue.next_wake_up(), None);
}

#[test]
fn a_freed_slot_is_kept_for_two_minutes() {
    let mut queue = queue(2, 1);
    for n in 1..3 {
        queue.register(id(n), None, true, minutes(-90)).unwrap();
    }
    queue.cancel(id(1), minutes(-80)).unwrap();
    assert_eq!(queue.register(id(3), None, false, minutes(-79)), Err(QueueRefusal::Full));
    assert_eq!((queue.free(minutes(-79)), queue.free(minutes(-78))), (0, 1));
    assert_eq!(queue.next_wake_up(), None, "nobody waits");
    queue.register(id(4), None, true, minutes(-79)).unwrap();
    assert_eq!((queue.entry(id(4)).unwrap().state, queue.next_wake_up()), (Waiting, Some(minutes(-78))));
    queue.settle(minutes(-78));
    assert_eq!(queue.entry(id(4)).unwrap().state, Offered);
}

#[test]
fn a_slot_that_is_freed_too_late_is_for_walk_ins() {
    for (freed_at, state) in [(minutes(-40), Waiting), (minutes(-40) - TimeDelta::milliseconds(1), Offered)] {
        let mut queue = queue(1, 1);
        queue.register(id(1), None, true, minutes(-90)).unwrap();
        queue.register(id(2), None, true, minutes(-90)).unwrap();
        queue.cancel(id(1), freed_at).unwrap();
        assert_eq!(queue.entry(id(2)).unwrap().state, state);
    }
    let mut queue = queue(1, 1);
    queue.register(id(1), None, true, minutes(-90)).unwrap();
    queue.cancel(id(1), minutes(-40)).unwrap();
    assert_eq!(queue.free(minutes(-30)), 0);
}

#[test]
fn closing_waits_for_the_desks_and_cancels_the_rest() {
    let mut queue = queue(2, 1);
    for n in 1..4 {
        queue.register(id(n), None, true, minutes(-90)).unwrap();
    }
    let called = queue.call_next(1, at(0)).unwrap();
    assert_eq!(queue.close(at(0)), Err(QueueRefusal::WrongState(Called)));
    let mut cancelled = queue.clone();
    cancelled.cancel_all(at(0));
    assert!(cancelled.entries().iter().all(|entry| entry.state == Cancelled));
    queue.close_call(called, true, at(0)).unwrap();
    queue.take_changes();
    assert_eq!(queue.close(at(0)), Ok(()));
    assert_eq!((queue.take_changes().len(), queue.waiting(), queue.booked()), (2, 0, 1));
}
