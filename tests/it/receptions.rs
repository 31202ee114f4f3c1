//! Personal receptions before the day: drafts, opening, registering, changing.

use chrono::{DateTime, TimeDelta, Utc};
use harness::{Engine, HOST, Opening, TestEnv, id_of, on_both_engines, refusal};
use serde_json::{Value, json};

const OF_MEETING: &str =
    "query($id: ID!) { meeting(id: $id) { receptions { id state place { kk } startsAt hosts { role name } } } }";

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a time").parse().expect("a time")
}

fn minutes(n: i64) -> TimeDelta {
    TimeDelta::minutes(n)
}

on_both_engines! {
    async fn the_end_of_a_meeting_drafts_its_reception(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.ended_meeting(HOST, HOST, env.now()).await;
        let drafts = staff.query(OF_MEETING, json!({ "id": meeting })).await["meeting"]["receptions"].clone();
        assert_eq!(drafts.as_array().map(Vec::len), Some(1), "{drafts}");
        assert_eq!((&drafts[0]["state"], time(&drafts[0]["startsAt"])), (&json!("DRAFT"), env.now()));
        let roles: Vec<&Value> = drafts[0]["hosts"].as_array().unwrap().iter().map(|host| &host["role"]).collect();
        let named = [
            "LOCAL_EXECUTIVE", "PROSECUTOR", "POLICE", "MASLIKHAT_DEPUTY", "PUBLIC_COUNCIL", "INTELLIGENTSIA",
        ];
        assert_eq!(roles, named, "the hosts that p. 3.5 names");
        for stranger in [env.anonymous(), env.citizen("Ana"), env.akimat("711110000")] {
            assert_eq!(stranger.query(OF_MEETING, json!({ "id": meeting })).await["meeting"]["receptions"], json!([]));
            assert!(stranger.see_reception(&id_of(&drafts[0])).await.is_null());
        }
        let opened = staff.mutate("openReception", Opening::default().input(&meeting, env.now())).await["reception"].clone();
        assert_eq!((id_of(&opened), &opened["state"]), (id_of(&drafts[0]), &json!("OPEN")), "it fills the draft");
        assert_eq!((&opened["capacity"], &opened["free"]), (&json!(8), &json!(8)));
        assert_eq!(env.anonymous().see_reception(&id_of(&opened)).await["state"], "OPEN");
        let second = Opening { starts_in: TimeDelta::hours(30), ..Opening::default() }.input(&meeting, env.now());
        let second = staff.mutate("openReception", second).await["reception"].clone();
        assert_ne!(id_of(&second), id_of(&opened), "a meeting may have several");
    }

    async fn a_draft_is_opened_by_an_update(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.ended_meeting(HOST, HOST, env.now()).await;
        let draft = id_of(&staff.query(OF_MEETING, json!({ "id": meeting })).await["meeting"]["receptions"][0]);
        let nobody = staff.mutate("updateReception", json!({ "receptionId": draft, "open": true })).await;
        assert_eq!(refusal(&nobody), "INVALID", "no role is filled");
        let hosts = json!([{ "role": "PROSECUTOR", "name": "Сейтов Ерлан" }]);
        let update = json!({ "receptionId": draft, "open": true, "hosts": hosts, "desks": 2, "version": 1 });
        let opened = staff.mutate("updateReception", update.clone()).await["reception"].clone();
        assert_eq!((&opened["state"], &opened["desks"], &opened["capacity"]), (&json!("RUNNING"), &json!(2), &json!(16)));
        assert_eq!(opened["hosts"], json!([{ "role": "PROSECUTOR", "name": "Сейтов Ерлан" }]));
        let stale = staff.mutate("updateReception", update).await;
        assert_eq!((refusal(&stale), &stale["refusal"]["currentVersion"]), ("STALE".to_owned(), &opened["version"]));
    }

    async fn a_reception_needs_an_ended_meeting_and_valid_times(env) {
        let staff = env.akimat(HOST);
        let live = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let early = staff.mutate("openReception", Opening::default().input(&live, env.now())).await;
        assert_eq!(refusal(&early), "WRONG_STATE");
        let meeting = staff.ended_meeting(HOST, HOST, env.now()).await;
        let valid = Opening::default().input(&meeting, env.now());
        for (field, value) in [
            ("slotMinutes", json!(0)), ("slotMinutes", json!(-5)), ("desks", json!(0)), ("desks", json!(2_000_000_000)),
            ("endsAt", json!(env.now() - minutes(1))), ("endsAt", json!(env.now() + minutes(121))),
            ("startsAt", json!("2031-01-01T00:00:00Z")), ("hosts", json!([])), ("hosts", json!([{ "role": "AKIM", "name": " " }])),
            ("place", json!({ "kk": "" })),
        ] {
            let mut input = valid.clone();
            input[field] = value.clone();
            let refused = staff.mutate("openReception", input).await;
            assert_eq!(refusal(&refused), "INVALID", "{field}: {value}");
        }
        assert_eq!(staff.query(OF_MEETING, json!({ "id": meeting })).await["meeting"]["receptions"][0]["state"], "DRAFT");
    }

    async fn people_register_for_a_slot(env) {
        let reception = env.akimat(HOST).reception(&env, Opening::default()).await;
        let (ana, ben, cat) = (env.citizen("Ana"), env.citizen("Ben"), env.citizen("Cat"));
        let seen = env.anonymous().see_reception(&reception).await;
        let starts: Vec<_> = seen["slots"].as_array().unwrap().iter().map(|slot| slot["startsAt"].clone()).collect();
        assert_eq!(starts.len(), 8);
        assert!(starts.windows(2).all(|pair| time(&pair[1]) - time(&pair[0]) == minutes(15)));
        let next = ana.register(&reception, json!({})).await;
        assert_eq!((&next["state"], &next["slot"]["startsAt"], &next["ticket"]), (&json!("BOOKED"), &starts[0], &json!("A-01")));
        let chosen = ben.register(&reception, json!({ "slotStartsAt": starts[3] })).await;
        assert_eq!((&chosen["slot"]["startsAt"], &chosen["ticket"]), (&starts[3], &json!("A-02")));
        assert_eq!(refusal(&cat.try_register(&reception, json!({ "slotStartsAt": starts[3] })).await), "SLOT_TAKEN");
        let nowhere = json!({ "slotStartsAt": time(&starts[0]) + minutes(1) });
        assert_eq!(refusal(&cat.try_register(&reception, nowhere).await), "INVALID");
        assert_eq!(refusal(&ana.try_register(&reception, json!({})).await), "ALREADY_REGISTERED");
        for (field, value) in [("phone", "123"), ("iin", "123456789012"), ("name", ""), ("topic", "  ")] {
            let refused = cat.try_register(&reception, json!({ field: value })).await;
            assert_eq!((refusal(&refused), refused["refusal"]["field"].clone()), ("INVALID".to_owned(), json!(field)));
        }
        let seen = env.anonymous().see_reception(&reception).await;
        assert_eq!((&seen["booked"], &seen["free"], &seen["waiting"]), (&json!(2), &json!(6), &json!(0)));
        assert_eq!((&seen["slots"][0]["free"], &seen["slots"][1]["free"]), (&json!(false), &json!(true)));
    }

    async fn a_full_reception_has_a_waiting_list(env) {
        let reception = env.akimat(HOST).reception(&env, Opening { slots: 1, ..Opening::default() }).await;
        env.citizen("Ana").register(&reception, json!({})).await;
        assert_eq!(refusal(&env.citizen("Ben").try_register(&reception, json!({ "waitIfFull": false })).await), "FULL");
        let mut places = Vec::new();
        for name in ["Cat", "Dan"] {
            let waiting = env.citizen(name).register(&reception, json!({})).await;
            assert_eq!((&waiting["state"], &waiting["slot"]), (&json!("WAITING"), &Value::Null));
            places.push(waiting["place"].clone());
        }
        assert_eq!(places, [json!(0), json!(1)]);
        assert_eq!(env.anonymous().see_reception(&reception).await["waiting"], 2);
    }

    async fn a_repeated_registration_returns_the_first(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening::default()).await;
        let ana = env.citizen("Ana");
        let first = ana.register(&reception, json!({ "idempotencyKey": "one" })).await;
        assert_eq!(ana.register(&reception, json!({ "idempotencyKey": "one" })).await, first);
        let other = ana.try_register(&reception, json!({ "idempotencyKey": "one", "name": "Басқа" })).await;
        assert_eq!(refusal(&other), "KEY_REUSED");
        // A key that ended in a refusal may be used again.
        let ben = env.citizen("Ben");
        assert_eq!(refusal(&ben.try_register(&reception, json!({ "idempotencyKey": "k", "phone": "1" })).await), "INVALID");
        ben.register(&reception, json!({ "idempotencyKey": "k" })).await;
        let walk_in = json!({ "receptionId": reception, "topic": "Су", "name": "Қонақ", "language": "KK", "idempotencyKey": "w" });
        let entered = staff.mutate("registerWalkIn", walk_in.clone()).await["registration"].clone();
        assert_eq!(staff.mutate("registerWalkIn", walk_in).await["registration"], entered);
        assert_eq!(env.anonymous().see_reception(&reception).await["waiting"], 1, "entered once");
    }

    async fn a_repeated_opening_returns_the_first(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.ended_meeting(HOST, HOST, env.now()).await;
        // The first fills the draft, the second adds a reception.
        for (key, starts_in) in [("one", 2), ("two", 8)] {
            let mut input = Opening { starts_in: TimeDelta::hours(starts_in), ..Opening::default() }.input(&meeting, env.now());
            input["idempotencyKey"] = json!(key);
            let first = staff.mutate("openReception", input.clone()).await;
            assert!(first["refusal"].is_null(), "{first}");
            assert_eq!(staff.mutate("openReception", input.clone()).await, first);
            input["desks"] = json!(3);
            assert_eq!(refusal(&staff.mutate("openReception", input).await), "KEY_REUSED");
        }
        let receptions = staff.query(OF_MEETING, json!({ "id": meeting })).await["meeting"]["receptions"].clone();
        assert_eq!(receptions.as_array().map(Vec::len), Some(2));
    }

    async fn a_host_sits_in_one_place_at_a_time(env) {
        let staff = env.akimat(HOST);
        let [first, second] =
            [staff.ended_meeting(HOST, HOST, env.now()).await, staff.ended_meeting(HOST, HOST, env.now()).await];
        let input = |meeting: &str, starts_in, name: &str| {
            let mut input = Opening { starts_in, ..Opening::default() }.input(meeting, env.now());
            input["hosts"] = json!([{ "role": "POLICE", "name": name }]);
            input
        };
        staff.mutate("openReception", input(&first, TimeDelta::hours(2), "Сейтов Ерлан")).await;
        let clash = staff.mutate("openReception", input(&second, TimeDelta::hours(3), "ерлан  СЕЙТОВ")).await;
        assert_eq!(refusal(&clash), "WRONG_STATE");
        assert!(clash["refusal"]["message"].as_str().unwrap().contains("12-бөлме"), "it names the other: {clash}");
        let later = staff.mutate("openReception", input(&second, TimeDelta::hours(4), "Сейтов Ерлан")).await;
        assert!(later["refusal"].is_null(), "one after the other: {later}");
        let moved = json!({ "receptionId": id_of(&later["reception"]), "startsAt": env.now() + TimeDelta::hours(3) });
        assert_eq!(refusal(&staff.mutate("updateReception", moved).await), "WRONG_STATE");
    }

    async fn letters_tell_receptions_of_a_place_and_day_apart(env) {
        let staff = env.akimat(HOST);
        let mut tickets = Vec::new();
        for starts_in in [2, 5, 26] {
            let opening = Opening { starts_in: TimeDelta::hours(starts_in), ..Opening::default() };
            let reception = staff.reception(&env, opening).await;
            tickets.push(env.citizen("Ana").register(&reception, json!({})).await["ticket"].clone());
        }
        assert_eq!(tickets, ["A-01", "B-01", "A-01"]);
    }

    async fn a_change_keeps_whom_it_can_and_offers_the_rest_a_slot(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening { slots: 2, desks: 2, ..Opening::default() }).await;
        let people = [env.citizen("Ana"), env.citizen("Ben"), env.citizen("Cat"), env.citizen("Dan")];
        let mut ids = Vec::new();
        for person in &people {
            ids.push(id_of(&person.register(&reception, json!({})).await));
        }
        let mut told = people[3].follow("subscription { notifications(after: 0) { kind subject { id } } }", json!({})).await;
        assert_eq!(told.next().await["kind"], "SUBSCRIBED");
        // One desk, four slots: half of the people keep their time.
        let ends_at = env.now() + TimeDelta::hours(3);
        staff.mutate("updateReception", json!({ "receptionId": reception, "desks": 1, "endsAt": ends_at })).await;
        let mut states = Vec::new();
        for (person, id) in people.iter().zip(&ids) {
            let row = person.see_registration(id).await;
            states.push((row["state"].as_str().unwrap().to_owned(), time(&row["slot"]["startsAt"]) - env.now()));
        }
        let hour = |n| TimeDelta::hours(2) + minutes(15) * n;
        let state = |state: &str, n| (state.to_owned(), hour(n));
        assert_eq!(states, [state("BOOKED", 0), state("OFFERED", 2), state("BOOKED", 1), state("OFFERED", 3)]);
        let kinds = [told.next_event_in(&env).await["kind"].clone(), told.next_event_in(&env).await["kind"].clone()];
        assert_eq!(kinds[0], "RECEPTION_BOOKED");
        assert!(kinds[1] == "RECEPTION_OFFERED" || kinds[1] == "RECEPTION_CHANGED", "{kinds:?}");
        let accepted = people[3].on_registration("acceptOffer", &ids[3], json!({})).await;
        assert_eq!(accepted["state"], "BOOKED");
    }

    async fn a_cancelled_reception_tells_everybody(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening { slots: 1, ..Opening::default() }).await;
        let (ana, ben) = (env.citizen("Ana"), env.citizen("Ben"));
        let booked = id_of(&ana.register(&reception, json!({})).await);
        let waiting = id_of(&ben.register(&reception, json!({})).await);
        let cancel = json!({ "receptionId": reception, "cancelReason": "Су тасқыны" });
        assert_eq!(staff.mutate("updateReception", cancel.clone()).await["reception"]["state"], "CANCELLED");
        assert_eq!(staff.mutate("updateReception", cancel).await["reception"]["state"], "CANCELLED", "a repeat changes nothing");
        for (person, id) in [(&ana, &booked), (&ben, &waiting)] {
            assert_eq!(person.see_registration(id).await["state"], "CANCELLED");
            let mut told = person.follow("subscription { notifications(after: 0) { kind text subject { id } } }", json!({})).await;
            let mut kinds = Vec::new();
            while kinds.last() != Some(&json!("RECEPTION_CANCELLED")) {
                kinds.push(told.next_event_in(&env).await["kind"].clone());
            }
        }
        assert_eq!(refusal(&env.citizen("Cat").try_register(&reception, json!({})).await), "WRONG_STATE");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_received_once_by_a_host_within_the_set_days() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_RECEPTION_DAYS_BETWEEN", "30")]).await;
    let staff = env.akimat(HOST);
    let first = staff.reception(&env, Opening::default()).await;
    let second = staff.reception(&env, Opening { starts_in: TimeDelta::days(20), ..Opening::default() }).await;
    let third = staff.reception(&env, Opening { starts_in: TimeDelta::days(31), ..Opening::default() }).await;
    let ana = env.citizen("Ana");
    let registered = id_of(&ana.register(&first, json!({})).await);
    assert_eq!(refusal(&ana.try_register(&second, json!({})).await), "ALREADY_REGISTERED");
    let later = id_of(&ana.register(&third, json!({})).await);
    ana.on_registration("cancelRegistration", &registered, json!({})).await;
    ana.on_registration("cancelRegistration", &later, json!({})).await;
    ana.register(&second, json!({})).await;
}
