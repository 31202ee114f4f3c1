//! A slow model of the queue: whole seconds, lists that are searched from the front, one thing at a time.

use entities::enums::RegistrationState;

use super::{
    super::{Entry, QueueRefusal},
    at,
    commands::Command,
};

/// Start in seconds and desk.
type Cell = (i64, i32);

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: u128,
    number: i32,
    pub(super) state: RegistrationState,
    walk_in: bool,
    cell: Option<Cell>,
    place: i32,
    until: Option<i64>,
    freed: Option<i64>,
    desk: i32,
    first: i64,
    last: i64,
    times: i32,
    closed: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) first: i64,
    pub(super) slot: i64,
    pub(super) per_desk: i64,
    pub(super) desks: i32,
    pub(super) offer: i64,
    pub(super) people: Vec<Person>,
    pub(super) last_place: i32,
    pub(super) row: i32,
}

use RegistrationState::{Booked, Called, Cancelled, NoShow, Offered, Served, Waiting};

impl Model {
    fn grid(&self) -> Vec<Cell> {
        let starts = (0..self.per_desk).map(|n| self.first + n * self.slot);
        starts.flat_map(|start| (1..=self.desks).map(move |desk| (start, desk))).collect()
    }

    fn has(&self, cell: Cell) -> bool {
        self.people.iter().any(|p| p.cell == Some(cell) && ![Waiting, Cancelled].contains(&p.state))
    }

    fn offerable(&self, cell: Cell, now: i64) -> bool {
        cell.0 > now + self.offer + 1800
    }

    /// Whether a slot that nobody has may be given at `moment`, by what is known of when it was given up.
    fn rested(&self, cell: Cell, moment: i64) -> bool {
        let freed = self.people.iter().filter(|p| p.state == Cancelled && p.cell == Some(cell)).filter_map(|p| p.freed);
        freed.max().is_none_or(|freed| freed + 120 <= moment && cell.0 > freed + self.offer + 1800)
    }

    /// The slots that are free to choose.
    pub(super) fn choosable(&self, now: i64) -> Vec<Cell> {
        if self.first_in_line().is_some() {
            return Vec::new();
        }
        self.unheld(now)
    }

    fn unheld(&self, now: i64) -> Vec<Cell> {
        let free = |cell: &Cell| cell.0 > now && !self.has(*cell) && self.rested(*cell, now);
        self.grid().into_iter().filter(free).collect()
    }

    fn first_in_line(&self) -> Option<usize> {
        let line = (0..self.people.len()).filter(|n| self.people[*n].state == Waiting && !self.people[*n].walk_in);
        line.min_by_key(|n| (self.people[*n].place, self.people[*n].number))
    }

    fn give_offer(&mut self, n: usize, cell: Cell, now: i64) {
        let until = now + self.offer;
        let p = &mut self.people[n];
        (p.state, p.cell, p.until) = (Offered, Some(cell), Some(until));
    }

    pub(super) fn settle(&mut self, now: i64) {
        for p in &mut self.people {
            if p.state == Called && p.times > 1 && p.last + 300 <= now {
                (p.state, p.closed) = (NoShow, Some(p.last + 300));
            }
        }
        let mut moments: Vec<i64> = self.people.iter().filter_map(|p| p.until).collect();
        moments.extend(self.people.iter().filter_map(|p| p.freed).map(|freed| freed + 120));
        moments.push(i64::MIN);
        moments.retain(|moment| *moment <= now);
        moments.sort_unstable();
        moments.dedup();
        for moment in moments {
            self.hand_out(moment, now, None);
            loop {
                let over = |n: &usize| self.people[*n].until == Some(moment);
                let ended = (0..self.people.len()).filter(over).min_by_key(|n| self.people[*n].place);
                let Some(n) = ended else { break };
                self.last_place += 1;
                let p = &mut self.people[n];
                let cell = p.cell.take();
                (p.state, p.place, p.until) = (Waiting, self.last_place, None);
                self.hand_out(moment, now, cell);
            }
        }
    }

    fn hand_out(&mut self, moment: i64, now: i64, passed_on: Option<Cell>) {
        while let Some(n) = self.first_in_line() {
            let ready = |cell: &Cell| {
                !self.has(*cell)
                    && self.offerable(*cell, now)
                    && (Some(*cell) == passed_on || self.rested(*cell, moment))
            };
            let Some(cell) = self.grid().into_iter().find(ready) else { return };
            self.give_offer(n, cell, now);
        }
    }

