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

/// Checks that no slot is held twice, the counts are within the capacity, and the line is in the order of registration.
async fn check(staff: &Actor, reception: &str) {
    let query = "query($id: ID!) { reception(id: $id) { capacity booked free \
                 registrations(first: 100) { nodes { state place slot { startsAt desk } } } } }";
    let seen = staff.query(query, json!({ "id": reception })).await["reception"].clone();
    assert_eq!(queue_faults(&seen), Vec::<String>::new(), "{seen}");
}

/// Returns what is wrong with a reception as staff sees it.
fn queue_faults(seen: &Value) -> Vec<String> {
    let number = |field: &str| seen[field].as_i64().unwrap();
    let (booked, free, capacity) = (number("booked"), number("free"), number("capacity"));
    let mut faults = Vec::new();
    if booked < 0 || free < 0 || booked + free > capacity {
        faults.push(format!("{booked} booked and {free} free of {capacity}"));
    }
    let rows = seen["registrations"]["nodes"].as_array().unwrap();
    let in_state = |state: &'static str| rows.iter().filter(move |row| row["state"] == state);
    let mut slots = BTreeSet::new();
    for row in in_state("BOOKED").chain(in_state("OFFERED")) {
        if !slots.insert(row["slot"].to_string()) {
            faults.push(format!("held twice: {row}"));
        }
    }
    // Those with an offer are at the head of the line.
    let line = || in_state("OFFERED").chain(in_state("WAITING"));
    let mut places: Vec<_> = line().map(|row| row["place"].as_i64()).collect();
    places.sort_unstable();
    if !places.iter().copied().eq((0..).map(Some).take(line().count())) {
        faults.push(format!("the line has the places {places:?}"));
    }
    faults
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
    let row =
        |state: &str, place: Value, desk: i32| json!({ "state": state, "place": place, "slot": { "desk": desk } });
    let seen = |booked: i32, rows: &[Value]| json!({ "capacity": 2, "booked": booked, "free": 0, "registrations": { "nodes": rows } });
    let [first, second] = [row("WAITING", json!(0), 0), row("WAITING", json!(1), 0)];
    let [booked, beside] = [row("BOOKED", json!(null), 1), row("BOOKED", json!(null), 2)];
    let right = [first.clone(), second.clone(), booked.clone(), beside.clone()];
    assert_eq!(queue_faults(&seen(2, &right)), Vec::<String>::new());
    let wrong = [
        seen(3, &right),
        seen(-1, &right),
        seen(2, &[first.clone(), second, booked.clone(), booked.clone()]),
        seen(2, &[first.clone(), first, booked, beside]),
    ];
    assert!(wrong.iter().all(|seen| queue_faults(seen).len() == 1), "{wrong:?}");
}

/// Lets people register at once whose registrations are judged together.
async fn mixed_crowd(engine: Engine) {
    let env = TestEnv::start(engine).await;
    let opening = Opening { starts_in: TimeDelta::hours(24), slots: 10, desks: 2 };
    let reception = &env.akimat(HOST).reception(&env, opening).await;
    let people: Vec<Actor> = (0..12).map(|n| env.citizen(&format!("p{n}"))).collect();
    let (ana, ben) = (&env.citizen("Ana"), &env.citizen("Ben"));
    let others = join_all(people.iter().map(|person| person.try_register(reception, json!({}))));
    let wrong = [json!({ "phone": "123" }), json!({ "topic": " " }), json!({ "slotStartsAt": env.now() })];
    let cat = &env.citizen("Cat");
    let wrong = join_all(wrong.iter().map(|input| cat.try_register(reception, input.clone())));
    let twice = join_all((0..4).map(|n| ana.try_register(reception, json!({ "idempotencyKey": format!("k{n}") }))));
    let same = join_all((0..4).map(|_| ben.try_register(reception, json!({ "idempotencyKey": "same" }))));
    let (others, wrong, twice, same) = futures_util::future::join4(others, wrong, twice, same).await;
    let mut ids: BTreeSet<_> = others.iter().map(|payload| id_of(&payload["registration"])).collect();
    assert_eq!(ids.len(), 12, "the wrong ones fail nobody else");
    let fields: Vec<_> = wrong.iter().map(|payload| (refusal(payload), payload["refusal"]["field"].clone())).collect();
    let invalid = |field: &str| ("INVALID".to_owned(), json!(field));
    assert_eq!(fields, [invalid("phone"), invalid("topic"), invalid("slotStartsAt")]);
    let (made, refused): (Vec<_>, Vec<_>) = twice.iter().partition(|payload| payload["refusal"].is_null());
    assert_eq!((made.len(), refused.len()), (1, 3), "{twice:?}");
    assert!(refused.iter().all(|payload| refusal(payload) == "ALREADY_REGISTERED"), "{twice:?}");
    ids.extend(made.iter().map(|payload| id_of(&payload["registration"])));
    let repeats: BTreeSet<_> = same.iter().map(|payload| id_of(&payload["registration"])).collect();
    assert_eq!(repeats.len(), 1, "a repeat returns the first: {same:?}");
    ids.extend(repeats);
    assert_eq!(ids.len(), 14);
    // A key whose registration was refused may be used again.
    let again = cat.try_register(reception, json!({ "idempotencyKey": "same" })).await;
    assert!(again["refusal"].is_null(), "keys belong to a person: {again}");
    check(&env.akimat(HOST), reception).await;
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
    people_who_register_together_are_judged_one_by_one: mixed_crowd;
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
