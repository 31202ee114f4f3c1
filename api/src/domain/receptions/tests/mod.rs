//! Tests of the rules of receptions.

mod calls;
mod commands;
mod examples;
mod invariants;
mod model;
mod moves;
mod robustness;

use chrono::{DateTime, TimeDelta, Utc};
use entities::ids::RegistrationId;
use uuid::Uuid;

use super::{Counters, Periods, Queue, Schedule};

/// Returns a time in seconds after 10:00 in Almaty on a Monday.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_773_637_200 + seconds, 0).unwrap()
}

fn minutes(n: i64) -> DateTime<Utc> {
    at(n * 60)
}

fn id(n: u128) -> RegistrationId {
    RegistrationId(Uuid::from_u128(n))
}

/// Slots of 10 minutes from 10:00, so many at each desk.
fn schedule(slots: i64, desks: i32) -> Schedule {
    Schedule { starts_at: at(0), ends_at: minutes(slots * 10), slot_minutes: 10, desks }
}

fn queue_of(schedule: Schedule) -> Queue {
    Queue::new(schedule, Periods { offer: TimeDelta::minutes(10) }, Counters::default(), Vec::new())
}

fn queue(slots: i64, desks: i32) -> Queue {
    queue_of(schedule(slots, desks))
}
