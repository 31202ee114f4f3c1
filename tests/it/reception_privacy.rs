//! Who sees what of receptions: registrations, applicants, drafts; and erasure.

use chrono::TimeDelta;
use harness::{Actor, HOST, Opening, TestEnv, id_of, on_both_engines, refusal};
use serde_json::{Value, json};

const APPLICANT: &str =
    "query($id: ID!) { registration(id: $id) { topic applicant { name phone iinMasked language } } }";
const PHONE: &str = "+77019876543";
const IIN: &str = "920112350176";

async fn applicant(actor: &Actor, registration: &str) -> Value {
    actor.query(APPLICANT, json!({ "id": registration })).await["registration"].clone()
}

async fn registered(env: &TestEnv, reception: &str) -> (Actor, String) {
    let ana = env.citizen("Ana");
    let person = json!({ "name": "Құпия Есім", "topic": "Құпия тақырып", "phone": "8 (701) 987-65-43", "iin": IIN });
    let id = id_of(&ana.register(reception, person).await);
    (ana, id)
}

/// Returns everybody who is neither the person nor staff of the reception.
fn strangers(env: &TestEnv) -> Vec<Actor> {
    vec![
        env.anonymous(),
        env.citizen("Ben"),
        env.akimat("711110000"),
        env.moderator("711110000"),
        env.connector(HOST),
        env.person("Agency", &["AGENCY"], None),
        env.person("Maslikhat", &["MASLIKHAT"], Some(HOST)),
        env.person("Government", &["GOVERNMENT"], None),
        env.person("Oversight", &["ADMINISTRATION"], None),
    ]
}

