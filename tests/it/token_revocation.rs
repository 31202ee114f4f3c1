//! Revoked tokens, also on open connections.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use harness::{
    Actor, Engine, HOST, Process, TestEnv, Tokens,
    external::{now, person, settings_on},
    on_both_engines, token_claims,
};
use kezdesu::service::revoke_tokens;
use serde_json::json;
use tokio::process::Command;

async fn withdraw(env: &TestEnv, subject: &str) {
    let tx = env.service(0).app().store.begin().await.unwrap();
    tx.revoke_tokens(subject, env.now()).await.unwrap();
    tx.commit().await.unwrap();
}

on_both_engines! {
    async fn revoked_tokens_end_their_connections_on_every_replica(env) {
        let mut env = env;
        let second = env.replica().await;
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let claims = token_claims("mod", "Mod", &["MODERATOR"], Some(HOST), env.now());
        let gone = env.with_claims(&claims);
        let there = gone.at(env.host(second));
        let stays = env.moderator(HOST);
        let mut open = gone.follow_comments(&meeting, None, "MODERATION").await;
        let mut far = there.follow_comments(&meeting, None, "MODERATION").await;
        let query = json!({ "query": format!("subscription {{ comments(meetingId: \"{meeting}\", view: MODERATION) {{ seq }} }}") });
        let mut events = gone.request().header("accept", "text/event-stream").json(&query).send().await.unwrap();
        events.chunk().await.unwrap().unwrap();
        let mut kept = stays.follow_comments(&meeting, None, "MODERATION").await;
        ana.post(&meeting, "Бірінші").await;
        for live in [&mut open, &mut far, &mut kept] {
            assert_eq!(live.next_event_in(&env).await["comment"]["body"], "Бірінші");
        }
        withdraw(&env, "mod").await;
        assert_eq!(open.close_code_in(&env).await, 4403);
        assert_eq!(far.close_code_in(&env).await, 4403);
        while events.chunk().await.unwrap().is_some() {}
        assert!(
            gone.send("{ viewer { subject } }", json!({})).await["errors"].is_array(),
            "the token is rejected on new requests"
        );
        ana.post(&meeting, "Екінші").await;
        assert_eq!(kept.next_event_in(&env).await["comment"]["body"], "Екінші", "other connections continue");
        env.advance(TimeDelta::seconds(1));
        let again = env.with_claims(&token_claims("mod", "Mod", &["CITIZEN"], None, env.now()));
        let known = again.query("{ viewer { roles } }", json!({})).await;
        assert_eq!(known["viewer"]["roles"], json!(["CITIZEN"]), "a newer token is accepted");
        let replica = env.replica().await;
        let refused = gone.at(env.host(replica)).send("{ viewer { subject } }", json!({})).await;
        assert!(refused["errors"].is_array(), "a new replica knows the revocation");
    }
}

/// For issuers that omit the time of issue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_without_iat_counts_as_issued_before() {
    let env = TestEnv::start(Engine::Embedded).await;
    let mut claims = token_claims("ana", "Ana", &["CITIZEN"], None, env.now());
    claims.as_object_mut().unwrap().remove("iat");
    let ana = env.with_claims(&claims);
    let mut live = ana.follow("subscription { meetings { kind } }", json!({})).await;
    assert_eq!(live.next().await["kind"], "SUBSCRIBED");
    withdraw(&env, "ana").await;
    assert_eq!(live.close_code_in(&env).await, 4403);
}

/// Tokens may have been issued slightly in the future, since the signer's clock may be ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocation_covers_clock_skew_and_accepts_new_tokens_after_the_wait() {
    let env = TestEnv::start(Engine::Embedded).await;
    let issued = |at| env.with_claims(&token_claims("ana", "Ana", &["CITIZEN"], None, at));
    let who = "{ viewer { subject } }";
    let used = issued(env.now() + TimeDelta::seconds(30));
    assert_eq!(used.query(who, json!({})).await["viewer"]["subject"], "ana");
    let mut live = used.follow("subscription { meetings { kind } }", json!({})).await;
    assert_eq!(live.next().await["kind"], "SUBSCRIBED");
    env.advance(TimeDelta::milliseconds(400));
    let app = env.service(0).app();
    let revocation = revoke_tokens(&app.store, app.clock.as_ref(), "ana").await.unwrap();
    assert_eq!(live.close_code_in(&env).await, 4403);
    env.advance(revocation.wait);
    assert_eq!(used.error(who, json!({})).await, "UNAUTHENTICATED");
    assert_eq!(issued(env.now()).query(who, json!({})).await["viewer"]["subject"], "ana");
}

async fn by_command(engine: Engine) {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings_on(dir.path(), engine).await;
    let program = Process::serve(&settings).await;
    let ana: Actor = person(&program.host, "ana", &["CITIZEN"]);
    let mut live = ana.follow("subscription { meetings { kind } }", json!({})).await;
    assert_eq!(live.next().await["kind"], "SUBSCRIBED");
    let mut command = Command::new(Process::program());
    let args = ["revoke-tokens", "--subject", "ana", "--no-wait"];
    let done = command.args(args).envs(settings).output().await.unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stdout).starts_with("tokens issued to ana up to 2"));
    let told = Instant::now();
    assert_eq!(live.socket.close_code().await, 4403);
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    // From a signer whose clock is ahead, so it may have been issued before the revocation.
    let ahead = token_claims("ana", "Ana", &["CITIZEN"], Some(HOST), now() + TimeDelta::seconds(20));
    let ahead = Actor::with_token(&program.host, Tokens.sign(&ahead));
    assert_eq!(ahead.error("{ viewer { subject } }", json!({})).await, "UNAUTHENTICATED");
    assert!(program.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_revoke_command_works_while_the_service_runs_embedded() {
    by_command(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_revoke_command_works_while_the_service_runs_production() {
    by_command(Engine::Production).await;
}
