//! Events that are lost between the service and a client: who follows by `prev` and HEARTBEAT ends with everything once and in
//! order; who trusts the stream does not.

use std::time::Duration;

use chrono::TimeDelta;
use harness::{
    Actor, Graph, Loses, Lossy, NodeProcess, Town, Wire, id_of,
    outside::{HOST, now, person, stranger},
    scenes,
};
use serde_json::{Value, json};

/// How many posts come while events are lost.
const LOST: usize = 60;

/// Two who follow the same meeting from one process.
struct Followers {
    process: NodeProcess,
    /// What the follower of the examples has told.
    careful: Vec<Value>,
    /// What came to the one who trusts the stream.
    trustful: Vec<Value>,
}

fn bodies(of: &[Value]) -> Vec<String> {
    of.iter().filter_map(|told| told["body"].as_str()).map(str::to_owned).collect()
}

fn holes(of: &[Value]) -> usize {
    of.iter().filter(|told| told["cut"] == "HOLE").count()
}

impl Followers {
    /// Both, once they follow.
    async fn of(meeting: &str, host: &str) -> Self {
        let process = NodeProcess::talk("gateways/follow.mjs", &[host, meeting]);
        let mut followers = Self { process, careful: Vec::new(), trustful: Vec::new() };
        followers.hear(|all| !all.careful.is_empty() && !all.trustful.is_empty()).await;
        followers
    }

    /// Listens until it is so.
    async fn hear(&mut self, so: impl Fn(&Self) -> bool) {
        while !so(self) {
            let line: Value = serde_json::from_str(&self.process.line().await).expect("JSON");
            let told = if line["who"] == "careful" { &mut self.careful } else { &mut self.trustful };
            told.push(line);
        }
    }

    /// Listens until both have heard of a comment.
    async fn both_hear(&mut self, body: &str) {
        self.hear(|all| [&all.careful, &all.trustful].iter().all(|of| bodies(of).iter().any(|one| one == body))).await;
    }

    /// Listens until the careful one has heard of a comment, while the town's time passes.
    async fn careful_hears_in(&mut self, town: &Town, body: &str) {
        let mut heard = std::pin::pin!(self.hear(|all| bodies(&all.careful).iter().any(|one| one == body)));
        // Not a wait for anything: it only paces the clock.
        while tokio::time::timeout(Duration::from_millis(25), &mut heard).await.is_err() {
            town.pass(TimeDelta::seconds(1));
        }
    }

