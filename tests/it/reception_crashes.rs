//! The program is killed while people cancel, offers end and desks call: nothing acknowledged is lost or doubled.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use harness::{
    Actor, Engine, HOST, Opening, Process,
    external::{now, person, settings_on},
    id_of,
};
use serde_json::{Value, json};

const REGISTER: &str =
    "mutation($input: RegisterInput!) { register(input: $input) { registration { id ticket } refusal { code } } }";
const CANCEL: &str = "mutation($input: CancelRegistrationInput!) { cancelRegistration(input: $input) { registration { state } refusal { code } } }";
const ACCEPT: &str =
    "mutation($input: AcceptOfferInput!) { acceptOffer(input: $input) { registration { state } refusal { code } } }";
const CALL: &str =
    "mutation($input: CallNextInput!) { callNext(input: $input) { registration { id ticket } refusal { code } } }";
const CLOSE: &str = "mutation($input: CloseRegistrationInput!) { closeRegistration(input: $input) { registration { id } refusal { code } } }";

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// Tickets by registration.
    tickets: BTreeMap<String, String>,
    /// Registrations whose visit ended.
    served: BTreeSet<String>,
    /// Registrations that were cancelled.
    cancelled: BTreeSet<String>,
}

impl Acknowledged {
    fn add(&mut self, other: Self) {
        self.tickets.extend(other.tickets);
        self.served.extend(other.served);
        self.cancelled.extend(other.cancelled);
    }
}

/// Runs a mutation, and returns its payload or `None` if the program was killed meanwhile.
async fn attempt(actor: &Actor, text: &str, name: &str, input: Value) -> Option<Value> {
    let answer = actor.try_send(text, json!({ "input": input })).await.ok()?;
    Some(answer["data"][name].clone())
}

/// Registers, accepts what is offered and cancels, again and again until the program is killed.
async fn trade(person: Actor, reception: String, steps: Arc<AtomicU32>) -> Acknowledged {
    let mut done = Acknowledged::default();
    loop {
        let input =
            json!({ "receptionId": reception, "topic": "a", "name": "b", "phone": "+77010000000", "language": "KK" });
        let Some(payload) = attempt(&person, REGISTER, "register", input).await else { return done };
        let registration = payload["registration"].clone();
        if registration.is_null() {
            // Registered before the kill, without an acknowledgement.
            let own = person.try_send(
                "query($id: ID!) { reception(id: $id) { viewerRegistration { id } } }",
                json!({ "id": reception }),
            );
            let Ok(own) = own.await else { return done };
            let id = id_of(&own["data"]["reception"]["viewerRegistration"]);
            let Some(_) = attempt(&person, CANCEL, "cancelRegistration", json!({ "registrationId": id })).await else {
                return done;
            };
            done.cancelled.insert(id);
            continue;
        }
        let id = id_of(&registration);
        done.tickets.insert(id.clone(), registration["ticket"].as_str().unwrap().to_owned());
        steps.fetch_add(1, Ordering::Relaxed);
        let input = json!({ "registrationId": id });
        let Some(_) = attempt(&person, ACCEPT, "acceptOffer", input.clone()).await else { return done };
        let Some(cancelled) = attempt(&person, CANCEL, "cancelRegistration", input).await else { return done };
        assert_eq!(cancelled["registration"]["state"], "CANCELLED", "{cancelled}");
        done.cancelled.insert(id);
    }
}

/// Calls and serves people until the program is killed or nobody is left.
async fn serve(staff: Actor, reception: String, desk: i32, steps: Arc<AtomicU32>) -> Acknowledged {
    let mut done = Acknowledged::default();
    loop {
        let input = json!({ "receptionId": reception, "desk": desk });
        let Some(payload) = attempt(&staff, CALL, "callNext", input).await else { return done };
        if payload["registration"].is_null() {
            return done;
        }
        let id = id_of(&payload["registration"]);
        let input = json!({ "registrationId": id, "outcome": "Шешілді" });
        let Some(_) = attempt(&staff, CLOSE, "closeRegistration", input).await else { return done };
        assert!(done.served.insert(id), "nobody is called again after the visit");
        steps.fetch_add(1, Ordering::Relaxed);
    }
}

async fn open(staff: &Actor, opening: Opening) -> String {
    let meeting = staff.ended_meeting(HOST, HOST, now() + TimeDelta::minutes(1)).await;
    id_of(&staff.mutate("openReception", opening.input(&meeting, now())).await["reception"])
}