    fn enter(&mut self, id: u128, state: RegistrationState, walk_in: bool, cell: Option<Cell>) {
        let place = if state == Waiting { self.last_place + 1 } else { 0 };
        self.last_place = self.last_place.max(place);
        let number = i32::try_from(self.people.len()).unwrap() + 1;
        let (until, freed, closed, desk, first, last, times) = (None, None, None, 0, 0, 0, 0);
        let person = Person { id, number, state, walk_in, cell, place, until, freed, desk, first, last, times, closed };
        self.people.push(person);
    }

    /// Does a command and returns what it answers: the id that is called, or 1 for a change and 0 for a repeat.
    pub(super) fn apply(&mut self, command: Command, now: i64) -> Result<u128, QueueRefusal> {
        let n = |model: &Self, id: u128| model.people.iter().position(|p| p.id == id).ok_or(QueueRefusal::UnknownEntry);
        if let Command::Close { id, served } = command {
            let n = n(self, id)?;
            let answer = self.close(n, served, now);
            self.settle(now);
            return answer;
        }
        let missed =
            |p: &Person| matches!(command, Command::Accept { id } if p.id == id && p.until.is_some_and(|t| t <= now));
        let missed = self.people.iter().any(missed);
        self.settle(now);
        match command {
            Command::Settle => Ok(1),
            Command::Register { id, wanted, wait } => self.register(id, wanted, wait, now),
            Command::WalkIn { id } => {
                self.enter(id, Waiting, true, None);
                Ok(1)
            }
            Command::Cancel { id } => {
                let n = n(self, id)?;
                self.cancel(n, now)
            }
            Command::Accept { id } => {
                let n = n(self, id)?;
                self.accept(n, missed)
            }
            Command::CallNext { desk } => self.call(desk, now),
            Command::Recall { id } => {
                let n = n(self, id)?;
                let p = &mut self.people[n];
                if p.state != Called {
                    return Err(QueueRefusal::WrongState(p.state));
                }
                (p.times, p.last) = (p.times + 1, now);
                Ok(1)
            }
            Command::Reschedule { first, slot, per_desk, desks } => {
                (self.first, self.slot, self.per_desk, self.desks) = (first, slot, per_desk, desks);
                self.move_all(now);
                self.settle(now);
                Ok(1)
            }
            Command::Close { .. } => unreachable!(),
        }
    }

    fn register(&mut self, id: u128, wanted: Option<i64>, wait: bool, now: i64) -> Result<u128, QueueRefusal> {
        if let Some(wanted) = wanted
            && (wanted <= now || !self.grid().iter().any(|cell| cell.0 == wanted))
        {
            return Err(QueueRefusal::NotASlot);
        }
        let free = self.choosable(now);
        match free.iter().find(|cell| wanted.is_none() || wanted == Some(cell.0)) {
            Some(cell) => self.enter(id, Booked, false, Some(*cell)),
            None if !free.is_empty() => return Err(QueueRefusal::SlotTaken),
            None if wait => self.enter(id, Waiting, false, None),
            None => return Err(QueueRefusal::Full),
        }
        Ok(1)
    }

    fn cancel(&mut self, n: usize, now: i64) -> Result<u128, QueueRefusal> {
        let p = &mut self.people[n];
        match p.state {
            Cancelled => return Ok(0),
            Waiting => p.state = Cancelled,
            Offered | Booked => {
                (p.state, p.until, p.freed) = (Cancelled, None, Some(now));
                let cell = p.cell.unwrap();
                let next = self.first_in_line();
                if let Some(next) = next.filter(|_| self.offerable(cell, now) && self.grid().contains(&cell)) {
                    self.give_offer(next, cell, now);
                }
            }
            other => return Err(QueueRefusal::WrongState(other)),
        }
        Ok(1)
    }

    fn accept(&mut self, n: usize, missed: bool) -> Result<u128, QueueRefusal> {
        let p = &mut self.people[n];
        if missed || (p.state == Waiting && !p.walk_in) {
            return Err(QueueRefusal::OfferExpired);
        }
        match p.state {
            Booked => Ok(0),
            Offered => {
                (p.state, p.until) = (Booked, None);
                Ok(1)
            }
            other => Err(QueueRefusal::WrongState(other)),
        }
    }

    fn close(&mut self, n: usize, served: bool, now: i64) -> Result<u128, QueueRefusal> {
        let p = &mut self.people[n];
        let after = match (p.state, served) {
            (Served, true) | (NoShow, false) => return Ok(0),
            (Called | NoShow, true) => Served,
            (Called, false) if p.times >= 3 || now - p.first >= 300 => NoShow,
            (other, _) => return Err(QueueRefusal::WrongState(other)),
        };
        (p.state, p.closed) = (after, Some(now));
        Ok(1)
    }

