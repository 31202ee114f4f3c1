//! Changes of times and desks, by example.

use entities::enums::RegistrationState::{Booked, Offered, Waiting};

use super::{
    super::{Queue, Schedule, Slot},
    id, minutes, queue, schedule,
};
use crate::domain::notification;

fn states(queue: &Queue, ids: &[u128]) -> Vec<(entities::enums::RegistrationState, Option<Slot>)> {
    ids.iter().map(|n| queue.entry(id(*n)).map(|entry| (entry.state, entry.slot)).unwrap()).collect()
}

fn slot(start: i64, desk: i32) -> Option<Slot> {
    Some(Slot { starts_at: minutes(start), desk })
}

#[test]
fn keeps_the_start_at_another_desk() {
    let mut queue = queue(2, 2);
    queue.register(id(1), Some(minutes(0)), false, minutes(-90)).unwrap();
    queue.register(id(2), Some(minutes(10)), false, minutes(-90)).unwrap();
    queue.register(id(3), Some(minutes(10)), false, minutes(-90)).unwrap();
    queue.cancel(id(2), minutes(-90)).unwrap();
    queue.take_changes();
    queue.reschedule(schedule(2, 1), minutes(-80));
    assert_eq!(states(&queue, &[1, 3]), [(Booked, slot(0, 1)), (Booked, slot(10, 1))]);
    let changes = queue.take_changes();
    assert!(changes.len() == 2 && changes.iter().all(|c| c.notification == Some(notification::RECEPTION_CHANGED)));
}

#[test]
fn offers_the_nearest_free_slot_and_puts_the_rest_before_the_line() {
    let mut queue = queue(4, 1);
    for n in 1..=6 {
        queue.register(id(n), None, true, minutes(-90)).unwrap();
    }
    // Half as long slots, an hour later: 60, 65 and 70.
    let later = Schedule { starts_at: minutes(60), ends_at: minutes(75), slot_minutes: 5, desks: 1 };
    queue.reschedule(later, minutes(-80));
    assert_eq!(states(&queue, &[1, 2, 3]), [(Offered, slot(60, 1)), (Offered, slot(65, 1)), (Offered, slot(70, 1))]);
    assert_eq!(states(&queue, &[4, 5, 6]), [(Waiting, None); 3]);
    assert_eq!([4, 5, 6].map(|n| queue.entry(id(n)).unwrap().place), [0, 1, 2]);
    // Again fewer: the offers that are lost go to the front, the last who lost a slot first of all.
    queue.accept_offer(id(2), minutes(-79)).unwrap();
    queue.reschedule(Schedule { ends_at: minutes(65), ..later }, minutes(-79));
    assert_eq!(states(&queue, &[1, 2, 3]), [(Offered, slot(60, 1)), (Waiting, None), (Waiting, None)]);
    let mut line = [2, 3, 4, 5, 6].map(|n| (queue.entry(id(n)).unwrap().place, n));
    line.sort_unstable();
    assert_eq!(line.map(|(_, n)| n), [2, 3, 4, 5, 6]);
}

#[test]
fn prefers_slots_that_leave_time_for_the_offer() {
    let mut queue = queue(1, 1);
    queue.register(id(1), None, true, minutes(-5)).unwrap();
    // 5 is nearest but too soon; from 45 on there is time.
    let moved = Schedule { starts_at: minutes(5), ends_at: minutes(65), slot_minutes: 20, desks: 1 };
    queue.reschedule(moved, minutes(-5));
    assert_eq!(states(&queue, &[1]), [(Offered, slot(45, 1))]);
    queue.reschedule(schedule(1, 1), minutes(-5));
    assert_eq!(states(&queue, &[1]), [(Waiting, None)]);
}

#[test]
fn new_slots_are_offered_to_the_line() {
    let mut queue = queue(1, 1);
    for n in 1..=3 {
        queue.register(id(n), None, true, minutes(-90)).unwrap();
    }
    queue.take_changes();
    queue.reschedule(schedule(1, 2), minutes(-80));
    assert_eq!(states(&queue, &[1, 2, 3]), [(Booked, slot(0, 1)), (Offered, slot(0, 2)), (Waiting, None)]);
    let told: Vec<_> =
        queue.take_changes().into_iter().map(|change| (change.id, change.notification.unwrap())).collect();
    let changed = notification::RECEPTION_CHANGED;
    let offered = notification::RECEPTION_OFFERED;
    assert_eq!(told, [(id(1), changed), (id(2), changed), (id(3), changed), (id(2), offered)]);
}