    /// Everything came to the careful one once and in order, and not to the other.
    fn prove(&self, posted: &[String]) {
        assert_eq!(bodies(&self.careful), posted);
        let seqs: Vec<i64> = self.careful.iter().filter_map(|told| told["seq"].as_i64()).collect();
        assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
        let trusted = bodies(&self.trustful);
        assert!(trusted.len() < posted.len(), "the control missed nothing, so nothing was shown");
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

/// Followers behind a gateway that has lost something.
struct Loss {
    followers: Followers,
    posted: Vec<String>,
    meeting: String,
    ana: Actor,
    _gateway: Lossy,
}

impl Loss {
    /// Follows through a gateway that keeps `room` events for a slow client, until both are slow no longer.
    async fn of(town: &Town, room: usize, loses: Loses) -> Self {
        let (staff, ana) = (town.akimat(HOST), town.citizen("Ana"));
        let meeting = staff.live_meeting(HOST, HOST, town.now(), "AFTER").await;
        let gateway = Lossy::before(&town.stranger().host, room, loses).await;
        let mut followers = Followers::of(&meeting, &gateway.host).await;
        let posted = texts(LOST + 1);
        // Only who has seen an event is sure to be subscribed.
        post(&ana, &meeting, &posted[..1]).await;
        followers.both_hear(&posted[0]).await;
        gateway.slow_down();
        post(&ana, &meeting, &posted[1..]).await;
        gateway.came(2 * LOST).await;
        gateway.speed_up();
        Self { followers, posted, meeting, ana, _gateway: gateway }
    }

    /// Once both have heard of one more comment: everything came to the careful one, who saw one hole, and little to the other.
    async fn mends(mut self, room: usize) {
        self.posted.push("Соңы".to_owned());
        self.ana.post(&self.meeting, "Соңы").await;
        self.followers.both_hear("Соңы").await;
        self.followers.prove(&self.posted);
        assert_eq!(holes(&self.followers.careful), 1, "{:?}", self.followers.careful);
        assert_eq!(bodies(&self.followers.trustful).len(), 1 + room + 1);
    }
}

scenes! {
    async fn who_sees_a_hole_resumes_after_what_was_seen(town) {
        Loss::of(&town, 8, Loses::Oldest).await.mends(8).await;
    }

    async fn where_nothing_follows_the_heartbeat_tells(town) {
        let mut loss = Loss::of(&town, 8, Loses::Newest).await;
        let last = loss.posted[LOST].clone();
        loss.followers.careful_hears_in(&town, &last).await;
        loss.mends(8).await;
    }
}

/// A gateway begins a subscription anew by itself where its own connection breaks, with the variables of its beginning.
#[tokio::test]
async fn what_hive_gateway_loses_when_its_connection_breaks_is_resumed() {
    let graph = Graph::start(&[]).await;
    let wire = Wire::to(&graph.kezdesu.host).await;
    let gateway = graph.hive_gateway_to(&wire.host()).await;
    let (_, meeting) = graph.live_meeting("AFTER").await;
    let ana = person(&graph.kezdesu.host, "ana", &["CITIZEN"]);
    let mut followers = Followers::of(&meeting, &gateway.host).await;
    let mut posted = texts(11);
    post(&ana, &meeting, &posted[..1]).await;
    followers.both_hear(&posted[0]).await;
    wire.cut();
    post(&ana, &meeting, &posted[1..]).await;
    wire.mend();
    followers.hear(|all| all.trustful.iter().filter(|told| told["kind"] == "SUBSCRIBED").count() == 2).await;
    posted.push("Соңы".to_owned());
    ana.post(&meeting, "Соңы").await;
    followers.both_hear("Соңы").await;
    followers.prove(&posted);
    assert_eq!(bodies(&followers.trustful), ["Сұрақ 0", "Соңы"]);
}

/// Follows as somebody who reads nothing until everything has passed the gateway, and by the rule from then on. Everything
/// comes once and in order; gives how many holes were met on the way.
pub(crate) async fn holes_of_a_slow_reader(graph: &Graph, gateway: &str) -> usize {
    const EVENTS: i64 = 1_000;
    let (staff, meeting) = graph.live_meeting("AFTER").await;
    // An event of 60 kB: a few hundred of them are more than the buffers of a connection hold.
    let large: String = (0..30).map(|n| format!("b{n}: body ")).collect();
    let query = format!(
        "subscription($id: ID!, $after: Int) {{ comments(meetingId: $id, after: $after) {{ seq prev kind comment {{ {large} }} }} }}"
    );
    let stranger = stranger(gateway);
    let follow = async |after: i64| stranger.follow(&query, json!({ "id": meeting, "after": after })).await;
    let position = |event: &Value, name: &str| event[name].as_i64().expect("a position");
    let (mut slow, mut other) = (follow(0).await, follow(0).await);
    for live in [&mut slow, &mut other] {
        assert_eq!(live.next().await["kind"], "SUBSCRIBED");
    }
    import(graph, &staff, &meeting, EVENTS).await;
    while position(&other.next().await, "seq") < EVENTS {}
    let (mut seen, mut holes) = (0, 0);
    while seen < EVENTS {
        let event = slow.next().await;
        let (seq, prev) = (position(&event, "seq"), position(&event, "prev"));
        if prev > seen {
            holes += 1;
            slow = follow(seen).await;
        } else if seq > seen {
            assert_eq!(seq, seen + 1);
            seen = seq;
        }
    }
    holes
}

/// Brings so many long comments from a broadcast.
async fn import(graph: &Graph, staff: &Actor, meeting: &str, count: i64) {
    let add = json!({ "meetingId": meeting, "platform": "VK", "url": "https://vk.example/1" });
    let broadcast = id_of(&staff.act("addBroadcast", add).await["meeting"]["broadcasts"][0]);
    let connector = person(&graph.kezdesu.host, "connector", &["CONNECTOR"]);
    let body = "Жол ".repeat(240);
    let comments: Vec<_> = (0..count)
        .map(|n| json!({ "externalId": n.to_string(), "authorName": "М", "body": format!("{body}{n}"), "postedAt": now() }))
        .collect();
    for part in comments.chunks(250) {
        let import = json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": part });
        let payload = connector.act("importComments", import).await;
        assert_eq!(payload["imported"], part.len(), "{payload}");
    }
}

/// It keeps everything for a slow reader, in its memory.
#[tokio::test]
async fn a_slow_reader_behind_hive_gateway_ends_with_everything() {
    let graph = Graph::start(&[]).await;
    let gateway = graph.hive_gateway().await;
    assert_eq!(holes_of_a_slow_reader(&graph, &gateway.host).await, 0);
}
