//! What holds after every command, and that the queue does what the model does.

use std::collections::{HashMap, HashSet};

use entities::enums::RegistrationState::{Booked, Called, Cancelled, NoShow, Offered, Served, Waiting};
use proptest::{prelude::*, test_runner::TestCaseResult};

use super::{
    super::{Change, Entry, Queue, QueueRefusal},
    at,
    commands::{Command, apply, stories},
    model::Person,
};
use crate::domain::{feed::EventKind, notification, reception_events};

fn held(entry: &Entry) -> bool {
    matches!(entry.state, Offered | Booked | Called | Served | NoShow)
}

fn slots_are_held_once(queue: &Queue, now: i64) -> TestCaseResult {
    let mut slots = HashSet::new();
    for entry in queue.entries().iter().filter(|entry| held(entry)) {
        prop_assert!(entry.slot.is_none_or(|slot| slots.insert(slot)), "{entry:?}");
    }
    let offered = queue.entries().iter().filter(|entry| entry.state == Offered).count();
    prop_assert!(queue.booked() + offered + queue.free(at(now)) <= queue.capacity());
    let ids: HashSet<_> = queue.entries().iter().map(|entry| entry.id).collect();
    let numbers: HashSet<_> = queue.entries().iter().map(|entry| entry.number).collect();
    prop_assert!(ids.len() == queue.entries().len() && numbers.len() == ids.len());
    let desks: HashSet<_> = queue.now_serving().iter().map(|entry| entry.call.unwrap().desk).collect();
    prop_assert_eq!(desks.len(), queue.now_serving().len());
    Ok(())
}

fn entries_are_whole(queue: &Queue, now: i64) -> TestCaseResult {
    for entry in queue.entries() {
        prop_assert_eq!(entry.state == Offered, entry.offer_expires_at.is_some());
        prop_assert!(entry.offer_expires_at.is_none_or(|end| end > at(now)));
        prop_assert_eq!(entry.state == Cancelled && entry.slot.is_some(), entry.freed_at.is_some());
        prop_assert_eq!(matches!(entry.state, Called | Served | NoShow), entry.call.is_some());
        prop_assert_eq!(matches!(entry.state, Served | NoShow), entry.closed_at.is_some());
        prop_assert!(!matches!(entry.state, Offered | Booked) || entry.slot.is_some());
        prop_assert!(entry.state != Waiting || entry.slot.is_none());
    }
    Ok(())
}

/// Every difference has its change, the last of which says what the registration is now.
fn changes_explain(before: &Queue, after: &Queue, changes: &[Change]) -> TestCaseResult {
    let mut last = HashMap::new();
    let offers = |entry: Option<&Entry>| entry.is_some_and(|entry| entry.state == Offered);
    let mut is_offered: HashMap<_, _> = after.entries().iter().map(|e| (e.id, offers(before.entry(e.id)))).collect();
    for change in changes {
        prop_assert!(after.entry(change.id).is_some());
        last.insert(change.id, *change);
        // An offer ends before the next one begins.
        let open = is_offered.get_mut(&change.id).unwrap();
        prop_assert!(!(*open && change.kind == reception_events::OFFERED), "{change:?}");
        *open = change.kind == reception_events::OFFERED
            || (*open
                && change.kind == EventKind::CHANGED
                && offers(after.entry(change.id))
                && change.notification.is_none());
    }
    for entry in after.entries() {
        let Some(change) = last.get(&entry.id) else {
            prop_assert_eq!(Some(entry), before.entry(entry.id));
            continue;
        };
        let fits = match change.kind {
            reception_events::BOOKED => entry.state == Booked,
            reception_events::OFFERED => entry.state == Offered,
            reception_events::CALLED => entry.state == Called,
            reception_events::SERVED => entry.state == Served,
            reception_events::FREED => entry.state == Cancelled && entry.freed_at.is_some(),
            _ => !matches!(entry.state, Served),
        };
        prop_assert!(fits, "{change:?} {entry:?}");
        let told = match change.kind {
            reception_events::BOOKED => Some(notification::RECEPTION_BOOKED),
            reception_events::OFFERED => Some(notification::RECEPTION_OFFERED),
            reception_events::CALLED => Some(notification::RECEPTION_CALLED),
            reception_events::FREED => Some(notification::RECEPTION_CANCELLED),
            _ => change.notification,
        };
        prop_assert_eq!(change.notification, told);
    }
    Ok(())
}

/// Whoever gets an offer was before everyone who stays in line as they were.
fn line_is_kept(before: &Queue, after: &Queue) -> TestCaseResult {
    let in_line = |entry: &&Entry| entry.state == Waiting && !entry.is_walk_in;
    for entry in before.entries().iter().filter(in_line) {
        let now = after.entry(entry.id).unwrap();
        for other in before.entries().iter().filter(in_line) {
            let stays = after.entry(other.id) == Some(other);
            prop_assert!(
                !(now.state == Offered && stays && other.place < entry.place),
                "{other:?} was before {entry:?}"
            );
        }
    }
    Ok(())
}