async fn rounds(engine: Engine, rounds: u32) {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings_on(dir.path(), engine).await;
    settings.push(("KEZDESU_RECEPTION_OFFER_SECONDS".to_owned(), "1".to_owned()));
    let mut program = Process::serve(&settings).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let traded = open(&staff, Opening { starts_in: TimeDelta::hours(10), slots: 2, desks: 1 }).await;
    let called = open(&staff, Opening { starts_in: TimeDelta::zero(), slots: 8, desks: 2 }).await;
    let mut all = Acknowledged::default();
    for round in 0..rounds {
        let host = program.host.clone();
        let staff = person(&host, "staff", &["AKIMAT"]);
        for n in 0..6 {
            let input =
                json!({ "receptionId": called, "topic": "a", "name": format!("{round}.{n}"), "language": "KK" });
            assert!(staff.mutate("registerWalkIn", input).await["refusal"].is_null());
        }
        let steps = Arc::new(AtomicU32::new(0));
        let mut work = Vec::new();
        for n in 0..5 {
            let person = person(&host, &format!("trader-{n}"), &["CITIZEN"]);
            work.push(tokio::spawn(trade(person, traded.clone(), Arc::clone(&steps))));
        }
        for desk in 1..=2 {
            work.push(tokio::spawn(serve(staff.clone(), called.clone(), desk, Arc::clone(&steps))));
        }
        // The kill comes in the middle of the work, a little later each round.
        harness::until(async || steps.load(Ordering::Relaxed), || {}, |done| *done > 3 + round % 7).await;
        program.kill().await;
        for worker in work {
            all.add(worker.await.unwrap());
        }
        program = Process::serve(&settings).await;
    }
    check(&person(&program.host, "staff", &["AKIMAT"]), &traded, &called, &all).await;
    assert!(program.terminate().await, "the program exits successfully on SIGTERM");
}

/// Returns all registrations of a reception.
async fn registrations(staff: &Actor, reception: &str) -> Vec<Value> {
    let query = "query($id: ID!, $after: String) { reception(id: $id) { registrations(first: 100, after: $after) \
                 { nodes { id ticket state offerExpiresAt slot { startsAt desk } } pageInfo { hasNextPage endCursor } } } }";
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let page =
            staff.query(query, json!({ "id": reception, "after": after })).await["reception"]["registrations"].clone();
        all.extend(page["nodes"].as_array().unwrap().clone());
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return all;
        }
    }
}

fn check_tickets(rows: &[Value]) {
    let tickets: BTreeSet<&str> = rows.iter().map(|row| row["ticket"].as_str().unwrap()).collect();
    assert_eq!(tickets.len(), rows.len(), "no ticket twice");
}

async fn check(staff: &Actor, traded: &str, called: &str, all: &Acknowledged) {
    // Offers that ended while nothing ran end soon after the start.
    let open_offers = async || {
        let rows = registrations(staff, traded).await;
        let ended = |row: &&Value| {
            let end = row["offerExpiresAt"].as_str().map(|at| at.parse::<DateTime<Utc>>().unwrap());
            row["state"] == "OFFERED" && end.is_none_or(|end| end < now() - TimeDelta::seconds(3))
        };
        rows.iter().filter(ended).count()
    };
    assert_eq!(harness::until(open_offers, || {}, |open| *open == 0).await, 0, "every offer has an end");
    let mut rows = registrations(staff, traded).await;
    let held: Vec<String> = rows
        .iter()
        .filter(|row| ["BOOKED", "OFFERED"].contains(&row["state"].as_str().unwrap()))
        .map(|row| row["slot"].to_string())
        .collect();
    assert_eq!(held.iter().collect::<BTreeSet<_>>().len(), held.len(), "no slot twice");
    check_tickets(&rows);
    let visitors = registrations(staff, called).await;
    check_tickets(&visitors);
    rows.extend(visitors);
    let stored: BTreeMap<String, &Value> = rows.iter().map(|row| (id_of(row), row)).collect();
    for (id, ticket) in &all.tickets {
        assert_eq!(stored[id]["ticket"].as_str(), Some(ticket.as_str()), "{id} was acknowledged");
    }
    for id in &all.cancelled {
        assert_eq!(stored[id]["state"], "CANCELLED", "{id} was acknowledged");
    }
    for id in &all.served {
        assert_eq!(stored[id]["state"], "SERVED", "{id} was acknowledged");
    }
    assert!(!all.tickets.is_empty() && !all.served.is_empty(), "there was work in between");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_and_double_nothing_embedded() {
    rounds(Engine::Embedded, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_and_double_nothing_production() {
    rounds(Engine::Production, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn thirty_kills_lose_and_double_nothing_embedded() {
    rounds(Engine::Embedded, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn thirty_kills_lose_and_double_nothing_production() {
    rounds(Engine::Production, 30).await;
}
