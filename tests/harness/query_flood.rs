//! A flood of expensive queries from one address, while people at other addresses post.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{Actor, Process, Socket, external};

/// Address of the flood, as forwarded by a proxy.
const ATTACKER: &str = "198.51.100.1";
/// Number of HTTP clients and of sockets that send it.
const CLIENTS: usize = 8;
const SOCKETS: usize = 4;
/// Concurrent operations of each socket.
const AT_ONCE: usize = 10;

/// Responses that the attackers received.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Operations that were run.
    pub answered: u64,
    /// Operations rejected as `RATE_LIMITED`.
    pub refused: u64,
    /// Any other response.
    pub others: Vec<String>,
}

/// Length of a body that holds data. It is not parsed: attackers must not take the processor from those who are
/// measured.
const DATA: usize = 4 << 10;

/// Errors stand behind the data.
const ERRORS: &[u8] = b"\"errors\"";

/// Returns whether a body is long and holds no errors.
fn holds_data(body: &[u8]) -> bool {
    let end = &body[body.len().saturating_sub(DATA / 4)..];
    body.len() >= DATA && !end.windows(ERRORS.len()).any(|part| part == ERRORS)
}

impl Tally {
    fn count_body(&mut self, body: &[u8]) {
        if holds_data(body) {
            self.answered += 1;
        } else {
            self.count(&serde_json::from_slice(body).expect("JSON"));
        }
    }

    fn count(&mut self, answer: &Value) {
        match answer["errors"][0]["extensions"]["code"].as_str() {
            None if answer["data"].is_object() => self.answered += 1,
            Some("RATE_LIMITED") => self.refused += 1,
            _ => self.others.push(format!("{answer:.200}")),
        }
    }
}

/// A flood that runs until it is stopped.
pub struct Flood {
    ends: Arc<AtomicBool>,
    attackers: JoinSet<Tally>,
}

impl Flood {
    /// Starts flooding a program with a query.
    #[must_use]
    pub fn begin(host: &str, query: &str) -> Self {
        let (ends, mut attackers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for _ in 0..CLIENTS {
            attackers.spawn(by_http(host.to_owned(), query.to_owned(), Arc::clone(&ends)));
        }
        for _ in 0..SOCKETS {
            attackers.spawn(by_socket(host.to_owned(), query.to_owned(), Arc::clone(&ends)));
        }
        Self { ends, attackers }
    }

    /// Stops the flood, and returns the responses that the attackers received.
    pub async fn end(mut self) -> Tally {
        self.ends.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        while let Some(one) = self.attackers.join_next().await {
            let one = one.expect("the attacker does not panic");
            all.answered += one.answered;
            all.refused += one.refused;
            all.others.extend(one.others);
        }
        all
    }
}

async fn ask(client: &reqwest::Client, host: &str, query: &str) -> Vec<u8> {
    let request = client.post(format!("http://{host}/graphql")).header("x-forwarded-for", ATTACKER);
    let answer = request.json(&json!({ "query": query })).send().await.expect("an answer");
    answer.bytes().await.expect("a body").to_vec()
}

async fn by_http(host: String, query: String, ends: Arc<AtomicBool>) -> Tally {
    let (client, mut tally) = (crate::web(), Tally::default());
    while !ends.load(Ordering::Relaxed) {
        tally.count_body(&ask(&client, &host, &query).await);
    }
    tally
}

async fn by_socket(host: String, query: String, ends: Arc<AtomicBool>) -> Tally {
    let mut tally = Tally::default();
    while !ends.load(Ordering::Relaxed) {
        flood_a_socket(&host, &query, &ends, &mut tally).await;
    }
    tally
}

/// Floods over one socket, until the service closes it for that or the flood ends.
async fn flood_a_socket(host: &str, query: &str, ends: &AtomicBool, tally: &mut Tally) {
    let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("x-forwarded-for", ATTACKER)];
    let Ok(mut socket) = Socket::try_open(host, &headers).await else { return };
    socket.send(&json!({ "type": "connection_init" })).await;
    let say = |id: &Value| json!({ "id": id, "type": "subscribe", "payload": { "query": query } });
    for id in 0..AT_ONCE {
        socket.send(&say(&json!(id.to_string()))).await;
    }
    while !ends.load(Ordering::Relaxed) {
        let Some(text) = socket.try_receive_text().await else { return };
        if holds_data(text.as_bytes()) {
            // A `next`; its `complete` follows.
            tally.answered += 1;
            continue;
        }
        let said: Value = serde_json::from_str(&text).expect("JSON");
        match said["type"].as_str() {
            Some("connection_ack") => {}
            Some("next") => tally.count(&said["payload"]),
            Some("error") => {
                tally.count(&json!({ "errors": said["payload"] }));
                socket.send(&say(&said["id"])).await;
            }
            Some("complete") => socket.send(&say(&said["id"])).await,
            _ => tally.others.push(said.to_string()),
        }
    }
}

