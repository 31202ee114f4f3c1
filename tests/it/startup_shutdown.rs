//! Startup, readiness during shutdown, and the operation limits of gateways.

use chrono::TimeDelta;
use harness::{
    Engine, Process, Socket, TestEnv, databases,
    external::{anonymous, settings, settings_on},
    readiness, until,
};
use kezdesu::{clock::Clock as _, service, store::Store};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

fn is_draining(said: &Option<(u16, Value)>) -> bool {
    said.as_ref().is_some_and(|(status, text)| *status == 503 && text["checks"]["draining"] == true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_reports_draining_until_the_last_request_ends() {
    let dir = tempfile::tempdir().unwrap();
    let program = Process::serve(&settings(dir.path(), &[])).await;
    let body = json!({ "query": "{ regions { totalCount } }" }).to_string();
    let (begun, rest) = body.split_at(10);
    let mut request = TcpStream::connect(&program.host).await.unwrap();
    let head = "POST /graphql HTTP/1.1\r\nhost: kezdesu\r\ncontent-type: application/json\r\nconnection: close";
    request.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{begun}", body.len()).as_bytes()).await.unwrap();
    // This request was accepted if the next one is answered.
    anonymous(&program.host).query("{ regions { totalCount } }", json!({})).await;
    assert_eq!(readiness(&program.ops_host).await.unwrap().0, 200);
    program.ask_to_end().await;
    until(|| readiness(&program.ops_host), || {}, is_draining).await;
    drop(until(|| TcpStream::connect(&program.host), || {}, Result::is_err).await);
    assert!(is_draining(&readiness(&program.ops_host).await), "readiness reports draining until the exit");
    request.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    request.read_to_string(&mut answer).await.unwrap();
    // The request completed too late to run, so it is rejected.
    assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with('}'), "{answer}");
    assert!(program.ended().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepts_requests_while_readiness_is_off_before_draining() {
    let mut env = TestEnv::with(Engine::Embedded, &[("KEZDESU_LAME_DUCK", "5")]).await;
    let (clock, ops, anonymous) = (env.clock.clone(), env.ops_host(0), env.anonymous());
    let mut early = anonymous.socket().await;
    let visits = async {
        until(|| readiness(&ops), || {}, is_draining).await;
        clock.advance(TimeDelta::milliseconds(4_900));
        anonymous.query("{ regions { totalCount } }", json!({})).await;
        let mut late = anonymous.socket().await;
        for socket in [&mut early, &mut late] {
            socket.send(&json!({ "type": "ping" })).await;
            assert_eq!(socket.receive().await["type"], "pong");
        }
        clock.advance(TimeDelta::milliseconds(100));
        assert_eq!((early.close_code().await, late.close_code().await), (1012, 1012));
    };
    tokio::join!(env.stop(0), visits);
    assert_eq!(clock.now(), env.now());
    assert!(readiness(&ops).await.is_none(), "the operations listener is closed");
}

#[tokio::test]
async fn ignores_variables_of_kubernetes_and_the_compose_file() {
    let dir = tempfile::tempdir().unwrap();
    let others = [
        ("KEZDESU_SERVICE_HOST", "10.0.0.7"),
        ("KEZDESU_SERVICE_PORT_HTTP", "8080"),
        ("KEZDESU_PORT", "tcp://10.0.0.7:8080"),
        ("KEZDESU_PORT_8080_TCP_ADDR", "10.0.0.7"),
        ("KEZDESU_URL", "http://balancer/graphql"),
        ("KEZDESU_GATEWAY_PORT", "4000"),
        ("KEZDESU_SAFELIST", ""),
    ];
    let program = Process::serve(&settings(dir.path(), &others.map(|(name, value)| (name, value.to_owned())))).await;
    assert!(program.terminate().await);
}

#[tokio::test]
async fn startup_without_regions_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let mut pairs = settings_on(dir.path(), Engine::Production).await;
    let empty = databases().await.empty().await;
    // The state after a kill between the two steps of `kezdesu migrate`.
    Store::connect(&empty, 2).await.unwrap().migrate().await.unwrap();
    pairs.push(("KEZDESU_DATABASE_URL".to_owned(), empty));
    let settings = kezdesu::config::load(pairs).unwrap();
    let refused = service::open(&settings, false).await.unwrap_err().to_string();
    assert!(refused.starts_with("KEZDESU_DATABASE_URL: there are no units yet: run `kezdesu migrate`"), "{refused}");
    service::open(&settings, true).await.unwrap();
    service::open(&settings, false).await.unwrap();
}

#[tokio::test]
async fn startup_fails_without_the_signing_keys() {
    let dir = tempfile::tempdir().unwrap();
    let provider = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/jwks", provider.local_addr().unwrap());
    let hanging_up = tokio::spawn(async move { while provider.accept().await.is_ok() {} });
    let mut serve = tokio::process::Command::new(Process::program());
    serve.arg("serve").env_clear().envs(settings(dir.path(), &[("KEZDESU_JWKS", address)])).env("KEZDESU_LOG", "error");
    let output = tokio::time::timeout(harness::TIMEOUT, serve.output()).await.expect("it exits in time").unwrap();
    hanging_up.abort();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with("kezdesu: KEZDESU_JWKS: the address does not answer") && said.lines().count() == 1,
        "{said}"
    );
}

/// Returns how many subscriptions a socket runs before one is rejected.
async fn operation_limit(host: &str, forwarded: &str) -> usize {
    let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("x-forwarded-for", forwarded)];
    let mut socket = Socket::try_open(host, &headers).await.expect("the handshake succeeds");
    socket.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(socket.receive().await["type"], "connection_ack");
    for running in 0.. {
        let payload = json!({ "query": "subscription { meetings { kind } }" });
        socket.send(&json!({ "id": running.to_string(), "type": "subscribe", "payload": payload })).await;
        let said = socket.receive().await;
        if said["type"] == "error" {
            assert_eq!(said["payload"][0]["extensions"]["code"], "COST_EXCEEDED", "{said}");
            return running;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn only_a_gateway_gets_the_higher_operation_limit() {
    let gateway = ("KEZDESU_GATEWAYS", "192.0.2.7,192.0.2.8");
    let caps = [gateway, ("KEZDESU_GATEWAY_OPERATIONS", "50"), ("KEZDESU_TRUSTED_PROXIES", "127.0.0.1,192.0.2.8")];
    let env = TestEnv::with(Engine::Embedded, &caps).await;
    let host = env.host(0);
    assert_eq!(operation_limit(&host, "203.0.113.7").await, 20, "the public limit is unchanged");
    assert_eq!(operation_limit(&host, "192.0.2.7").await, 50, "a gateway behind the balancer");
    assert_eq!(operation_limit(&host, "203.0.113.7, 192.0.2.8").await, 50, "a gateway that forwards its client");
    assert_eq!(operation_limit(&host, "192.0.2.7, 203.0.113.7").await, 20, "a forged header is ignored");
    let caps = [("KEZDESU_GATEWAYS", "127.0.0.0/8"), ("KEZDESU_GATEWAY_OPERATIONS", "30")];
    let env = TestEnv::with(Engine::Embedded, &caps).await;
    assert_eq!(operation_limit(&env.host(0), "203.0.113.7").await, 30, "the gateway connects directly");
}