on_both_engines! {
    async fn an_applicant_is_seen_by_the_person_and_the_staff_only(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening::default()).await;
        let (ana, id) = registered(&env, &reception).await;
        for actor in [&ana, &staff, &env.moderator(HOST), &env.person("Admin", &["ADMIN"], None)] {
            let seen = applicant(actor, &id).await;
            let expected = json!({ "name": "Құпия Есім", "phone": PHONE, "iinMasked": seen["applicant"]["iinMasked"], "language": "KK" });
            assert_eq!(seen["applicant"], expected);
            let masked = seen["applicant"]["iinMasked"].as_str().unwrap();
            assert!(masked.contains('*') || masked.contains('•'), "{masked}");
            assert!(!masked.contains(&IIN[..6]), "nothing of the date of birth: {masked}");
        }
        let node = "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } registration(id: $id) { id } }";
        let entity = "query($id: ID!) { _entities(representations: [{ __typename: \"Registration\", id: $id }]) \
                      { ... on Registration { ticket topic applicant { name } } } }";
        let of_reception = "query($id: ID!) { reception(id: $id) { viewerRegistration { id } viewerCanRun \
                            registrations { totalCount nodes { id } } } }";
        let own = "{ viewer { registrations { totalCount nodes { id } } } }";
        for actor in strangers(&env) {
            let found = actor.query(node, json!({ "id": id })).await;
            assert_eq!(found, json!({ "node": null, "nodes": [null], "registration": null }));
            assert_eq!(actor.query(entity, json!({ "id": id })).await["_entities"], json!([null]));
            let seen = actor.query(of_reception, json!({ "id": reception })).await["reception"].clone();
            let nothing = json!({ "viewerRegistration": null, "viewerCanRun": false, "registrations": { "totalCount": 0, "nodes": [] } });
            assert_eq!(seen, nothing);
            let listed = actor.query(own, json!({})).await["viewer"].clone();
            assert!(listed.is_null() || listed["registrations"]["totalCount"] == 0);
        }
        let listed = ana.query(own, json!({})).await["viewer"]["registrations"].clone();
        assert_eq!(listed, json!({ "totalCount": 1, "nodes": [{ "id": id }] }));
        let listed = staff.query(of_reception, json!({ "id": reception })).await["reception"].clone();
        assert_eq!((&listed["viewerCanRun"], &listed["registrations"]["totalCount"]), (&json!(true), &json!(1)));
    }

    async fn events_show_a_registration_to_its_person_and_the_staff_only(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening::default()).await;
        let query = "subscription { receptions { kind registration { id topic applicant { name } } reception { id } } }";
        let ana = env.citizen("Ana");
        let mut followers = Vec::new();
        for actor in [&ana, &staff, &env.anonymous(), &env.citizen("Ben"), &env.akimat("711110000")] {
            let mut live = actor.follow(query, json!({})).await;
            assert_eq!(live.next().await["kind"], "SUBSCRIBED");
            followers.push(live);
        }
        let id = id_of(&ana.register(&reception, json!({ "name": "Құпия Есім", "topic": "Құпия" })).await);
        for (place, live) in followers.iter_mut().enumerate() {
            let event = live.next_event_in(&env).await;
            assert_eq!((&event["kind"], id_of(&event["reception"])), (&json!("BOOKED"), reception.clone()));
            if place < 2 {
                assert_eq!((id_of(&event["registration"]), &event["registration"]["applicant"]["name"]), (id.clone(), &json!("Құпия Есім")));
            } else {
                assert!(event["registration"].is_null(), "{event}");
            }
        }
    }

    async fn drafts_reach_staff_only(env) {
        let staff = env.akimat(HOST);
        let query = "subscription { receptions(after: 0) { seq kind reception { id state } } }";
        let mut of_staff = staff.follow("subscription { receptions { kind reception { id state } } }", json!({})).await;
        assert_eq!(of_staff.next().await["kind"], "SUBSCRIBED");
        let meeting = staff.ended_meeting(HOST, HOST, env.now()).await;
        let created = of_staff.next_event_in(&env).await;
        assert_eq!((&created["kind"], &created["reception"]["state"]), (&json!("CREATED"), &json!("DRAFT")));
        let draft = id_of(&created["reception"]);
        for actor in strangers(&env) {
            assert!(actor.see_reception(&draft).await.is_null());
            let register = json!({ "receptionId": draft, "topic": "a", "name": "b", "phone": "+77010000000", "language": "KK" });
            let answer = actor.try_mutate("register", register).await;
            let code = answer["errors"][0]["extensions"]["code"].as_str();
            assert!(code.is_some() || refusal(&answer["data"]["register"]) == "NOT_FOUND", "{answer}");
        }
        let mut live = env.anonymous().follow(query, json!({})).await;
        assert_eq!(live.next().await["kind"], "SUBSCRIBED");
        staff.mutate("openReception", Opening::default().input(&meeting, env.now())).await;
        let opened = live.next_event_in(&env).await;
        assert_eq!((&opened["kind"], &opened["reception"]["state"]), (&json!("OPENED"), &json!("OPEN")));
    }

    async fn erasing_leaves_the_ticket_and_nothing_personal(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening { slots: 1, ..Opening::default() }).await;
        let (ana, id) = registered(&env, &reception).await;
        let next = env.citizen("Ben");
        let waiting = id_of(&next.register(&reception, json!({})).await);
        let erased = ana.on_registration("eraseApplicant", &id, json!({})).await;
        assert_eq!((&erased["state"], &erased["topic"], &erased["ticket"]), (&json!("CANCELLED"), &json!(""), &json!("A-01")));
        assert!(applicant(&ana, &id).await["applicant"].is_null());
        assert!(applicant(&staff, &id).await["applicant"].is_null());
        assert_eq!(next.see_registration(&waiting).await["state"], "OFFERED", "an active one is cancelled first");
        let again = ana.on_registration("eraseApplicant", &id, json!({})).await;
        assert_eq!(again["state"], "CANCELLED");
        let walk_in = json!({ "receptionId": reception, "topic": "Су", "name": "Есім", "phone": PHONE, "language": "KK" });
        assert!(staff.mutate("registerWalkIn", walk_in).await["refusal"].is_null(), "the phone is forgotten");
    }

    async fn each_look_at_an_applicant_is_in_the_audit_log(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening::default()).await;
        let (ana, id) = registered(&env, &reception).await;
        let log = "query($id: ID!) { auditLog(filter: { subject: $id }) { nodes { seq action subject actor } } }";
        let admin = env.person("Admin", &["ADMIN"], None);
        let looks = async || admin.query(log, json!({ "id": id })).await["auditLog"]["nodes"].as_array().unwrap().len();
        assert_eq!(looks().await, 0);
        staff.see_registration(&id).await;
        assert_eq!(looks().await, 0, "the state of a registration is not personal data");
        applicant(&staff, &id).await;
        applicant(&ana, &id).await;
        assert_eq!(looks().await, 2);
        for stranger in strangers(&env) {
            stranger.send(APPLICANT, json!({ "id": id })).await;
        }
        assert_eq!(looks().await, 2, "nobody else has seen anything");
        let aliases = "query($id: ID!) { registration(id: $id) { a: applicant { name } b: applicant { phone } } }";
        ana.query(aliases, json!({ "id": id })).await;
        assert_eq!(looks().await, 3, "an operation looks once");
        ana.on_registration("eraseApplicant", &id, json!({})).await;
        assert_eq!(looks().await, 4);
    }

    async fn nothing_is_written_about_a_person_after_erasure(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening::default()).await;
        let (ana, id) = registered(&env, &reception).await;
        env.advance(TimeDelta::hours(2));
        staff.call_next(&reception, 1).await;
        env.advance(TimeDelta::minutes(5));
        let no_show = json!({ "outcome": "", "served": false });
        assert_eq!(staff.on_registration("closeRegistration", &id, no_show).await["outcome"], Value::Null);
        ana.on_registration("eraseApplicant", &id, json!({})).await;
        let late = json!({ "outcome": "Құпия Есім келді", "served": true });
        assert_eq!(refusal(&staff.try_on_registration("closeRegistration", &id, late).await), "WRONG_STATE");
    }

    async fn the_database_holds_no_personal_data_in_the_clear(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening::default()).await;
        registered(&env, &reception).await;
        env.advance(TimeDelta::seconds(1));
        let tables = ["applicants", "registrations", "feed_events", "audit_log", "jobs", "receptions"];
        for table in tables {
            let text = env.dump(table).await;
            for secret in ["Құпия Есім", PHONE, "9876543", IIN, "Ana-"] {
                assert!(!text.contains(secret), "{secret} in {table}: {text}");
            }
        }
    }
}
