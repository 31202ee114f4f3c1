//! Restrictions of what a connector may import, by its token.

use harness::{Actor, Engine, HOST, TestEnv, id_of, on_both_engines, token_claims};
use serde_json::{Value, json};

on_both_engines! {
    async fn a_connector_imports_only_for_the_broadcasts_of_its_token(env) {
        let staff = env.akimat(HOST);
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let mut broadcasts = Vec::new();
        for platform in ["VK", "VK", "YOUTUBE"] {
            let add = json!({ "meetingId": meeting, "platform": platform, "url": "https://live.example/" });
            let all = staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"].clone();
            broadcasts.push(id_of(all.as_array().unwrap().last().unwrap()));
        }
        let connector = |more: Value| {
            let mut claims = token_claims("connector", "Connector", &["CONNECTOR"], Some(HOST), env.now());
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            env.with_claims(&claims)
        };
        let import = async |actor: &Actor, broadcast: &str| {
            let comments = json!([{ "externalId": "1", "authorName": "Марат", "body": "Су", "postedAt": env.now() }]);
            let answer = actor
                .try_mutate(
                    "importComments",
                    json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": comments }),
                )
                .await;
            answer["errors"][0]["extensions"]["code"].as_str().map(str::to_owned)
        };
        for (claims, may) in [
            (json!({}), [true, true, true]),
            (json!({ "platform": null, "broadcast": null }), [true, true, true]),
            (json!({ "platform": "VK" }), [true, true, false]),
            (json!({ "broadcast": broadcasts[1] }), [false, true, false]),
            (json!({ "platform": "YOUTUBE", "broadcast": broadcasts[1] }), [false, false, false]),
        ] {
            let actor = connector(claims.clone());
            for (broadcast, may) in broadcasts.iter().zip(may) {
                let expected = (!may).then(|| "FORBIDDEN".to_owned());
                assert_eq!(import(&actor, broadcast).await, expected, "{claims} {broadcast}");
            }
        }
        for claims in [
            json!({ "platform": "ICQ" }),
            json!({ "broadcast": "mtg_00000000000000000000000000" }),
            json!({ "broadcast": 1 }),
        ] {
            let actor = connector(claims.clone());
            assert_eq!(
                import(&actor, &broadcasts[0]).await.as_deref(),
                Some("UNAUTHENTICATED"),
                "{claims}: an invalid restriction must not mean no restriction"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ignores_connector_claims_of_other_roles() {
    let env = TestEnv::start(Engine::Embedded).await;
    let mut claims = token_claims("ana", "Ana", &["CITIZEN"], None, env.now());
    claims["platform"] = json!("ios");
    assert_eq!(env.with_claims(&claims).query("{ viewer { subject } }", json!({})).await["viewer"]["subject"], "ana");
}
