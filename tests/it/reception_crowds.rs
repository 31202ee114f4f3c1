//! Crowds at receptions: many people want few slots, many desks call at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use chrono::TimeDelta;
use futures_util::future::join_all;
use harness::{Actor, Engine, HOST, Opening, TestEnv, id_of, refusal};
use serde_json::{Value, json};

/// What a person of a crowd got.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// A slot.
    Slot(String),
    /// A place in the waiting line, by ticket.
    Waiting(String),
    /// Nothing.
    Full,
}

fn outcome(payload: &Value) -> Outcome {
    let row = &payload["registration"];
    if row.is_null() {
        assert_eq!(refusal(payload), "FULL", "{payload}");
        return Outcome::Full;
    }
    if row["state"] == "WAITING" {
        return Outcome::Waiting(row["ticket"].as_str().unwrap().to_owned());
    }
    Outcome::Slot(row["slot"].to_string())
}

/// Returns what is wrong with the outcomes of a crowd for so many slots.
fn faults(outcomes: &[Outcome], slots: usize) -> Vec<String> {
    let mut people: BTreeMap<&Outcome, usize> = BTreeMap::new();
    for outcome in outcomes {
        *people.entry(outcome).or_default() += 1;
    }
    let filled = people.keys().filter(|outcome| matches!(outcome, Outcome::Slot(_))).count();
    let twice = people.iter().filter(|(outcome, people)| ***outcome != Outcome::Full && **people > 1);
    let mut faults: Vec<String> = twice.map(|(outcome, people)| format!("{outcome:?}: {people} people")).collect();
    if filled != slots {
        faults.push(format!("{filled} of {slots} slots are filled"));
    }
    faults
}

/// Lets `people` register at once for 20 slots, and checks who got what.
async fn rush(env: &TestEnv, staff: &Actor, people: usize, round: usize) {
    let opening = Opening { starts_in: TimeDelta::hours(24), slots: 10, desks: 2 };
    let reception = staff.reception(env, opening).await;
    let crowd: Vec<Actor> = (0..people).map(|n| env.citizen(&format!("r{round}p{n}"))).collect();
    let tries = crowd.iter().enumerate().map(|(n, person)| {
        let reception = &reception;
        async move { person.try_register(reception, json!({ "waitIfFull": n % 2 == 0 })).await }
    });
    let outcomes: Vec<Outcome> = join_all(tries).await.iter().map(outcome).collect();
    assert_eq!(faults(&outcomes, 20), Vec::<String>::new());
    let waiting = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Waiting(_))).count();
    let seen = env.anonymous().see_reception(&reception).await;
    assert_eq!(
        (&seen["booked"], &seen["free"], seen["waiting"].as_u64()),
        (&json!(20), &json!(0), u64::try_from(waiting).ok())
    );
}

async fn rushes(engine: Engine, people: usize, rounds: usize) {
    let env = TestEnv::start(engine).await;
    let staff = env.akimat(HOST);
    for round in 0..rounds {
        rush(&env, &staff, people, round).await;
    }
}

/// Lets people cancel and register again at once, and checks after every wave that nothing is lost or doubled.
async fn churn(engine: Engine, people: usize, waves: usize) {
    let env = TestEnv::start(engine).await;
    let staff = env.akimat(HOST);
    let opening = Opening { starts_in: TimeDelta::hours(24), slots: 5, desks: 2 };
    let reception = staff.reception(&env, opening).await;
    let crowd: Vec<Actor> = (0..people).map(|n| env.citizen(&format!("p{n}"))).collect();
    let mut active: Vec<Option<String>> = vec![None; people];
    for wave in 0..waves {
        let moves = crowd.iter().zip(&active).enumerate().map(|(n, (person, own))| {
            let reception = &reception;
            async move {
                match own {
                    Some(id) if (n + wave) % 3 == 0 => {
                        person.on_registration("cancelRegistration", id, json!({})).await;
                        None
                    }
                    Some(id) if (n + wave) % 3 == 1 => {
                        let payload = person.try_on_registration("acceptOffer", id, json!({})).await;
                        assert!(payload["refusal"].is_null() || refusal(&payload) == "OFFER_EXPIRED", "{payload}");
                        Some(id.clone())
                    }
                    Some(id) => Some(id.clone()),
                    None => Some(id_of(&person.register(reception, json!({})).await)),
                }
            }
        });
        active = join_all(moves).await;
        env.advance(TimeDelta::seconds(47));
        check(&staff, &reception).await;
    }
}

