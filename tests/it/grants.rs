//! Tokens whose roles have a scope each.

use chrono::TimeDelta;
use harness::{Actor, HOST, Socket, TestEnv, error_code, id_of, on_both_engines, token_claims};
use serde_json::{Value, json};

/// A city district of another city than `HOST`.
const OTHER: &str = "711110000";
/// A city district beside `HOST`.
const THIRD: &str = "751210000";

const VIEWER: &str = "{ viewer { roles region { code } grants { role region { code } } } }";

/// Creates a person whose roles come from the `grants` claim only.
fn granted(env: &TestEnv, name: &str, grants: &Value) -> Actor {
    let mut claims = token_claims(name, name, &[], None, env.now());
    claims["grants"] = grants.clone();
    env.with_claims(&claims)
}

/// Returns grants of MODERATOR in one region and AKIMAT in another.
fn moderator_and_akimat(moderated: &str, run: &str) -> Value {
    json!([{ "role": "MODERATOR", "region": moderated }, { "role": "AKIMAT", "region": run }])
}

async fn live_meeting(env: &TestEnv, host: &str) -> String {
    env.person("Admin", &["ADMIN"], None).live_meeting(host, host, env.now(), "BEFORE").await
}

/// Returns the error code of a mutation, empty if it is permitted.
async fn code(actor: &Actor, mutation: &str, input: Value) -> String {
    error_code(&actor.try_mutate(mutation, input).await).to_owned()
}

