//! Random commands at random times.

use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::RegistrationState;
use proptest::prelude::*;

use super::{
    super::{Counters, Periods, Queue, QueueRefusal, Schedule},
    at, id,
    model::Model,
};

#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    Settle,
    Register { id: u128, wanted: Option<i64>, wait: bool },
    WalkIn { id: u128 },
    Cancel { id: u128 },
    Accept { id: u128 },
    CallNext { desk: i32 },
    Recall { id: u128 },
    Close { id: u128, served: bool },
    Reschedule { first: i64, slot: i64, per_desk: i64, desks: i32 },
}

/// What is done next, with numbers that select among the people and slots there are then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    what: u8,
    pick: u8,
    flag: bool,
    pause: Pause,
}

#[derive(Clone, Copy, Debug)]
enum Pause {
    Seconds(i64),
    /// To the next time at which something is due, and so many seconds more.
    UntilDue(i64),
}

/// A reception and what happens to it.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) start: i64,
    pub(super) slot_minutes: i32,
    pub(super) slots: i64,
    pub(super) desks: i32,
    pub(super) offer: i64,
    pub(super) steps: Vec<Step>,
}

pub(super) fn stories(steps: usize) -> impl Strategy<Value = Story> {
    let pause = prop_oneof![
        3 => Just(Pause::Seconds(0)),
        4 => (0..90_i64).prop_map(Pause::Seconds),
        3 => (60..700_i64).prop_map(Pause::Seconds),
        1 => (600..7_200_i64).prop_map(Pause::Seconds),
        3 => prop_oneof![Just(0), Just(-1), 0..700_i64].prop_map(Pause::UntilDue),
    ];
    let step = (0..100_u8, any::<u8>(), any::<bool>(), pause).prop_map(|(what, pick, flag, pause)| Step {
        what,
        pick,
        flag,
        pause,
    });
    let start = prop_oneof![3 => -14_400..0_i64, 1 => -90_000..-80_000_i64, 1 => 0..3_600_i64];
    let offer = prop_oneof![4 => Just(600_i64), 1 => Just(60), 1 => Just(100)];
    (start, 5..=20_i32, 1..=5_i64, 1..=2_i32, offer, prop::collection::vec(step, 1..steps)).prop_map(
        |(start, slot_minutes, slots, desks, offer, steps)| Story { start, slot_minutes, slots, desks, offer, steps },
    )
}

impl Story {
    pub(super) fn queue(&self) -> Queue {
        let minutes = i64::from(self.slot_minutes) * self.slots;
        let ends_at = at(minutes * 60);
        let schedule = Schedule { starts_at: at(0), ends_at, slot_minutes: self.slot_minutes, desks: self.desks };
        let periods = Periods { offer: TimeDelta::seconds(self.offer) };
        Queue::new(schedule, periods, Counters::default(), Vec::new())
    }

    pub(super) fn model(&self) -> Model {
        Model {
            first: 0,
            slot: i64::from(self.slot_minutes) * 60,
            per_desk: self.slots,
            desks: self.desks,
            offer: self.offer,
            people: Vec::new(),
            last_place: 0,
            row: 0,
        }
    }
}

impl Step {
    pub(super) fn time(&self, queue: &Queue, now: i64) -> i64 {
        match self.pause {
            Pause::Seconds(seconds) => now + seconds,
            Pause::UntilDue(more) => queue.next_wake_up().map_or(now, |due| seconds(due) + more).max(now),
        }
    }

    pub(super) fn command(&self, model: &Model) -> Command {
        use RegistrationState::{Booked, Called, Offered, Waiting};
        let pick = usize::from(self.pick);
        let fresh = u128::try_from(model.people.len()).unwrap() + 1;
        // Mostly somebody in such a state, sometimes anybody, seldom nobody.
        let person = |states: &[RegistrationState]| {
            let all = || model.people.iter();
            let fit: Vec<u128> = all().filter(|p| states.contains(&p.state)).map(|p| p.id).collect();
            let any: Vec<u128> =
                if fit.is_empty() || pick.is_multiple_of(8) { all().map(|p| p.id).collect() } else { fit };
            if any.is_empty() { 1 << 100 } else { any[pick / 8 % any.len()] }
        };
        match self.what {
            0..30 => {
                let nth = i64::from(self.pick / 2) % (model.per_desk + 1);
                let odd = i64::from(self.pick == 255);
                let wanted = self.pick.is_multiple_of(2).then_some(model.first + nth * model.slot + odd);
                Command::Register { id: fresh, wanted, wait: self.flag || self.pick % 4 == 1 }
            }
            30..38 => Command::WalkIn { id: fresh },
            38..54 => Command::Cancel { id: person(&[Booked, Offered, Booked, Waiting]) },
            54..66 => Command::Accept { id: person(&[Offered]) },
            66..80 => Command::CallNext { desk: i32::from(self.pick % 4) },
            80..85 => Command::Recall { id: person(&[Called]) },
            85..92 => Command::Close { id: person(&[Called]), served: self.flag },
            92..95 => self.reschedule(model),
            _ => Command::Settle,
        }
    }

    fn reschedule(&self, model: &Model) -> Command {
        let (first, slot, per_desk, desks) = (model.first, model.slot, model.per_desk, model.desks);
        let more = if self.flag { 1 } else { -1 };
        match self.pick % 6 {
            0 => Command::Reschedule { first, slot, per_desk, desks: (desks + i32::from(self.flag)).min(3) },
            1 => Command::Reschedule { first, slot, per_desk, desks: (desks - 1).max(0) },
            2 => Command::Reschedule { first, slot, per_desk: (per_desk + more).max(0), desks },
            3 => Command::Reschedule { first: first + more * slot, slot, per_desk, desks },
            4 => Command::Reschedule { first: first + i64::from(self.pick) * 60, slot, per_desk, desks },
            _ => Command::Reschedule { first: first + 86_400, slot: 1_800 - slot, per_desk: 3, desks },
        }
    }
}

/// Does a command to a queue, answering as the model does.
pub(super) fn apply(queue: &mut Queue, command: Command, now: DateTime<Utc>) -> Result<u128, QueueRefusal> {
    match command {
        Command::Settle => queue.settle(now),
        Command::Register { id: n, wanted, wait } => queue.register(id(n), wanted.map(at), wait, now)?,
        Command::WalkIn { id: n } => queue.add_walk_in(id(n), now),
        Command::Cancel { id: n } => return queue.cancel(id(n), now).map(u128::from),
        Command::Accept { id: n } => return queue.accept_offer(id(n), now).map(u128::from),
        Command::CallNext { desk } => return queue.call_next(desk, now).map(|id| id.0.as_u128()),
        Command::Recall { id: n } => queue.recall(id(n), now)?,
        Command::Close { id: n, served } => return queue.close_call(id(n), served, now).map(u128::from),
        Command::Reschedule { first, slot, per_desk, desks } => {
            let slot_minutes = i32::try_from(slot / 60).unwrap();
            let ends_at = at(first + slot * per_desk);
            queue.reschedule(Schedule { starts_at: at(first), ends_at, slot_minutes, desks }, now);
        }
    }
    Ok(1)
}

fn seconds(time: DateTime<Utc>) -> i64 {
    (time - at(0)).num_seconds()
}
