//! Running receptions: calls, recalls, no-shows, walk-ins, and what a waiting room shows.

use chrono::{DateTime, TimeDelta, Utc};
use harness::{Actor, HOST, Opening, error_code, id_of, on_both_engines, refusal, until};
use serde_json::{Value, json};

const OPENING: Opening = Opening { starts_in: TimeDelta::hours(2), slots: 4, desks: 2 };
const SCREEN: &str = "subscription($meeting: ID) { receptions(meetingId: $meeting) { seq kind registration { id topic } \
                      reception { state nowServing waiting estimatedWaitMinutes calls { ticket desk calledAt times } \
                      slots { startsAt desk free } hosts { role } } } }";

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a time").parse().expect("a time")
}

async fn walk_in(staff: &Actor, reception: &str, name: &str, phone: Value) -> Value {
    let input = json!({ "receptionId": reception, "topic": "Су", "name": name, "phone": phone, "language": "RU" });
    staff.mutate("registerWalkIn", input).await
}

/// Calls the next person, and returns the id of the registration.
async fn called(staff: &Actor, reception: &str, desk: i32) -> String {
    id_of(&staff.call_next(reception, desk).await["registration"])
}

async fn serve(staff: &Actor, registration: &str) -> Value {
    staff.on_registration("closeRegistration", registration, json!({ "outcome": "Шешілді" })).await
}