/// Checks that no slot is held twice, and that the counts are within the capacity.
async fn check(staff: &Actor, reception: &str) {
    let query = "query($id: ID!) { reception(id: $id) { capacity booked free waiting \
                 registrations(first: 100) { nodes { state place slot { startsAt desk } } } } }";
    let seen = staff.query(query, json!({ "id": reception })).await["reception"].clone();
    let number = |field: &str| seen[field].as_i64().unwrap();
    assert!(number("booked") >= 0 && number("booked") <= number("capacity"), "{seen}");
    assert!(number("free") >= 0 && number("booked") + number("free") <= number("capacity"), "{seen}");
    let rows = seen["registrations"]["nodes"].as_array().unwrap();
    let held = rows.iter().filter(|row| ["BOOKED", "OFFERED"].contains(&row["state"].as_str().unwrap()));
    let mut slots = BTreeSet::new();
    for row in held {
        assert!(slots.insert(row["slot"].to_string()), "held twice: {row}");
    }
}

/// Lets every desk of every replica call visitors until nobody is left.
async fn desks(engine: Engine, replicas: usize, visitors: usize) {
    let mut env = TestEnv::start(engine).await;
    for _ in 1..replicas {
        env.replica().await;
    }
    let staff = env.akimat(HOST);
    let opening = Opening { starts_in: TimeDelta::hours(2), slots: 12, desks: 15 };
    let reception = staff.reception(&env, opening).await;
    let walk_ins = visitors - (visitors / 2).min(180);
    for n in 0..visitors - walk_ins {
        env.citizen(&format!("v{n}")).register(&reception, json!({})).await;
    }
    // In portions: more at once than the writers can take in time are turned away.
    for first in (0..walk_ins).step_by(50) {
        let entering = (first..walk_ins.min(first + 50)).map(|n| {
            let (staff, reception) = (&staff, &reception);
            async move {
                let input =
                    json!({ "receptionId": reception, "topic": "Су", "name": format!("w{n}"), "language": "KK" });
                assert!(staff.mutate("registerWalkIn", input).await["refusal"].is_null());
            }
        });
        join_all(entering).await;
    }
    env.advance(TimeDelta::hours(2));
    let calling = (0..15).map(|desk| {
        let (staff, reception) = (staff.at(env.host(desk % replicas)), &reception);
        async move { work(&staff, reception, i32::try_from(desk).unwrap() + 1).await }
    });
    let called: Vec<String> = join_all(calling).await.into_iter().flatten().collect();
    assert!(is_called_once_each(&called, visitors), "each visitor is called exactly once: {called:?}");
}

fn is_called_once_each(called: &[String], visitors: usize) -> bool {
    called.len() == visitors && called.iter().collect::<BTreeSet<_>>().len() == visitors
}

/// Calls and serves people at a desk until nobody is left, and returns their registrations.
async fn work(staff: &Actor, reception: &str, desk: i32) -> Vec<String> {
    let mut called = Vec::new();
    loop {
        let payload = staff.call_next(reception, desk).await;
        if payload["registration"] == Value::Null {
            assert_eq!(refusal(&payload), "NOT_FOUND");
            return called;
        }
        let id = id_of(&payload["registration"]);
        staff.on_registration("closeRegistration", &id, json!({ "outcome": "Шешілді" })).await;
        called.push(id);
    }
}

/// The checks above find the faults of a reception that looks first and writes later.
#[tokio::test]
async fn the_checks_find_the_faults_of_a_reception_without_locks() {
    let slots = Mutex::new(vec![0_usize; 20]);
    let careless = (0..100).map(|_| async {
        let Some(free) = slots.lock().unwrap().iter().position(|people| *people == 0) else { return Outcome::Full };
        tokio::task::yield_now().await;
        slots.lock().unwrap()[free] += 1;
        Outcome::Slot(free.to_string())
    });
    assert!(!faults(&join_all(careless).await, 20).is_empty());
    let next = Mutex::new(0_usize);
    let desks = (0..15).map(|_| async {
        let mut called = Vec::new();
        loop {
            let person = *next.lock().unwrap();
            if person >= 200 {
                return called;
            }
            tokio::task::yield_now().await;
            *next.lock().unwrap() = person + 1;
            called.push(person.to_string());
        }
    });
    let called: Vec<String> = join_all(desks).await.into_iter().flatten().collect();
    assert!(!is_called_once_each(&called, 200));
}

macro_rules! on_each_engine {
    ($($name:ident: $run:expr;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn embedded() {
                ($run)(Engine::Embedded).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn production() {
                ($run)(Engine::Production).await;
            }
        }
    )*};
}

on_each_engine! {
    a_crowd_fills_every_slot_once: |engine| rushes(engine, 60, 2);
    cancelling_and_registering_at_once_loses_nothing: |engine| churn(engine, 16, 8);
    desks_that_call_at_once_never_get_the_same_person: |engine| desks(engine, if engine == Engine::Production { 3 } else { 1 }, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn fifty_rushes_of_four_hundred_people_embedded() {
    rushes(Engine::Embedded, 400, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn fifty_rushes_of_four_hundred_people_production() {
    rushes(Engine::Production, 400, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: make test-faults"]
async fn two_thousand_visitors_of_fifteen_desks_on_three_replicas() {
    desks(Engine::Production, 3, 2_000).await;
}
