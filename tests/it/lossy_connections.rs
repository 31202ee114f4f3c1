//! Events lost between the service and a client: a client that checks `prev` and HEARTBEAT recovers everything once
//! and in order, a naive one does not.

use std::time::Duration;

use chrono::TimeDelta;
use harness::{
    Actor, DropPolicy, EventStream, Graph, HOST, LossyGateway, NodeProcess, Subscription, TcpProxy, TestEnv,
    external::{anonymous, now, person},
    id_of, on_both_engines,
};
use serde_json::{Value, json};

/// Posts made while events are dropped.
const LOST: usize = 60;

/// Two clients of one meeting in one process.
struct Followers {
    process: NodeProcess,
    /// Reports of the example follower.
    careful: Vec<Value>,
    /// Reports of the naive client.
    trustful: Vec<Value>,
}

fn bodies(of: &[Value]) -> Vec<String> {
    of.iter().filter_map(|told| told["body"].as_str()).map(str::to_owned).collect()
}

fn gaps(of: &[Value]) -> usize {
    of.iter().filter(|told| told["cut"] == "HOLE").count()
}

impl Followers {
    /// Starts both, and waits until they are subscribed.
    async fn of(meeting: &str, host: &str) -> Self {
        let process = NodeProcess::talk("gateways/follow.mjs", &[host, meeting]);
        let mut followers = Self { process, careful: Vec::new(), trustful: Vec::new() };
        followers.receive(|all| !all.careful.is_empty() && !all.trustful.is_empty()).await;
        followers
    }

    /// Reads reports until the condition holds.
    async fn receive(&mut self, so: impl Fn(&Self) -> bool) {
        while !so(self) {
            let line: Value = serde_json::from_str(&self.process.line().await).expect("JSON");
            let told = if line["who"] == "careful" { &mut self.careful } else { &mut self.trustful };
            told.push(line);
        }
    }

    /// Reads reports until both have received a comment.
    async fn both_receive(&mut self, body: &str) {
        self.receive(|all| [&all.careful, &all.trustful].iter().all(|of| bodies(of).iter().any(|one| one == body)))
            .await;
    }

    /// Reads reports until the careful client has received a comment, and advances the clock while waiting.
    async fn careful_receives_in(&mut self, env: &TestEnv, body: &str) {
        let mut heard = std::pin::pin!(self.receive(|all| bodies(&all.careful).iter().any(|one| one == body)));
        // Only paces the clock.
        while tokio::time::timeout(Duration::from_millis(25), &mut heard).await.is_err() {
            env.advance(TimeDelta::seconds(1));
        }
    }

    /// Checks that the careful client received everything once and in order, and that the naive one did not.
    fn check_recovery(&self, posted: &[String]) {
        assert_eq!(bodies(&self.careful), posted);
        let seqs: Vec<i64> = self.careful.iter().filter_map(|told| told["seq"].as_i64()).collect();
        assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
        let trusted = bodies(&self.trustful);
        assert!(trusted.len() < posted.len(), "the control missed nothing, so the test proves nothing");
    }
}

async fn post(ana: &Actor, meeting: &str, bodies: &[String]) {
    for body in bodies {
        ana.post(meeting, body).await;
    }
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("Сұрақ {n}")).collect()
}

/// Clients behind a gateway that dropped events.
struct Loss {
    followers: Followers,
    posted: Vec<String>,
    meeting: String,
    ana: Actor,
    _gateway: LossyGateway,
}

impl Loss {
    /// Subscribes through a gateway that buffers `capacity` events for a slow client, and drops the rest while both are
    /// slow.
    async fn of(env: &TestEnv, capacity: usize, loses: DropPolicy) -> Self {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let gateway = LossyGateway::before(&env.anonymous().host, capacity, loses).await;
        let mut followers = Followers::of(&meeting, &gateway.host).await;
        let posted = texts(LOST + 1);
        // The first event confirms the subscription.
        post(&ana, &meeting, &posted[..1]).await;
        followers.both_receive(&posted[0]).await;
        gateway.slow_down();
        post(&ana, &meeting, &posted[1..]).await;
        gateway.came(2 * LOST).await;
        gateway.speed_up();
        Self { followers, posted, meeting, ana, _gateway: gateway }
    }

    /// Posts once more, and checks that the careful client recovered everything across one gap, and the naive one
    /// did not.
    async fn check_recovered(mut self, capacity: usize) {
        self.posted.push("Соңы".to_owned());
        self.ana.post(&self.meeting, "Соңы").await;
        self.followers.both_receive("Соңы").await;
        self.followers.check_recovery(&self.posted);
        assert_eq!(gaps(&self.followers.careful), 1, "{:?}", self.followers.careful);
        assert_eq!(bodies(&self.followers.trustful).len(), 1 + capacity + 1);
    }
}

on_both_engines! {
    async fn a_gap_in_prev_makes_the_client_resume(env) {
        Loss::of(&env, 8, DropPolicy::Oldest).await.check_recovered(8).await;
    }

    async fn a_heartbeat_reveals_a_lost_last_event(env) {
        let mut loss = Loss::of(&env, 8, DropPolicy::Newest).await;
        let last = loss.posted[LOST].clone();
        loss.followers.careful_receives_in(&env, &last).await;
        loss.check_recovered(8).await;
    }
}