fn settling_again_changes_nothing(queue: &Queue, now: i64) -> TestCaseResult {
    let mut again = queue.clone();
    again.settle(at(now));
    prop_assert!(again.take_changes().is_empty());
    prop_assert_eq!(again.entries(), queue.entries());
    prop_assert_eq!(again.counters(), queue.counters());
    let Some(due) = queue.next_wake_up() else {
        again.settle(at(now + 10_000_000));
        prop_assert!(again.take_changes().is_empty(), "something was due");
        return Ok(());
    };
    prop_assert!(due > at(now));
    again.settle(due - chrono::TimeDelta::milliseconds(1));
    prop_assert!(again.take_changes().is_empty(), "something was due earlier");
    again.settle(due);
    prop_assert!(!again.take_changes().is_empty(), "nothing was due");
    Ok(())
}

/// Whoever is told of an offer has its full time, and can accept once.
fn offers_hold(before: &Queue, after: &Queue, command: Command, now: i64, offer: i64) -> TestCaseResult {
    for entry in after.entries() {
        let was = before.entry(entry.id);
        let end = was.filter(|was| was.state == Offered).and_then(|was| was.offer_expires_at);
        if entry.state == Offered && entry.offer_expires_at != end {
            prop_assert_eq!(entry.offer_expires_at, Some(at(now + offer)));
        }
        let accepted = matches!(command, Command::Accept { id } if entry.id.0.as_u128() == id);
        if entry.state == Booked && end.is_some() {
            prop_assert!(accepted && end > Some(at(now)));
        }
        if entry.state == Waiting && end.is_some() && !matches!(command, Command::Reschedule { .. }) {
            prop_assert!(end <= Some(at(now)));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn does_what_the_model_does(story in stories(60)) {
        let (mut queue, mut model, mut now) = (story.queue(), story.model(), story.start);
        for step in &story.steps {
            now = step.time(&queue, now);
            let command = step.command(&model);
            let expected = model.apply(command, now);
            prop_assert_eq!(apply(&mut queue, command, at(now)), expected, "{:?}", command);
            let people: Vec<Entry> = model.people.iter().map(Person::entry).collect();
            prop_assert_eq!(queue.entries(), people, "{:?} at {}", command, now);
            let counters = queue.counters();
            prop_assert_eq!((counters.last_place, counters.booked_in_a_row), (model.last_place, model.row));
            let free = queue.slots(at(now)).into_iter().filter(|(_, free)| *free).map(|(slot, _)| slot);
            let cells = model.choosable(now).into_iter().map(|(start, desk)| (at(start), desk));
            prop_assert!(free.map(|slot| (slot.starts_at, slot.desk)).eq(cells));
        }
    }

    #[test]
    fn invariants_hold_after_every_command(story in stories(60)) {
        let (mut queue, mut model, mut now) = (story.queue(), story.model(), story.start);
        for step in &story.steps {
            now = step.time(&queue, now);
            let (command, before) = (step.command(&model), queue.clone());
            let answer = apply(&mut queue, command, at(now));
            let _ = model.apply(command, now);
            let changes = queue.take_changes();
            slots_are_held_once(&queue, now)?;
            entries_are_whole(&queue, now)?;
            changes_explain(&before, &queue, &changes)?;
            offers_hold(&before, &queue, command, now, story.offer)?;
            settling_again_changes_nothing(&queue, now)?;
            if !matches!(command, Command::Reschedule { .. }) {
                line_is_kept(&before, &queue)?;
            }
            if answer == Err(QueueRefusal::Full) {
                prop_assert_eq!(queue.free(at(now)), 0);
            }
        }
    }

    /// Settling at every step of time leads to the same people with the same slots as settling at the end, unless an offer
    /// that a late settle makes anew begins later.
    #[test]
    fn settling_often_is_settling_once(story in stories(40), gaps in prop::collection::vec(1..200_i64, 1..6)) {
        let (mut queue, mut model, mut now) = (story.queue(), story.model(), story.start);
        for step in &story.steps {
            now = step.time(&queue, now);
            let command = step.command(&model);
            let _ = (apply(&mut queue, command, at(now)), model.apply(command, now));
        }
        let (mut often, mut once) = (queue.clone(), queue);
        often.take_changes();
        for gap in &gaps {
            now += gap;
            often.settle(at(now));
        }
        once.settle(at(now));
        let made_offer = often.take_changes().iter().any(|change| change.kind == reception_events::OFFERED);
        if !made_offer {
            prop_assert_eq!(often.entries(), once.entries());
        }
        for (a, b) in often.entries().iter().zip(once.entries()) {
            let (a_call, b_call) = ((a.state, a.closed_at), (b.state, b.closed_at));
            prop_assert!(!matches!(a.state, Called | Served | NoShow) || a_call == b_call);
        }
    }
}
