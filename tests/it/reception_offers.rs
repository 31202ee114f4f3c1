//! Freed slots of receptions, and offers of them.

use chrono::{DateTime, TimeDelta, Utc};
use harness::{Actor, HOST, Opening, TestEnv, id_of, on_both_engines, refusal, until};
use serde_json::{Value, json};

const ONE_SLOT: Opening = Opening { starts_in: TimeDelta::hours(5), slots: 1, desks: 1 };

async fn cancel((person, id): &(Actor, String)) {
    person.on_registration("cancelRegistration", id, json!({})).await;
}

async fn state((person, id): &(Actor, String)) -> String {
    person.see_registration(id).await["state"].as_str().unwrap().to_owned()
}

/// Waits until a registration has a state that only a job gives it.
async fn until_state(env: &TestEnv, who: &(Actor, String), expected: &str) {
    until(|| state(who), || env.advance(TimeDelta::milliseconds(100)), |state| state == expected).await;
}

on_both_engines! {
    async fn a_freed_slot_is_offered_to_the_first_in_line(env) {
        let reception = env.akimat(HOST).reception(&env, ONE_SLOT).await;
        let people = env.registered(&reception, &["Ana", "Ben", "Cat"]).await;
        cancel(&people[0]).await;
        let offered = people[1].0.see_registration(&people[1].1).await;
        assert_eq!(offered["state"], "OFFERED");
        let end: DateTime<Utc> = offered["offerExpiresAt"].as_str().unwrap().parse().unwrap();
        assert_eq!(end, env.now() + TimeDelta::minutes(10));
        assert_eq!(state(&people[2]).await, "WAITING");
        let seen = env.anonymous().see_reception(&reception).await;
        assert_eq!((&seen["booked"], &seen["free"], &seen["waiting"]), (&json!(0), &json!(0), &json!(2)));
        let accepted = people[1].0.on_registration("acceptOffer", &people[1].1, json!({})).await;
        assert_eq!((&accepted["state"], &accepted["offerExpiresAt"]), (&json!("BOOKED"), &Value::Null));
        let again = people[1].0.on_registration("acceptOffer", &people[1].1, json!({})).await;
        assert_eq!(again["slot"], accepted["slot"], "a second time gives the same slot");
        assert_eq!(refusal(&people[2].0.try_on_registration("acceptOffer", &people[2].1, json!({})).await), "OFFER_EXPIRED");
    }

    async fn an_offer_that_ends_goes_to_the_next_in_line(env) {
        let reception = env.akimat(HOST).reception(&env, ONE_SLOT).await;
        let people = env.registered(&reception, &["Ana", "Ben", "Cat", "Dan"]).await;
        cancel(&people[0]).await;
        env.advance(TimeDelta::minutes(10));
        assert_eq!(refusal(&people[1].0.try_on_registration("acceptOffer", &people[1].1, json!({})).await), "OFFER_EXPIRED");
        until_state(&env, &people[2], "OFFERED").await;
        let back = people[1].0.see_registration(&people[1].1).await;
        assert_eq!((&back["state"], &back["slot"]), (&json!("WAITING"), &Value::Null));
        people[2].0.on_registration("cancelRegistration", &people[2].1, json!({})).await;
        assert_eq!(state(&people[3]).await, "OFFERED", "the one who let the offer end is last");
        people[3].0.on_registration("acceptOffer", &people[3].1, json!({})).await;
        let mut told = people[1].0.follow("subscription { notifications(after: 0) { kind } }", json!({})).await;
        assert_eq!(told.next().await["kind"], "SUBSCRIBED");
        let mut kinds = Vec::new();
        while kinds.last() != Some(&json!("RECEPTION_OFFERED")) {
            kinds.push(told.next_event_in(&env).await["kind"].clone());
        }
        assert_eq!(told.next_event_in(&env).await["kind"], "RECEPTION_CHANGED", "told that the offer has ended");
    }

    async fn offers_survive_a_restart(env) {
        let mut env = env;
        let reception = env.akimat(HOST).reception(&env, ONE_SLOT).await;
        let people = env.registered(&reception, &["Ana", "Ben", "Cat"]).await;
        cancel(&people[0]).await;
        env.stop(0).await;
        env.advance(TimeDelta::minutes(11));
        let replica = env.replica().await;
        let people: Vec<_> = people.into_iter().map(|(person, id)| (person.at(env.host(replica)), id)).collect();
        until_state(&env, &people[2], "OFFERED").await;
        assert_eq!(state(&people[1]).await, "WAITING");
    }

    async fn accepting_races_with_the_end_of_an_offer(env) {
        let reception = env.akimat(HOST).reception(&env, ONE_SLOT).await;
        let people = env.registered(&reception, &["Ana", "Ben", "Cat"]).await;
        cancel(&people[0]).await;
        env.advance(TimeDelta::minutes(10) - TimeDelta::milliseconds(1));
        let ((), accepted) = tokio::join!(
            async { env.advance(TimeDelta::seconds(2)) },
            people[1].0.try_on_registration("acceptOffer", &people[1].1, json!({})),
        );
        let won = accepted["refusal"].is_null();
        assert!(won || refusal(&accepted) == "OFFER_EXPIRED", "{accepted}");
        if won {
            assert_eq!((state(&people[1]).await.as_str(), state(&people[2]).await.as_str()), ("BOOKED", "WAITING"));
        } else {
            until_state(&env, &people[2], "OFFERED").await;
            assert_eq!(state(&people[1]).await, "WAITING");
        }
    }

    async fn a_freed_slot_is_kept_from_free_choice_for_two_minutes(env) {
        let reception = env.akimat(HOST).reception(&env, ONE_SLOT).await;
        let first = env.registered(&reception, &["Ana"]).await;
        cancel(&first[0]).await;
        assert_eq!(refusal(&env.citizen("Ben").try_register(&reception, json!({ "waitIfFull": false })).await), "FULL");
        let waiting = env.registered(&reception, &["Cat"]).await;
        assert_eq!(state(&waiting[0]).await, "WAITING", "an accomplice gets nothing");
        cancel(&waiting[0]).await;
        env.advance(TimeDelta::minutes(2));
        let free = env.registered(&reception, &["Dan"]).await;
        assert_eq!(state(&free[0]).await, "BOOKED");
    }

    async fn after_the_two_minutes_the_slot_is_offered_to_who_waits(env) {
        let reception = env.akimat(HOST).reception(&env, ONE_SLOT).await;
        let first = env.registered(&reception, &["Ana"]).await;
        cancel(&first[0]).await;
        let waiting = env.registered(&reception, &["Ben"]).await;
        env.advance(TimeDelta::minutes(2));
        until_state(&env, &waiting[0], "OFFERED").await;
    }

    async fn a_slot_freed_late_is_left_to_walk_ins(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, ONE_SLOT).await;
        let people = env.registered(&reception, &["Ana", "Ben"]).await;
        env.advance(TimeDelta::hours(5) - TimeDelta::minutes(39));
        cancel(&people[0]).await;
        assert_eq!(state(&people[1]).await, "WAITING", "too late for an offer");
        env.advance(TimeDelta::minutes(3));
        assert_eq!(refusal(&env.citizen("Cat").try_register(&reception, json!({ "waitIfFull": false })).await), "FULL");
        let walk_in = json!({ "receptionId": reception, "topic": "Су", "name": "Қонақ", "language": "KK" });
        let walk_in = staff.mutate("registerWalkIn", walk_in).await["registration"].clone();
        env.advance(TimeDelta::minutes(36));
        assert_eq!(id_of(&staff.call_next(&reception, 1).await["registration"]), id_of(&walk_in));
    }

    async fn offers_that_end_together_move_on_in_line(env) {
        let staff = env.akimat(HOST);
        let reception = staff.reception(&env, Opening { slots: 3, ..ONE_SLOT }).await;
        let booked = env.registered(&reception, &["Ana", "Ben", "Cat"]).await;
        let waiting = env.registered(&reception, &["Dan", "Eva", "Fay", "Gul"]).await;
        for who in &booked {
            cancel(who).await;
        }
        // Three offers end at once, and all three people are offered a slot again, each another than before.
        env.advance(TimeDelta::minutes(10));
        until_state(&env, &waiting[3], "OFFERED").await;
        let mut slots = std::collections::BTreeSet::new();
        for (place, (person, id)) in waiting.iter().enumerate() {
            let row = person.see_registration(id).await;
            if place == 2 {
                assert_eq!(row["state"], "WAITING", "{row}");
            } else {
                assert!(row["state"] == "OFFERED" && slots.insert(row["slot"].to_string()), "{row}");
            }
        }
        assert_eq!(slots.len(), 3);
    }

    async fn an_offer_that_has_ended_is_not_accepted_before_the_job_ends_it(env) {
        let reception = env.akimat(HOST).reception(&env, ONE_SLOT).await;
        let people = env.registered(&reception, &["Ana", "Ben"]).await;
        cancel(&people[0]).await;
        // No job runs before the command does.
        env.sql("DELETE FROM jobs WHERE kind = 'receptions'").await;
        env.advance(TimeDelta::minutes(10));
        let late = people[1].0.try_on_registration("acceptOffer", &people[1].1, json!({})).await;
        assert_eq!(refusal(&late), "OFFER_EXPIRED", "also for who waits alone");
    }

    async fn a_person_registers_ten_times_at_most(env) {
        let reception = env.akimat(HOST).reception(&env, Opening { slots: 40, ..ONE_SLOT }).await;
        let ana = env.citizen("Ana");
        for _ in 0..10 {
            let id = id_of(&ana.register(&reception, json!({})).await);
            ana.on_registration("cancelRegistration", &id, json!({})).await;
        }
        assert_eq!(refusal(&ana.try_register(&reception, json!({})).await), "ALREADY_REGISTERED");
    }
}