/// A gateway resubscribes with the original variables when its own connection breaks.
#[tokio::test]
async fn events_lost_when_hive_gateway_reconnects_are_resumed() {
    let graph = Graph::start(&[]).await;
    let wire = TcpProxy::to(&graph.kezdesu.host).await;
    let gateway = graph.hive_gateway_to(&wire.host()).await;
    let (_, meeting) = graph.live_meeting("AFTER").await;
    let ana = person(&graph.kezdesu.host, "ana", &["CITIZEN"]);
    let mut followers = Followers::of(&meeting, &gateway.host).await;
    let mut posted = texts(11);
    post(&ana, &meeting, &posted[..1]).await;
    followers.both_receive(&posted[0]).await;
    wire.take_down();
    post(&ana, &meeting, &posted[1..]).await;
    wire.restore();
    followers.receive(|all| all.trustful.iter().filter(|told| told["kind"] == "SUBSCRIBED").count() == 2).await;
    posted.push("Соңы".to_owned());
    ana.post(&meeting, "Соңы").await;
    followers.both_receive("Соңы").await;
    followers.check_recovery(&posted);
    assert_eq!(bodies(&followers.trustful), ["Сұрақ 0", "Соңы"]);
}

/// Events sent to a client that does not read. Each has 60 kB, so together they exceed the buffers of gateways and
/// connections.
const PASS: i64 = 1_000;

/// The transport of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    ServerSentEvents,
}

enum Stream {
    Subscription(Subscription),
    EventStream(EventStream),
}

/// A client that applies the rules of the contract.
struct Reader {
    who: Actor,
    transport: Transport,
    meeting: String,
    stream: Stream,
    seen: i64,
    gaps: usize,
}

impl Reader {
    /// Subscribes through a gateway.
    async fn of(gateway: &str, transport: Transport, meeting: &str) -> Self {
        let who = anonymous(gateway);
        let stream = Self::follow(&who, transport, meeting, 0).await;
        let mut reader = Self { who, transport, meeting: meeting.to_owned(), stream, seen: 0, gaps: 0 };
        // SUBSCRIBED confirms the subscription.
        assert_eq!(reader.event().await.expect("the subscription starts")["kind"], "SUBSCRIBED");
        reader
    }

    async fn follow(who: &Actor, transport: Transport, meeting: &str, after: i64) -> Stream {
        let large: String = (0..30).map(|n| format!("b{n}: body ")).collect();
        let query = format!(
            "subscription($id: ID!, $after: Int) {{ comments(meetingId: $id, after: $after) {{ seq prev kind comment {{ {large} }} }} }}"
        );
        let variables = json!({ "id": meeting, "after": after });
        match transport {
            Transport::WebSocket => Stream::Subscription(who.follow(&query, variables).await),
            Transport::ServerSentEvents => Stream::EventStream(EventStream::of(who, &query, variables).await),
        }
    }

    async fn event(&mut self) -> Option<Value> {
        match &mut self.stream {
            Stream::Subscription(live) => live.try_next().await,
            Stream::EventStream(events) => events.try_next().await,
        }
    }

    /// Reads until every event has arrived once and in order, and resumes at a gap or a disconnect.
    async fn reads_everything(&mut self) {
        while self.seen < PASS {
            let event = self.event().await;
            let position = |name: &str| event.as_ref().map(|event| event[name].as_i64().expect("a position"));
            let gap = position("prev").is_some_and(|prev| prev > self.seen);
            self.gaps += usize::from(gap);
            match position("seq") {
                Some(seq) if !gap && seq > self.seen => {
                    assert_eq!(seq, self.seen + 1);
                    self.seen = seq;
                }
                Some(_) if !gap => {}
                _ => self.stream = Self::follow(&self.who, self.transport, &self.meeting, self.seen).await,
            }
        }
    }
}

/// Subscribes without reading until everything has passed the gateway, then reads by the rules. Checks that
/// everything arrives once and in order, and returns the number of gaps.
pub(crate) async fn gaps_of_a_slow_reader(graph: &Graph, gateway: &str, transport: Transport) -> usize {
    let (staff, meeting) = graph.live_meeting("AFTER").await;
    let mut slow = Reader::of(gateway, transport, &meeting).await;
    let mut other = Reader::of(gateway, Transport::WebSocket, &meeting).await;
    import(graph, &staff, &meeting, PASS).await;
    other.reads_everything().await;
    slow.reads_everything().await;
    slow.gaps
}

/// Imports this many long comments.
async fn import(graph: &Graph, staff: &Actor, meeting: &str, count: i64) {
    let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
    let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
    let connector = person(&graph.kezdesu.host, "connector", &["CONNECTOR"]);
    let body = "Жол ".repeat(240);
    let comments: Vec<_> = (0..count)
        .map(|n| json!({ "externalId": n.to_string(), "authorName": "М", "body": format!("{body}{n}"), "postedAt": now() }))
        .collect();
    for part in comments.chunks(250) {
        let import = json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": part });
        let payload = connector.mutate("importComments", import).await;
        assert_eq!(payload["imported"], part.len(), "{payload}");
    }
}

/// Hive Gateway buffers everything for a slow reader in memory.
#[tokio::test]
async fn a_slow_reader_behind_hive_gateway_receives_everything() {
    let graph = Graph::start(&[]).await;
    let gateway = graph.hive_gateway().await;
    assert_eq!(gaps_of_a_slow_reader(&graph, &gateway.host, Transport::WebSocket).await, 0);
}
