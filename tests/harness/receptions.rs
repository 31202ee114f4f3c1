//! What tests of receptions do often.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::{Actor, HOST, TestEnv, actors::done, id_of};

/// Fields of a reception that tests read.
pub(crate) const RECEPTION: &str = "id state version startsAt endsAt slotMinutes desks capacity booked free waiting nowServing \
                                    estimatedWaitMinutes place { kk ru } hosts { role name } slots { startsAt desk free } \
                                    calls { ticket desk calledAt times } viewerCanRun";
/// Fields of a registration that tests read.
pub(crate) const REGISTRATION: &str =
    "id ticket state topic outcome place estimatedAt offerExpiresAt version slot { startsAt desk } reception { id }";

/// A reception to open, by its differences from two hours of quarters of an hour at one desk, which begin in two hours.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// From now to its start.
    pub starts_in: Duration,
    /// Number of slots at each desk.
    pub slots: i32,
    /// Number of desks.
    pub desks: i32,
}

impl Default for Opening {
    fn default() -> Self {
        Self { starts_in: Duration::hours(2), slots: 8, desks: 1 }
    }
}

impl Opening {
    /// Returns the input of `openReception`.
    #[must_use]
    pub fn input(&self, meeting: &str, now: DateTime<Utc>) -> Value {
        let starts_at = now + self.starts_in;
        json!({
            "meetingId": meeting, "place": { "kk": "Әкімдік, 12-бөлме" }, "startsAt": starts_at,
            "endsAt": starts_at + Duration::minutes(15) * self.slots, "slotMinutes": 15, "desks": self.desks,
            "hosts": [{ "role": "AKIM", "name": format!("Акимов {meeting}") }],
        })
    }
}

impl TestEnv {
    /// Registers people with these names for a reception, one after the other, and returns them with their registrations.
    pub async fn registered(&self, reception: &str, names: &[&str]) -> Vec<(Actor, String)> {
        let mut people = Vec::new();
        for name in names {
            let person = self.citizen(name);
            let id = id_of(&person.register(reception, json!({})).await);
            people.push((person, id));
        }
        people
    }
}

impl Actor {
    /// Holds a meeting and ends it, and returns its id.
    pub async fn ended_meeting(&self, host: &str, region: &str, now: DateTime<Utc>) -> String {
        let meeting = self.live_meeting(host, region, now, "AFTER").await;
        done(self.mutate("endMeeting", json!({ "meetingId": meeting })).await, "meeting");
        meeting
    }

    /// Opens a reception after a new meeting, and returns its id.
    pub async fn reception(&self, env: &TestEnv, opening: Opening) -> String {
        self.reception_in(HOST, HOST, env, opening).await
    }

    /// Opens a reception after a new meeting of a host in a region, and returns its id.
    pub async fn reception_in(&self, host: &str, region: &str, env: &TestEnv, opening: Opening) -> String {
        let meeting = self.ended_meeting(host, region, env.now()).await;
        id_of(&done(self.mutate("openReception", opening.input(&meeting, env.now())).await, "reception"))
    }

    /// Tries to register for a reception.
    pub async fn try_register(&self, reception: &str, more: Value) -> Value {
        let mut input = json!({
            "receptionId": reception, "topic": "Жол", "name": "Айгүл Серікқызы", "phone": "+7 701 234 56 78",
            "language": "KK",
        });
        if let (Some(input), Some(more)) = (input.as_object_mut(), more.as_object()) {
            input.extend(more.clone());
        }
        self.mutate("register", input).await
    }

    /// Registers for a reception, and returns the registration.
    pub async fn register(&self, reception: &str, more: Value) -> Value {
        done(self.try_register(reception, more).await, "registration")
    }

    /// Runs a mutation on a registration, and returns the registration.
    pub async fn on_registration(&self, mutation: &str, registration: &str, more: Value) -> Value {
        done(self.try_on_registration(mutation, registration, more).await, "registration")
    }

    /// Runs a mutation on a registration, and returns its payload.
    pub async fn try_on_registration(&self, mutation: &str, registration: &str, more: Value) -> Value {
        let mut input = json!({ "registrationId": registration });
        if let (Some(input), Some(more)) = (input.as_object_mut(), more.as_object()) {
            input.extend(more.clone());
        }
        self.mutate(mutation, input).await
    }

    /// Calls the next person to a desk, and returns the payload.
    pub async fn call_next(&self, reception: &str, desk: i32) -> Value {
        self.mutate("callNext", json!({ "receptionId": reception, "desk": desk })).await
    }

    /// Returns a reception, or null.
    pub async fn see_reception(&self, id: &str) -> Value {
        let query = format!("query($id: ID!) {{ reception(id: $id) {{ {RECEPTION} }} }}");
        self.query(&query, json!({ "id": id })).await["reception"].clone()
    }

    /// Returns a registration, or null.
    pub async fn see_registration(&self, id: &str) -> Value {
        let query = format!("query($id: ID!) {{ registration(id: $id) {{ {REGISTRATION} }} }}");
        self.query(&query, json!({ "id": id })).await["registration"].clone()
    }
}