on_both_engines! {
    async fn people_are_called_by_the_time_of_their_slots(env) {
        let staff = env.moderator(HOST);
        let reception = env.akimat(HOST).reception(&env, OPENING).await;
        let people = env.registered(&reception, &["Ana", "Ben", "Cat"]).await;
        env.advance(TimeDelta::minutes(120));
        let first = staff.call_next(&reception, 1).await["registration"].clone();
        assert_eq!((id_of(&first), &first["state"]), (people[0].1.clone(), &json!("CALLED")));
        assert_eq!(called(&staff, &reception, 1).await, people[0].1, "a desk with an open call gets the same person");
        assert_eq!(called(&staff, &reception, 2).await, people[1].1);
        let served = serve(&staff, &people[0].1).await;
        assert_eq!((&served["state"], &served["outcome"]), (&json!("SERVED"), &json!("Шешілді")));
        assert_eq!(called(&staff, &reception, 1).await, people[2].1, "who is early comes when nobody else is due");
        assert_eq!(refusal(&staff.call_next(&reception, 3).await), "INVALID");
        serve(&staff, &people[1].1).await;
        assert_eq!(refusal(&staff.call_next(&reception, 2).await), "NOT_FOUND", "nobody is left");
        let seen = env.anonymous().see_reception(&reception).await;
        assert_eq!((&seen["state"], &seen["nowServing"]), (&json!("RUNNING"), &json!(["A-03"])));
        assert_eq!(seen["calls"][0]["ticket"], "A-03");
    }

    async fn nobody_is_called_before_their_day(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening { starts_in: TimeDelta::days(1), ..OPENING }).await;
        let people = env.registered(&reception, &["Ana"]).await;
        assert_eq!(refusal(&staff.call_next(&reception, 1).await), "NOT_FOUND");
        env.advance(TimeDelta::hours(15));
        assert_eq!(called(&staff, &reception, 1).await, people[0].1, "midnight has passed in Almaty");
    }

    async fn walk_ins_come_between_those_with_slots(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening { slots: 2, ..OPENING }).await;
        let people = env.registered(&reception, &["Ana", "Ben", "Cat", "Dan"]).await;
        env.advance(TimeDelta::minutes(140));
        let guest = id_of(&walk_in(&staff, &reception, "Қонақ", json!("+77015550000")).await["registration"]);
        assert_eq!(refusal(&walk_in(&staff, &reception, "Басқа", json!("8 701 555 00 00")).await), "ALREADY_REGISTERED");
        let mut order = Vec::new();
        for _ in 0..5 {
            let id = called(&staff, &reception, 1).await;
            serve(&staff, &id).await;
            order.push(id);
        }
        let expected = [&people[0].1, &people[1].1, &guest, &people[2].1, &people[3].1];
        assert_eq!(order.iter().collect::<Vec<_>>(), expected);
    }

    async fn a_person_who_does_not_come_is_a_no_show_after_three_calls_or_five_minutes(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, OPENING).await;
        let people = env.registered(&reception, &["Ana", "Ben", "Cat"]).await;
        env.advance(TimeDelta::minutes(121));
        let no_show = json!({ "outcome": "Келмеді", "served": false });
        let ana = called(&staff, &reception, 1).await;
        assert_eq!(refusal(&staff.try_on_registration("closeRegistration", &ana, no_show.clone()).await), "WRONG_STATE");
        for times in [2, 3] {
            staff.on_registration("recallRegistration", &ana, json!({})).await;
            assert_eq!(env.anonymous().see_reception(&reception).await["calls"][0]["times"], times);
        }
        assert_eq!(staff.on_registration("closeRegistration", &ana, no_show.clone()).await["state"], "NO_SHOW");
        let ben = called(&staff, &reception, 1).await;
        env.advance(TimeDelta::minutes(5));
        assert_eq!(staff.on_registration("closeRegistration", &ben, no_show).await["state"], "NO_SHOW");
        assert_eq!(refusal(&staff.try_on_registration("recallRegistration", &ben, json!({})).await), "WRONG_STATE");
        // The clock closes a call that was repeated, and never one of a person who sits at the desk.
        let cat = called(&staff, &reception, 1).await;
        env.advance(TimeDelta::minutes(30));
        assert_eq!(people[2].0.see_registration(&cat).await["state"], "CALLED");
        staff.on_registration("recallRegistration", &cat, json!({})).await;
        env.advance(TimeDelta::minutes(5));
        let state = || async { people[2].0.see_registration(&cat).await["state"].clone() };
        until(state, || env.advance(TimeDelta::milliseconds(100)), |state| state == "NO_SHOW").await;
    }

    async fn a_reception_closes_when_nobody_is_at_a_desk(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, OPENING).await;
        let people = env.registered(&reception, &["Ana", "Ben"]).await;
        env.advance(TimeDelta::minutes(121));
        let ana = called(&staff, &reception, 1).await;
        let close = json!({ "receptionId": reception });
        assert_eq!(refusal(&staff.mutate("closeReception", close.clone()).await), "WRONG_STATE");
        assert_eq!(refusal(&people[0].0.try_on_registration("cancelRegistration", &ana, json!({})).await), "WRONG_STATE");
        serve(&staff, &ana).await;
        assert_eq!(staff.mutate("closeReception", close.clone()).await["reception"]["state"], "CLOSED");
        assert_eq!(staff.mutate("closeReception", close).await["reception"]["state"], "CLOSED", "a repeat changes nothing");
        assert_eq!(people[1].0.see_registration(&people[1].1).await["state"], "CANCELLED");
        assert_eq!(refusal(&staff.call_next(&reception, 1).await), "WRONG_STATE");
    }

    async fn a_waiting_room_shows_tickets_and_nothing_personal(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, OPENING).await;
        let mut screen = env.anonymous().socket().await;
        let start = json!({ "id": "1", "type": "subscribe", "payload": { "query": SCREEN, "variables": {} } });
        screen.send(&start).await;
        let mut seen = screen.try_receive_text().await.unwrap();
        let secrets = json!({ "name": "Құпия Есім", "topic": "Құпия тақырып", "phone": "+77019876543", "iin": "920112350176" });
        let ana = env.citizen("Құпия");
        let id = id_of(&ana.register(&reception, secrets).await);
        walk_in(&staff, &reception, "Жасырын Қонақ", json!("+77012223344")).await;
        env.advance(TimeDelta::minutes(121));
        assert_eq!(called(&staff, &reception, 2).await, id);
        staff.on_registration("recallRegistration", &id, json!({})).await;
        serve(&staff, &id).await;
        let mut kinds = Vec::new();
        while kinds.last().map(String::as_str) != Some("SERVED") {
            let text = screen.try_receive_text().await.unwrap();
            let event: Value = serde_json::from_str(&text).unwrap();
            let event = &event["payload"]["data"]["receptions"];
            seen.push_str(&text);
            if let Some(kind) = event["kind"].as_str().filter(|kind| *kind != "HEARTBEAT") {
                assert!(event["registration"].is_null(), "{event}");
                kinds.push(kind.to_owned());
            }
            env.advance(TimeDelta::milliseconds(10));
        }
        for kind in ["BOOKED", "CALLED", "SERVED"] {
            assert!(kinds.iter().any(|seen| seen == kind), "{kind} in {kinds:?}");
        }
        assert!(seen.contains("A-01") && seen.contains("\"desk\":2"), "{seen}");
        for secret in ["упия", "Жасырын", "Су", "Шешілді", "98765", "2223344", "920112", "350176"] {
            assert!(!seen.contains(secret), "{secret} in {seen}");
        }
    }

    async fn a_person_follows_their_place_and_estimate(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening { slots: 4, desks: 1, ..OPENING }).await;
        let people = env.registered(&reception, &["Ana", "Ben", "Cat"]).await;
        let query = "subscription { receptions { kind registration { id } reception { viewerRegistration { id place estimatedAt state } } } }";
        let mut live = people[2].0.follow(query, json!({})).await;
        assert_eq!(live.next().await["kind"], "SUBSCRIBED");
        let own = people[2].0.see_registration(&people[2].1).await;
        assert_eq!((&own["place"], &own["estimatedAt"]), (&json!(2), &own["slot"]["startsAt"]));
        env.advance(TimeDelta::minutes(120));
        called(&staff, &reception, 1).await;
        env.advance(TimeDelta::minutes(40));
        serve(&staff, &people[0].1).await;
        let own = people[2].0.see_registration(&people[2].1).await;
        assert_eq!(own["place"], 1);
        assert_eq!(time(&own["estimatedAt"]), env.now() + TimeDelta::minutes(40), "at the pace of this reception so far");
        let mut last = Value::Null;
        while last["kind"] != "SERVED" {
            last = live.next_event_in(&env).await;
        }
        assert!(last["registration"].is_null(), "that of another person: {last}");
        assert_eq!(id_of(&last["reception"]["viewerRegistration"]), people[2].1);
        let mut told = people[0].0.follow("subscription { notifications(after: 0) { kind text subject { id } } }", json!({})).await;
        assert_eq!(told.next().await["kind"], "SUBSCRIBED");
        assert_eq!(told.next_event_in(&env).await["kind"], "RECEPTION_BOOKED");
        let call = told.next_event_in(&env).await;
        assert_eq!((&call["kind"], id_of(&call["subject"])), (&json!("RECEPTION_CALLED"), people[0].1.clone()));
    }

    async fn strangers_do_not_run_a_reception(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, OPENING).await;
        let people = env.registered(&reception, &["Ana", "Ben"]).await;
        let neighbour = env.akimat("711110000");
        for actor in [env.citizen("Cat"), neighbour, people[0].0.clone()] {
            for (mutation, input) in [
                ("callNext", json!({ "receptionId": reception, "desk": 1 })),
                ("closeReception", json!({ "receptionId": reception })),
                ("updateReception", json!({ "receptionId": reception, "desks": 5 })),
                ("registerWalkIn", json!({ "receptionId": reception, "topic": "a", "name": "b", "language": "KK" })),
            ] {
                assert_eq!(error_code(&actor.try_mutate(mutation, input).await), "FORBIDDEN", "{mutation}");
            }
            for mutation in ["cancelRegistration", "acceptOffer", "eraseApplicant"] {
                let refused = actor.try_on_registration(mutation, &people[1].1, json!({})).await;
                assert_eq!(refusal(&refused), "NOT_FOUND", "{mutation}");
            }
        }
        assert_eq!(env.anonymous().see_reception(&reception).await["booked"], 2);
    }
}