    fn call(&mut self, desk: i32, now: i64) -> Result<u128, QueueRefusal> {
        // The day in Almaty; the model's clock starts at 10:00.
        let day = |t: i64| (t + 36_000).div_euclid(86_400);
        if desk < 1 || desk > self.desks {
            return Err(QueueRefusal::NoSuchDesk { desks: self.desks });
        }
        if let Some(open) = self.people.iter().find(|p| p.state == Called && p.desk == desk) {
            return Ok(open.id);
        }
        let all = || 0..self.people.len();
        let person = |n: usize| &self.people[n];
        let booked = |n: &usize| person(*n).state == Booked;
        let started = all().filter(booked).filter(|n| person(*n).cell.unwrap().0 <= now);
        let started = started.min_by_key(|n| person(*n).cell);
        let today = all().filter(booked).filter(|n| day(person(*n).cell.unwrap().0) == day(now));
        let early = today.min_by_key(|n| person(*n).cell);
        let walk_in = all().find(|n| person(*n).state == Waiting && person(*n).walk_in);
        let listed = self.first_in_line().filter(|_| day(now) >= day(self.first));
        let (next, row) = match (started, walk_in) {
            (Some(_), Some(walk_in)) if self.row >= 2 => (Some(walk_in), 0),
            (Some(started), Some(_)) => (Some(started), self.row + 1),
            (Some(started), None) => (Some(started), 0),
            (None, Some(walk_in)) => (Some(walk_in), 0),
            (None, None) => (early.or(listed), 0),
        };
        let Some(n) = next else { return Err(QueueRefusal::NobodyDue) };
        self.row = row;
        let p = &mut self.people[n];
        (p.state, p.desk, p.first, p.last, p.times) = (Called, desk, now, now, 1);
        Ok(p.id)
    }

    fn move_all(&mut self, now: i64) {
        let mut unplaced: Vec<usize> =
            (0..self.people.len()).filter(|n| [Booked, Offered].contains(&self.people[*n].state)).collect();
        let old: Vec<Option<Cell>> = self.people.iter().map(|p| p.cell).collect();
        for n in &unplaced {
            self.people[*n].cell = None;
        }
        for same_desk in [true, false] {
            unplaced.retain(|n| {
                let (start, desk) = old[*n].unwrap();
                let fits = |cell: &Cell| cell.0 == start && (!same_desk || cell.1 == desk) && !self.has(*cell);
                self.people[*n].cell = self.grid().into_iter().find(fits);
                self.people[*n].cell.is_none()
            });
        }
        let lost: Vec<usize> = unplaced.iter().copied().filter(|n| self.people[*n].state == Offered).collect();
        unplaced.retain(|n| !lost.contains(n));
        unplaced.retain(|n| {
            let start = old[*n].unwrap().0;
            let far = |cell: &Cell| (!self.offerable(*cell, now), (cell.0 - start).abs(), *cell);
            let Some(cell) = self.unheld(now).into_iter().min_by_key(far) else { return true };
            self.give_offer(*n, cell, now);
            false
        });
        let mut lost = lost;
        lost.sort_by_key(|n| (self.people[*n].place, self.people[*n].number));
        unplaced.extend(lost);
        let front = self.first_in_line().map_or(self.last_place + 1, |n| self.people[n].place);
        let count = i32::try_from(unplaced.len()).unwrap();
        for (n, place) in unplaced.into_iter().zip(front - count..) {
            let p = &mut self.people[n];
            (p.state, p.cell, p.until, p.place) = (Waiting, None, None, place);
        }
    }
}

impl Person {
    /// The registration as the queue has it.
    pub(super) fn entry(&self) -> Entry {
        use super::super::{Call, Slot};
        Entry {
            id: super::id(self.id),
            number: self.number,
            state: self.state,
            is_walk_in: self.walk_in,
            slot: self.cell.map(|(start, desk)| Slot { starts_at: at(start), desk }),
            place: self.place,
            offer_expires_at: self.until.map(at),
            freed_at: self.freed.map(at),
            call: (self.times > 0).then(|| Call {
                desk: self.desk,
                first_at: at(self.first),
                last_at: at(self.last),
                times: self.times,
            }),
            closed_at: self.closed.map(at),
        }
    }
}
