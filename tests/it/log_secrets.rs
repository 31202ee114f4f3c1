//! No passwords, tokens or personal data get into the log, also on the production engines.

use std::path::Path;

use harness::{
    Actor, DATA_KEYS, HOST, Opening, Process, Server, Socket, TcpProxy, WHO, databases,
    external::{anonymous, now, person, settings},
    id_of, readiness, refusal, until,
};
use serde_json::{Value, json};
use tokio::process::Command;

/// Every secret of these tests contains this word.
const CANARY: &str = "canary";
const PHONE: &str = "+77019876543";
const IIN: &str = "920112350176";

/// Returns a URL with a password.
fn with_password(url: &str, password: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("an address");
    let (user, place) = rest.split_once('@').unwrap_or(("", rest));
    format!("{scheme}://{user}:{password}@{place}")
}

/// Starts a Redis that requires a password.
async fn guarded_redis(password: &str) -> Server {
    let redis = Server::redis();
    let client = redis::Client::open(redis.redis_url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut set = redis::cmd("CONFIG");
    let set = set.arg("SET").arg("requirepass").arg(password);
    assert_eq!(set.query_async::<String>(&mut connection).await.unwrap(), "OK");
    redis
}

async fn is_connected(process: &Process) -> bool {
    readiness(&process.ops_host).await.unwrap().1["checks"]["bus"] == true
}

/// Sends invalid `connection_init` messages: malformed, forged and misplaced tokens.
async fn send_invalid_connection_inits(host: &str, token: &str) {
    let forged = format!("{}.canaryforged", token.rsplit_once('.').unwrap().0);
    for authorization in ["Bearer canary.not.atoken".to_owned(), format!("Bearer {forged}"), "canary".to_owned()] {
        let mut socket = Socket::open(host).await;
        socket.send(&json!({ "type": "connection_init", "payload": { "authorization": authorization } })).await;
        assert_eq!(socket.close_code().await, 4403);
    }
    for text in [r#"{"type":"connection_init","payload":"canary"}"#, r#"{"type":"canary"}"#, "canary {"] {
        let mut socket = Socket::open(host).await;
        socket.send_text(text).await;
        assert_eq!(socket.close_code().await, 4400);
    }
}

async fn send_secrets(ana: &Actor, meeting: &str) -> String {
    let mut live = ana.follow_comments(meeting, None, "PUBLIC").await;
    let id = id_of(&ana.post(meeting, "canary-body").await);
    assert_eq!(live.next().await["kind"], "POSTED");
    ana.mutate("postComment", json!({ "meetingId": meeting, "body": "canary-refused".repeat(200) })).await;
    ana.mutate("postComment", json!({ "meetingId": meeting, "body": "x", "idempotencyKey": "canary-key" })).await;
    ana.mutate("postComment", json!({ "meetingId": meeting, "body": "canary", "idempotencyKey": "canary-key" })).await;
    ana.error("{ canaryField(text: \"canary-text\") }", json!({})).await;
    id
}

/// Registers for a reception, and looks at the applicant.
async fn send_personal_data(staff: &Actor, canary: &Actor) {
    let meeting = staff.ended_meeting(HOST, HOST, now() + chrono::TimeDelta::hours(1)).await;
    let opened = staff.mutate("openReception", Opening::default().input(&meeting, now())).await;
    let reception = id_of(&opened["reception"]);
    let secrets = json!({ "name": "canary-name", "topic": "canary-topic", "phone": PHONE, "iin": IIN });
    let registration = id_of(&canary.register(&reception, secrets.clone()).await);
    canary.try_register(&reception, secrets).await;
    canary.try_register(&reception, json!({ "phone": "canary-phone", "iin": "canary-iin" })).await;
    let applicant = "query($id: ID!) { registration(id: $id) { topic applicant { name phone iinMasked } } }";
    let seen = staff.query(applicant, json!({ "id": registration })).await["registration"].clone();
    assert_eq!((&seen["topic"], &seen["applicant"]["name"]), (&json!("canary-topic"), &json!("canary-name")));
    staff.try_on_registration("closeRegistration", &registration, json!({ "outcome": "canary-outcome" })).await;
    canary.on_registration("eraseApplicant", &registration, json!({})).await;
}

/// Registers a webhook whose receiver accepts no connection, and lets an event be sent to it. Returns its secrets.
async fn send_to_a_webhook(staff: &Actor) -> Vec<String> {
    let url = "https://127.0.0.1:1/canary-path?key=canary-url";
    let (webhook, secret) = staff.register_webhook(url).await;
    for refused in
        ["http://127.0.0.1:1/canary", "https://canary:canary@127.0.0.1/", "https://10.0.0.1/canary", "canary"]
    {
        let input = json!({ "webhookId": webhook["id"], "url": refused });
        assert_eq!(refusal(&staff.mutate("updateWebhook", input).await), "INVALID", "{refused}");
    }
    let input = json!({ "webhookId": webhook["id"] });
    assert!(staff.mutate("testWebhook", input.clone()).await["webhook"]["failingSince"].is_string());
    let rotated = staff.mutate("rotateWebhookSecret", input).await["secret"].as_str().unwrap().to_owned();
    staff.raise("canary-title", &[]).await;
    let is_sent =
        |webhook: &Value| webhook["deliveries"]["nodes"][0]["attempts"].as_i64().is_some_and(|count| count > 0);
    until(async || staff.webhooks().await.remove(0), || {}, is_sent).await;
    [secret, rotated].map(|secret| secret.trim_start_matches("whsec_").to_owned()).into()
}

fn check_log(log: &Path, token: &str, more: &[String]) -> String {
    let text = std::fs::read_to_string(log).unwrap();
    let signature = token.rsplit('.').next().expect("a signature");
    let secrets = [CANARY, signature, "7019876543", IIN, "whsec_"].into_iter().chain(more.iter().map(String::as_str));
    let secrets: Vec<_> = secrets.collect();
    for line in text.lines() {
        let is_secret = secrets.iter().any(|secret| line.contains(secret));
        assert!(!is_secret, "{line}");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_no_password_token_text_or_name_in_production() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let redis = guarded_redis("canary-redis").await;
    let (wire, database) = TcpProxy::in_front_of(&databases().await.fresh().await).await;
    let more = [
        ("KEZDESU_DATABASE_URL", with_password(&database, "canary-database")),
        ("KEZDESU_REDIS_URL", with_password(&redis.redis_url(), "canary-redis")),
        ("KEZDESU_ENVIRONMENT", "production".to_owned()),
        ("KEZDESU_WEBHOOK_NETWORKS", "127.0.0.0/8".to_owned()),
    ];
    let settings = settings(dir.path(), &more);
    let program =
        Process::serve_logging(&settings, "trace,sqlx=trace,redis=trace,tungstenite::protocol=trace", &log).await;
    let staff = person(&program.host, "staff", &["AKIMAT", "MODERATOR"]);
    let canary = person(&program.host, "canary-subject", &["CITIZEN"]);
    let token = canary.token.clone().expect("a token");
    until(|| is_connected(&program), || {}, |connected| *connected).await;

    let meeting = staff.live_meeting(HOST, HOST, now() + chrono::TimeDelta::hours(1), "AFTER").await;
    let comment = send_secrets(&canary, &meeting).await;
    staff.mutate("answerComment", json!({ "commentId": comment, "answer": "canary-answer" })).await;
    let url = "query($id: ID!) { meeting(id: $id) { protocolUrl } }";
    let url = staff.query(url, json!({ "id": meeting })).await["meeting"]["protocolUrl"].clone();
    let ticket = url.as_str().and_then(|url| url.split_once("?ticket=")).expect("a ticket").1.to_owned();
    let opened = staff.fetch(&format!("/meetings/{meeting}/protocol?ticket={ticket}"), &[]).await;
    assert_eq!(opened.status, 200);
    send_personal_data(&staff, &canary).await;
    let secrets = send_to_a_webhook(&staff).await;
    send_invalid_connection_inits(&program.host, &token).await;

    // Failures of the database and of Redis are logged with their causes.
    wire.take_down();
    let broken = || async { anonymous(&program.host).send("{ meetings { nodes { id } } }", json!({})).await };
    let internal = |answer: &Value| answer["errors"][0]["extensions"]["code"] == "INTERNAL";
    until(broken, || {}, internal).await;
    let post = json!({ "meetingId": meeting, "body": "canary-lost" });
    assert!(internal(&canary.try_mutate("postComment", post).await));
    wire.restore();
    until(broken, || {}, |answer: &Value| answer.get("errors").is_none()).await;
    redis.signal("KILL");
    until(|| is_connected(&program), || {}, |connected| !connected).await;
    assert_eq!(canary.query(WHO, json!({})).await["viewer"]["subject"], "canary-subject");
    assert!(program.terminate().await);

    let text = check_log(&log, &token, &secrets);
    assert!(!text.contains(&ticket), "the log contains a ticket");
    for said in ["graphql.request", "graphql.subscription", "an operation failed"] {
        assert!(text.contains(said), "the log does not contain {said}");
    }
}

#[tokio::test]
async fn failed_startup_names_the_setting_without_the_password() {
    let dir = tempfile::tempdir().unwrap();
    let wire = TcpProxy::to("127.0.0.1:1").await;
    wire.take_down();
    let database = format!("postgres://postgres:canary-database@{}/test", wire.host());
    let keys = format!("http://keys:canary-keys@{}/jwks?key=canary-query", wire.host());
    for (name, value) in [
        ("KEZDESU_DATABASE_URL", database.as_str()),
        ("KEZDESU_DATABASE_URL", "postgres://postgres:canary-database@[/test"),
        ("KEZDESU_REDIS_URL", "http://:canary-redis@localhost"),
        ("KEZDESU_JWKS", keys.as_str()),
    ] {
        let mut settings = settings(dir.path(), &[("KEZDESU_DATA_KEYS", DATA_KEYS.to_owned())]);
        settings.push((name.to_owned(), value.to_owned()));
        let mut command = Command::new(Process::program());
        command.arg("serve").env_clear().envs(settings).env("KEZDESU_LISTEN", "127.0.0.1:0");
        command.env("KEZDESU_OPS_LISTEN", "127.0.0.1:0").env("KEZDESU_LOG", "trace").kill_on_drop(true);
        let ended = tokio::time::timeout(harness::TIMEOUT, command.output()).await.expect("it exits").unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("kezdesu: {name}: ")) && !said.contains(CANARY), "{said}");
    }
}