on_both_engines! {
    async fn each_role_holds_only_in_the_region_of_its_own_grant(env) {
        let person = granted(&env, "dana", &moderator_and_akimat(HOST, OTHER));
        for (host, moderates, manages) in [(HOST, true, false), (OTHER, false, true), (THIRD, false, false)] {
            let meeting = live_meeting(&env, host).await;
            let comment = id_of(&env.citizen("Ana").post(&meeting, "Жол?").await);
            let flags = person.meeting(&meeting).await;
            assert_eq!(flags["viewerCanModerate"], moderates, "{host}");
            assert_eq!(flags["viewerCanManage"], manages, "{host}");
            let forbidden = |may: bool| if may { "" } else { "FORBIDDEN" };
            let start = env.now() + TimeDelta::days(9);
            for (mutation, may, input) in [
                ("setModeration", moderates, json!({ "meetingId": meeting, "slowModeSeconds": 0 })),
                ("addBroadcast", manages, json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" })),
                ("planMeeting", manages, json!({ "host": host, "region": host, "title": { "kk": "К" }, "origin": "CALENDAR", "plannedStart": start, "plannedMinutes": 60 })),
                ("setStage", moderates || manages, json!({ "meetingId": meeting, "stage": "QUESTIONS" })),
                ("postComment", false, json!({ "meetingId": meeting, "body": "Су?" })),
            ] {
                assert_eq!(code(&person, mutation, input).await, forbidden(may), "{mutation} at {host}");
            }
            // Hidden comments are not found by those who may not see them.
            let sees = moderates || manages;
            assert_eq!(person.comments(&meeting, json!({})).await.len(), usize::from(sees), "{host}");
            if sees {
                let moderate = json!({ "commentIds": [comment], "action": "APPROVE" });
                assert_eq!(code(&person, "moderateComments", moderate).await, forbidden(moderates), "{host}");
                person.follow_comments(&meeting, None, "MODERATION").await;
            } else {
                assert_eq!(person.begin_comments(&meeting, None, "MODERATION").await.refused().await, "FORBIDDEN");
            }
        }
    }

    async fn the_old_claims_and_grants_give_the_union(env) {
        let mut claims = token_claims("dana", "Dana", &["MODERATOR", "CITIZEN"], Some(HOST), env.now());
        let old = env.with_claims(&claims);
        let expected = json!({
            "roles": ["CITIZEN", "MODERATOR"], "region": { "code": HOST },
            "grants": [
                { "role": "CITIZEN", "region": { "code": HOST } },
                { "role": "MODERATOR", "region": { "code": HOST } },
            ],
        });
        assert_eq!(old.query(VIEWER, json!({})).await["viewer"], expected);
        claims["grants"] = json!([{ "role": "AKIMAT", "region": OTHER }, { "role": "MODERATOR", "region": HOST }]);
        let both = env.with_claims(&claims);
        let expected = json!({
            "roles": ["CITIZEN", "MODERATOR", "AKIMAT"], "region": null,
            "grants": [
                { "role": "CITIZEN", "region": { "code": HOST } },
                { "role": "MODERATOR", "region": { "code": HOST } },
                { "role": "AKIMAT", "region": { "code": OTHER } },
            ],
        });
        assert_eq!(both.query(VIEWER, json!({})).await["viewer"], expected);
        for (host, moderates, manages) in [(HOST, true, false), (OTHER, false, true)] {
            let flags = both.meeting(&live_meeting(&env, host).await).await;
            assert_eq!((&flags["viewerCanModerate"], &flags["viewerCanManage"]), (&json!(moderates), &json!(manages)));
        }
    }

    async fn ignores_unknown_roles_and_rejects_malformed_grants(env) {
        let unknown = json!([{ "role": "KING", "region": 1 }, { "role": "ADMIN", "until": "noon" }, { "role": "CITIZEN" }]);
        let citizen = granted(&env, "ana", &unknown);
        let expected = json!({ "roles": ["CITIZEN"], "region": null, "grants": [{ "role": "CITIZEN", "region": null }] });
        assert_eq!(citizen.query(VIEWER, json!({})).await["viewer"], expected);
        let meeting = live_meeting(&env, HOST).await;
        citizen.post(&meeting, "Жол?").await;
        for malformed in [json!([{ "role": "CITIZEN", "region": "1" }]), json!([{}]), json!({}), json!(vec![json!({ "role": "CITIZEN" }); 101])] {
            let rejected = granted(&env, "ana", &malformed);
            assert_eq!(rejected.error(VIEWER, json!({})).await, "UNAUTHENTICATED", "{malformed}");
            let mut socket = Socket::open(&rejected.host).await;
            let authorization = format!("Bearer {}", rejected.token.unwrap());
            socket.send(&json!({ "type": "connection_init", "payload": { "authorization": authorization } })).await;
            assert_eq!(socket.close_code().await, 4403, "{malformed}");
        }
    }

    async fn accepts_a_hundred_grants_on_every_transport(env) {
        let tree = env.service(0).app().tree();
        let regions: Vec<_> = tree.units().map(|unit| unit.code.to_string()).take(99).collect();
        let mut grants: Vec<_> = regions.iter().map(|region| json!({ "role": "MODERATOR", "region": region })).collect();
        grants.push(json!({ "role": "AKIMAT", "region": HOST }));
        let person = granted(&env, "dana", &json!(grants));
        let viewer = person.query(VIEWER, json!({})).await["viewer"].clone();
        assert_eq!(viewer["grants"].as_array().unwrap().len(), 100);
        assert_eq!(viewer["roles"], json!(["MODERATOR", "AKIMAT"]));
        let meeting = live_meeting(&env, HOST).await;
        person.follow_comments(&meeting, None, "MODERATION").await;
    }

    async fn subscribers_with_other_grants_are_shown_their_own_rights(env) {
        let query = "subscription { meetings { kind meeting { id viewerCanModerate viewerCanManage } } }";
        let people = [moderator_and_akimat(HOST, OTHER), moderator_and_akimat(OTHER, HOST), json!([])];
        let mut lives = Vec::new();
        for (number, grants) in people.iter().enumerate() {
            let mut live = granted(&env, &format!("person-{number}"), grants).follow(query, json!({})).await;
            assert_eq!(live.next().await["kind"], "SUBSCRIBED");
            lives.push(live);
        }
        let start = env.now() + TimeDelta::days(9);
        env.person("Admin", &["ADMIN"], None).plan(HOST, HOST, start, "AFTER").await;
        for (live, (moderates, manages)) in lives.iter_mut().zip([(true, false), (false, true), (false, false)]) {
            let meeting = live.next_event_in(&env).await["meeting"].clone();
            assert_eq!((&meeting["viewerCanModerate"], &meeting["viewerCanManage"]), (&json!(moderates), &json!(manages)));
        }
    }

    async fn a_withdrawn_grant_ends_with_the_revoked_token(env) {
        let meeting = live_meeting(&env, HOST).await;
        let before = granted(&env, "dana", &moderator_and_akimat(HOST, OTHER));
        let mut live = before.follow_comments(&meeting, None, "MODERATION").await;
        let tx = env.service(0).app().store.begin().await.unwrap();
        tx.revoke_tokens("dana", env.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(live.close_code_in(&env).await, 4403);
        assert_eq!(before.error(VIEWER, json!({})).await, "UNAUTHENTICATED");
        env.advance(TimeDelta::seconds(1));
        let after = granted(&env, "dana", &json!([{ "role": "AKIMAT", "region": OTHER }]));
        assert_eq!(after.begin_comments(&meeting, None, "MODERATION").await.refused().await, "FORBIDDEN");
        assert_eq!(after.meeting(&live_meeting(&env, OTHER).await).await["viewerCanManage"], true);
    }
}
