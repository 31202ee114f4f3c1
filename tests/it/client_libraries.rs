//! Popular client libraries: each follows a live meeting across disconnects and receives everything once and in
//! order.

use chrono::TimeDelta;
use harness::{Actor, Engine, HOST, NodeProcess, TIMEOUT, TcpProxy, TestEnv, node, token_claims};
use serde_json::{Value, json};

/// A client in its own process.
struct Client {
    process: NodeProcess,
    /// Every event with a comment that it received.
    events: Vec<Value>,
    /// Number of connections.
    connected: usize,
}

impl Client {
    fn start(script: &str, args: &[&str]) -> Self {
        Self { process: NodeProcess::talk(script, args), events: Vec::new(), connected: 0 }
    }

    /// Returns its next report.
    async fn receive(&mut self) -> Value {
        let said: Value = serde_json::from_str(&self.process.line().await).expect("JSON");
        if said.get("connected").is_some() {
            self.connected += 1;
        }
        if said["event"]["comment"].is_object() {
            self.events.push(said["event"].clone());
        }
        said
    }

    /// Returns its next report that matches.
    async fn receive_until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let said = self.receive().await;
            if wanted(&said) {
                return said;
            }
        }
    }

    /// Returns its next report that matches, and advances the clock by a second at a time while waiting.
    async fn receive_in(&mut self, env: &TestEnv, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut heard = std::pin::pin!(self.receive_until(wanted));
        for _ in 0..1_200 {
            // Only paces the clock.
            if let Ok(said) = tokio::time::timeout(std::time::Duration::from_millis(25), &mut heard).await {
                return said;
            }
            env.advance(TimeDelta::seconds(1));
        }
        panic!("no report in twenty minutes of test time");
    }

    async fn shown(&mut self, count: usize) {
        while self.events.len() < count {
            self.receive().await;
        }
    }
}

/// A live meeting with one citizen, and a proxy to the service.
struct Fixture {
    env: TestEnv,
    ana: Actor,
    meeting: String,
    wire: TcpProxy,
}

async fn fixture(settings: &[(&str, &str)]) -> Fixture {
    let env = TestEnv::with(Engine::Embedded, settings).await;
    let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let wire = TcpProxy::to(&env.host(0)).await;
    Fixture { env, ana, meeting, wire }
}

/// Posts while the client follows, and disconnects it three times with events in flight.
async fn resumes_after_disconnects(fixture: &Fixture, client: &mut Client) {
    let before = client.connected;
    let known = usize::try_from(fixture.ana.meeting(&fixture.meeting).await["commentsHead"].as_u64().unwrap()).unwrap();
    for round in 0..4 {
        for n in 0..5 {
            fixture.ana.post(&fixture.meeting, &format!("Сұрақ {round}.{n}")).await;
        }
        client.shown(known + round * 5 + 3).await;
        if round < 3 {
            fixture.wire.disconnect_all();
        }
    }
    client.shown(known + 20).await;
    let listed = fixture.ana.comments(&fixture.meeting, json!({})).await;
    assert_eq!(client.events.len(), listed.len(), "every event exactly once");
    for (place, (event, comment)) in client.events.iter().zip(&listed).enumerate() {
        assert_eq!((&event["prev"], &event["seq"]), (&json!(place), &json!(place + 1)), "in order and without gaps");
        assert_eq!(event["comment"]["body"], comment["body"]);
    }
    assert!(client.connected - before >= 3, "it reconnected after each disconnect: {}", client.connected);
}

