//! Connection limits: files are reserved for health, database and bus, and each address has a limit.

use harness::{
    Engine, HOST, Process, RawConnection, RawWebSocket, Socket, TestEnv,
    external::{now, person, settings_on},
    until, web,
};
use serde_json::json;

const ASK: &[u8] = b"GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Returns the soft and hard limits of open files of a running program.
fn limits(program: &Process) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut parts = line.split_whitespace().map(str::to_owned);
    (parts.next().unwrap(), parts.next().unwrap())
}

#[tokio::test]
async fn raises_the_soft_limit_of_open_files_to_the_hard_one() {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve_within(100, 700, &settings_on(dir.path(), Engine::Embedded).await).await;
    assert_eq!(limits(&program), ("700".to_owned(), "700".to_owned()));
    assert!(program.terminate().await);
}

async fn status(url: String) -> u16 {
    web().get(url).send().await.expect("a response").status().as_u16()
}

async fn keeps_files_for_what_must_go_on(engine: Engine) {
    const FILES: usize = 400;
    const CONNECTIONS: usize = FILES - 128 - 3 * 16;
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve_within(64, FILES, &settings_on(dir.path(), engine).await).await;
    let staff = person(&program.host, "staff", &["AKIMAT"]);
    let meeting = staff.live_meeting(HOST, HOST, now() + chrono::TimeDelta::minutes(1), "AFTER").await;
    let mut ana = person(&program.host, "ana", &["CITIZEN"]).socket().await;
    let mut idle = Vec::new();
    for _ in 0..FILES + 200 {
        idle.push(RawConnection::to(&program.host).await);
    }
    let refused = || program.metric("kezdesu_connections_refused_total{reason=\"full\"}");
    until(refused, || (), |refused| refused.parse::<usize>().unwrap() >= FILES + 200 - CONNECTIONS).await;
    assert!(program.metric("kezdesu_connections ").await.parse::<usize>().unwrap() <= CONNECTIONS);
    let told = String::from_utf8(idle[CONNECTIONS + 5].rest().await).unwrap();
    assert!(told.starts_with("HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n"), "{told}");
    assert!(told.contains("RATE_LIMITED"), "{told}");
    for path in ["healthz", "readyz"] {
        assert_eq!(status(format!("http://{}/{path}", program.ops_host)).await, 200, "{path}");
    }
    // Concurrent posts, so that the pool opens every database connection.
    for n in 0..16 {
        let query = "mutation($input: PostCommentInput!) { postComment(input: $input) { comment { id } } }";
        let input = json!({ "meetingId": meeting, "body": format!("Сұрақ {n}") });
        let payload = json!({ "query": query, "variables": { "input": input } });
        ana.send(&json!({ "id": n.to_string(), "type": "subscribe", "payload": payload })).await;
    }
    for _ in 0..32 {
        let said = ana.receive().await;
        let posted = said["payload"]["data"]["postComment"]["comment"]["id"].is_string();
        assert!(posted || said["type"] == "complete", "{said}");
    }
    drop(idle);
    until(|| program.metric("kezdesu_connections "), || (), |open| open.parse::<usize>().unwrap() < CONNECTIONS).await;
    let mut late = RawConnection::to(&program.host).await;
    late.send(ASK).await;
    late.receive_until(b"HTTP/1.1 200 OK\r\n").await;
    assert!(program.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reserves_open_files_for_health_and_database_embedded() {
    keeps_files_for_what_must_go_on(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reserves_open_files_for_health_and_database_production() {
    keeps_files_for_what_must_go_on(Engine::Production).await;
}

/// Sends a query on a new connection, and returns the connection and the status.
async fn asked(host: &str) -> (RawConnection, String) {
    let mut raw = RawConnection::to(host).await;
    // The connection may be closed before the request is sent.
    let _ = raw.try_send(ASK).await;
    let head = String::from_utf8(raw.receive_until(b"\r\n\r\n").await).unwrap();
    (raw, head.split(' ').nth(1).unwrap().to_owned())
}

/// Subscribes over server-sent events on a new connection, and returns the connection and the status.
async fn follows(host: &str, forwarded: &str) -> (RawConnection, String) {
    let mut raw = RawConnection::to(host).await;
    let body = json!({ "query": "subscription { meetings { kind } }" }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n\
         x-forwarded-for: {forwarded}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = raw.try_send(&[head.as_bytes(), body.as_bytes()].concat()).await;
    let head = String::from_utf8(raw.receive_until(b"\r\n\r\n").await).unwrap();
    (raw, head.split(' ').nth(1).unwrap().to_owned())
}

async fn socket(host: &str, forwarded: &str) -> Result<Socket, u16> {
    let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("x-forwarded-for", forwarded)];
    Socket::try_open(host, &headers).await
}

async fn with_caps(more: &[(&str, &str)]) -> TestEnv {
    TestEnv::with(Engine::Embedded, &[&[("KEZDESU_ADDRESS_CONNECTIONS", "3")], more].concat()).await
}

#[tokio::test]
async fn limits_the_connections_of_an_address_over_every_transport() {
    let env = with_caps(&[]).await;
    let host = env.host(0);
    let socket_of_it = RawWebSocket::open(&host).await;
    let (stream, streaming) = follows(&host, "203.0.113.7").await;
    let (plain, answered) = asked(&host).await;
    assert_eq!((streaming.as_str(), answered.as_str()), ("200", "200"));
    for _ in 0..3 {
        assert_eq!(asked(&host).await.1, "429", "plain");
        assert_eq!(
            follows(&host, "203.0.113.7").await.1,
            "429",
            "over server-sent events; the forged header is ignored"
        );
        assert_eq!(socket(&host, "203.0.113.7").await.map(drop), Err(429), "over WebSocket");
    }
    for _ in 0..9 {
        assert_eq!(
            status(format!("http://{}/readyz", env.ops_host(0))).await,
            200,
            "the operations listener has no limit"
        );
    }
    let mut taken = Vec::new();
    for place in [socket_of_it.raw, stream, plain] {
        drop(place);
        taken.push(until(|| asked(&host), || (), |(_, status)| status == "200").await);
        assert_eq!(asked(&host).await.1, "429", "exactly one connection was freed");
    }
}

#[tokio::test]
async fn counts_the_client_behind_a_trusted_proxy() {
    let env = with_caps(&[("KEZDESU_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let host = env.host(0);
    let ana = "203.0.113.7";
    let _proxys: Vec<RawConnection> = futures_util::future::join_all((0..9).map(|_| RawConnection::to(&host))).await;
    let mut first = socket(&host, ana).await.expect("the first");
    let _second = socket(&host, &format!("198.51.100.1, {ana}")).await.expect("the second");
    let (stream, streaming) = follows(&host, ana).await;
    assert_eq!(streaming, "200");
    assert_eq!(socket(&host, ana).await.map(drop), Err(429));
    assert_eq!(follows(&host, ana).await.1, "429");
    let asks = async |forwarded: &str| {
        let request = web().get(format!("http://{host}/graphql?query=%7B__typename%7D"));
        let answer = request.header("x-forwarded-for", forwarded).header("accept-language", "en").send().await.unwrap();
        let retry = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), retry, answer.json::<serde_json::Value>().await.unwrap())
    };
    let (code, retry, said) = asks(ana).await;
    assert_eq!((code, retry.as_deref()), (429, Some("5")));
    let extensions = json!({ "code": "RATE_LIMITED", "retryAfterMs": 5_000, "scope": "ADDRESS" });
    assert_eq!(said["errors"][0]["extensions"], extensions, "{said}");
    assert!(said["errors"][0]["message"].as_str().unwrap().contains("address"), "{said}");
    assert_eq!(asks("203.0.113.8").await.0, 200, "another address");
    assert_eq!(asks("127.0.0.1").await.0, 200, "the proxy itself");
    drop(stream);
    until(|| asks(ana), || (), |(code, ..)| *code == 200).await;
    for _ in 0..5 {
        assert_eq!(asks(ana).await.0, 200, "a finished request releases its connection");
    }
    first.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(first.receive().await["type"], "connection_ack");
    let household = ["2001:db8::1", "2001:db8::2", "2001:db8::3:4"];
    let mut open = Vec::new();
    for address in household {
        open.push(socket(&host, address).await.expect("one of three"));
    }
    assert_eq!(socket(&host, "2001:db8::5").await.map(drop), Err(429), "an IPv6 /64 is one address");
    assert!(socket(&host, "2001:db8:0:1::5").await.is_ok());
}

#[tokio::test]
async fn zero_disables_the_connection_limit() {
    let env = with_caps(&[("KEZDESU_ADDRESS_CONNECTIONS", "0")]).await;
    let host = env.host(0);
    let open: Vec<RawConnection> = futures_util::future::join_all((0..40).map(|_| RawConnection::to(&host))).await;
    assert_eq!(asked(&host).await.1, "200");
    drop(open);
}

#[tokio::test]
async fn a_closed_socket_always_releases_its_connection() {
    let env = with_caps(&[]).await;
    let host = env.host(0);
    for round in 0..6 {
        let mut open = Vec::new();
        for _ in 0..3 {
            open.extend(until(|| RawWebSocket::try_open(&host), || (), Option::is_some).await);
        }
        assert!(RawWebSocket::try_open(&host).await.is_none(), "round {round}: the limit is reached");
        for mut socket in open {
            match round % 3 {
                0 => drop(socket),
                1 => {
                    socket.send(0x88, &[3, 232]).await;
                    assert_eq!(socket.close_code().await, 1000);
                }
                _ => {
                    socket.send(0x81, b"{").await;
                    assert_eq!(socket.close_code().await, 4400);
                }
            }
        }
    }
}