/// Returns queries that pass all limits and are expensive in different ways.
fn expensive(meeting: &str) -> Vec<String> {
    let letters = "а б в г д е ж з и к л м н о п р с т у ш";
    let aliased = |count: usize, field: &dyn Fn(usize) -> String| {
        (0..count).map(|n| format!("a{n}: {} ", field(n))).collect::<String>()
    };
    let searches = aliased(40, &|_| format!("regions(first: 1, search: \"{letters}\") {{ totalCount }}"));
    let texts = aliased(18, &|_| {
        format!("comments(first: 1, filter: {{ search: \"{letters}\", orderBy: MOST_VOTED }}) {{ totalCount }}")
    });
    vec![
        format!("{{ regions(first: 100) {{ nodes {{ {} }} }} }}", "name ".repeat(98)),
        format!("{{ regions(first: 100) {{ nodes {{ {} }} }} }}", aliased(49, &|_| "names { kk }".to_owned())),
        format!("{{ {searches} }}"),
        format!("{{ meeting(id: \"{meeting}\") {{ {texts} }} }}"),
        "{ regions(first: 50) { nodes { meetings(first: 2) { totalCount nodes { id title { kk } } } } } }".to_owned(),
        format!(
            "{{ meeting(id: \"{meeting}\") {{ comments(first: 100) {{ nodes {{ {} }} }} }} }}",
            "body votes ".repeat(45)
        ),
    ]
}

/// Returns the accepted query that takes longest, and its duration.
pub async fn most_expensive(host: &str, meeting: &str) -> (String, Duration) {
    let client = crate::web();
    let mut all = Vec::new();
    for query in expensive(meeting) {
        let answer = String::from_utf8(ask(&client, host, &query).await).expect("text");
        assert!(!answer.contains("\"errors\""), "{query:.200}: {answer:.300}");
        let began = Instant::now();
        ask(&client, host, &query).await;
        all.push((query, began.elapsed()));
    }
    all.into_iter().max_by_key(|(_, took)| *took).expect("at least one query")
}

/// Posts as people at many addresses, one after the other, and returns the sorted latencies.
pub async fn posts(host: &str, meeting: &str, round: &str, count: usize) -> Vec<Duration> {
    let mut took = Vec::with_capacity(count);
    for n in 0..count {
        let author: Actor = external::person(host, &format!("author-{}", n % 20), &["CITIZEN"]);
        let query =
            "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } refusal { code } } }";
        let input = json!({ "meetingId": meeting, "body": format!("{round} {n}") });
        let request = author.request().header("x-forwarded-for", format!("203.0.113.{}", n % 20));
        let began = Instant::now();
        let answer = request.json(&json!({ "query": query, "variables": { "input": input } })).send().await;
        let answer: Value = answer.expect("an answer").json().await.expect("JSON");
        took.push(began.elapsed());
        assert!(answer["data"]["postComment"]["comment"]["id"].is_string(), "every post is accepted: {answer}");
    }
    took.sort();
    took
}

/// Returns a quantile of sorted durations.
#[must_use]
pub fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.max(1) - 1).copied().unwrap_or_default()
}

/// Returns the peak memory of a program, in MiB.
#[must_use]
pub fn peak_memory(program: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") / 1024
}

/// Returns settings with the default limits, behind a proxy on this machine.
#[must_use]
pub fn with_default_limits(settings: Vec<(String, String)>) -> Vec<(String, String)> {
    let limits = ["_A_MINUTE", "CONCURRENT_OPERATIONS"];
    let mut settings: Vec<_> =
        settings.into_iter().filter(|(name, _)| !limits.iter().any(|limit| name.ends_with(limit))).collect();
    settings.push(("KEZDESU_TRUSTED_PROXIES".to_owned(), "127.0.0.1".to_owned()));
    settings
}