/// Checks what an app does before it subscribes: it reads, gets a refusal, and posts.
async fn reads_and_posts(fixture: &Fixture, client: &mut Client) {
    let meeting = client.receive_until(|said| said["meeting"].is_object()).await;
    assert_eq!(meeting["meeting"]["id"], json!(fixture.meeting));
    assert_eq!(
        (&meeting["meeting"]["title"]["ru"], &meeting["meeting"]["viewerCanPost"]),
        (&json!("Встреча"), &json!(true))
    );
    let refused = client.receive().await["refused"].clone();
    assert_eq!(refused["refusal"]["code"], "TOO_LONG", "{refused}");
    assert!(refused["comment"].is_null() && !refused["refusal"]["message"].as_str().unwrap().is_empty(), "{refused}");
    let taken = client.receive().await["taken"].clone();
    assert!(taken["refusal"].is_null() && taken["comment"]["body"] == "Қолданбадан", "{taken}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_graphql_http_audits() {
    let env = TestEnv::start(Engine::Embedded).await;
    let results: Vec<Value> = serde_json::from_str(&node("clients/audits.mjs", &[&env.host(0)]).await).unwrap();
    assert_eq!(results.len(), 61, "all audits of the installed version ran");
    let found: Vec<_> = results.iter().filter(|result| result["status"] != "ok").collect();
    assert!(found.is_empty(), "{} of {} audits failed: {found:#?}", found.len(), results.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graphql_ws_resumes_after_disconnects() {
    let fixture = fixture(&[]).await;
    let mut client = Client::start("clients/graphql-ws.mjs", &[&fixture.meeting, &fixture.wire.host()]);
    resumes_after_disconnects(&fixture, &mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graphql_ws_reconnects_with_a_new_token_and_after_a_restart() {
    let Fixture { mut env, ana, meeting, .. } = fixture(&[]).await;
    let second = env.replica().await;
    let hosts = [env.host(0), env.host(second)];
    let tokens = tokens_for(&env, TimeDelta::minutes(1));
    let mut client = Client::start("clients/graphql-ws.mjs", &[&meeting, &hosts.join(","), &tokens]);
    ana.post(&meeting, "Бірінші").await;
    client.shown(1).await;
    client.receive_in(&env, |said| said["closed"] == 4403).await;
    ana.post(&meeting, "Екінші").await;
    client.shown(2).await;
    let (closed, ()) = tokio::join!(client.receive_until(|said| said["closed"].is_number()), env.stop(0));
    assert_eq!(closed["closed"], 1012);
    assert!(closed["reason"].as_str().unwrap().contains("retryAfterMs"), "{closed}");
    ana.at(hosts[1].clone()).post(&meeting, "Үшінші").await;
    client.shown(3).await;
    assert_eq!(client.connected, 3);
    for (place, event) in client.events.iter().enumerate() {
        assert_eq!((&event["prev"], &event["seq"]), (&json!(place), &json!(place + 1)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graphql_sse_resumes_after_disconnects() {
    let fixture = fixture(&[]).await;
    let mut client = Client::start("clients/graphql-sse.mjs", &[&fixture.meeting, &fixture.wire.host()]);
    resumes_after_disconnects(&fixture, &mut client).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn urql_reads_posts_and_resumes_after_disconnects() {
    app_resumes("clients/urql.mjs", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apollo_client_resumes_over_multipart_after_disconnects() {
    app_resumes("clients/apollo.mjs", &["multipart"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apollo_client_resumes_over_websocket_after_disconnects() {
    app_resumes("clients/apollo.mjs", &["websocket"]).await;
}

async fn app_resumes(script: &str, more: &[&str]) {
    let fixture = fixture(&[]).await;
    let (host, wire) = (fixture.env.host(0), fixture.wire.host());
    let bek = fixture.env.citizen("Bek").token.expect("a token");
    let mut client = Client::start(script, &[&[fixture.meeting.as_str(), &host, &wire, &bek], more].concat());
    reads_and_posts(&fixture, &mut client).await;
    resumes_after_disconnects(&fixture, &mut client).await;
}

/// Returns two tokens of one person: one that expires soon, and one that lasts.
fn tokens_for(env: &TestEnv, first: TimeDelta) -> String {
    let lasting = token_claims("bek", "Bek", &["CITIZEN"], None, env.now());
    let mut ending = lasting.clone();
    ending["exp"] = json!((env.now() + first).timestamp());
    [ending, lasting].map(|claims| env.tokens.sign(&claims)).join(",")
}

/// The example follower behind a gateway that drops some events once and duplicates the others.
struct Follower {
    client: Client,
    /// The positions of all changes after the list.
    seqs: Vec<i64>,
}

impl Follower {
    /// Returns the change at this position, and advances the clock while waiting.
    async fn reach(&mut self, env: &TestEnv, seq: i64) -> Value {
        loop {
            let said = self.client.receive_in(env, |said| said["seq"].is_number() || !said["thrown"].is_null()).await;
            assert!(said["thrown"].is_null(), "{said}");
            if said["kind"] != "LISTED" {
                self.seqs.push(said["seq"].as_i64().unwrap());
            }
            if said["seq"] == seq {
                return said;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn example_follower_receives_everything_once() {
    let Fixture { mut env, ana, meeting, wire } = fixture(&[("KEZDESU_KEEP_EVENTS", "100")]).await;
    let second = env.replica().await;
    let replica = env.host(second);
    let hosts = format!("{},{replica}", wire.host());
    let tokens = tokens_for(&env, TimeDelta::minutes(10));
    let client = Client::start("clients/follower.mjs", &[&meeting, &hosts, &tokens, "4,9,12"]);
    let mut follower = Follower { client, seqs: Vec::new() };
    follower.client.receive_until(|said| said["kind"] == "LISTED").await;
    // A loss in the middle is revealed by the next event, a loss at the end by a heartbeat.
    let mut posted = Vec::new();
    for n in 1..=12 {
        posted.push(harness::id_of(&ana.post(&meeting, &format!("Сұрақ {n}")).await));
    }
    follower.reach(&env, 12).await;
    for seq in [14, 16] {
        wire.disconnect_all();
        ana.post(&meeting, &format!("Сұрақ {seq}a")).await;
        ana.post(&meeting, &format!("Сұрақ {seq}b")).await;
        follower.reach(&env, seq).await;
    }
    env.moderator(HOST).moderate("HIDE", &[&posted[3]]).await;
    assert_eq!(follower.reach(&env, 17).await["kind"], "REMOVED");
    assert_eq!(follower.seqs, (1..=17).collect::<Vec<_>>(), "every event once and in order");

    follower.client.receive_in(&env, |said| said["renewed"] == 1).await;
    ana.post(&meeting, "Жаңа таңбамен").await;
    follower.reach(&env, 18).await;

    // Disconnected for so long that the missed events are no longer kept.
    wire.take_down();
    for n in 0..130 {
        env.citizen(&format!("Many {n}")).post(&meeting, &format!("Көп {n}")).await;
    }
    let forgotten = async {
        while env.anonymous().begin_comments(&meeting, Some(18), "PUBLIC").await.next().await["recovered"] != false {
            env.advance(TimeDelta::minutes(1));
        }
    };
    tokio::time::timeout(TIMEOUT, forgotten).await.expect("old events are trimmed");
    wire.restore();
    let listed = follower.client.receive_until(|said| said["kind"] == "LISTED").await;
    assert_eq!((&listed["seq"], &listed["count"]), (&json!(148), &json!(146)), "{listed}");

    tokio::join!(follower.client.receive_until(|said| said["closed"] == 1012), env.stop(0));
    let there = ana.at(replica);
    there.post(&meeting, "Соңы").await;
    let shown = follower.client.receive_in(&env, |said| said["shown"].is_array()).await["shown"].clone();
    let listed = env.anonymous().comments(&meeting, json!({})).await;
    let kept = |comment: &Value| (comment["id"].clone(), comment["body"].clone(), comment["state"].clone());
    let shown: Vec<_> = shown.as_array().unwrap().iter().map(kept).collect();
    assert_eq!(shown, listed.iter().map(kept).collect::<Vec<_>>(), "the model equals the list");
    assert!(shown.len() > 140 && shown.iter().all(|(id, ..)| *id != json!(posted[3])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn example_follower_stops_on_permanent_errors() {
    let Fixture { env, wire, meeting, .. } = fixture(&[]).await;
    let tokens = tokens_for(&env, TimeDelta::days(1));
    let unknown = format!("{}0", &meeting[..meeting.len() - 1]);
    for (id, end) in [(unknown.as_str(), "there is no meeting"), ("no identity", "BAD_USER_INPUT")] {
        let mut client = Client::start("clients/follower.mjs", &[id, &wire.host(), &tokens, ""]);
        let thrown = client.receive_until(|said| said["thrown"].is_string()).await;
        assert!(thrown.to_string().contains(end), "{thrown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generates_types_from_the_served_schema() {
    let env = TestEnv::start(Engine::Embedded).await;
    let file = harness::checkout().join("api/schema.graphql");
    let of_file = node("codegen/generate.mjs", &[file.to_str().unwrap()]).await;
    let served = format!("http://{}/graphql/schema", env.host(0));
    let of_service = node("codegen/generate.mjs", &[&served]).await;
    assert!(of_file.contains("export type PostCommentMutation = "), "{of_file}");
    assert_eq!(of_service, of_file, "the served schema equals the checked-in one");
    let types: usize = node("codegen/strict.mjs", &[&served]).await.parse().unwrap();
    assert!(types > 60, "strict generation reads all types: {types}");
}
