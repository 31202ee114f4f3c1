//! Transports: HTTP, server-sent events, WebSocket and the operations listener.

use chrono::TimeDelta;
use harness::{Engine, HOST, Socket, TestEnv, WHO, id_of, on_both_engines, token_claims};
use serde_json::{Value, json};

async fn embedded() -> TestEnv {
    TestEnv::start(Engine::Embedded).await
}

#[tokio::test]
async fn rejects_cross_site_requests() {
    let env = embedded().await;
    let client = harness::web();
    let address = format!("http://{}/graphql", env.host(0));
    let body =
        json!({ "query": "mutation { endMeeting(input: { meetingId: \"x\" }) { refusal { code } } }" }).to_string();
    for kind in
        [Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data; boundary=a"), None]
    {
        let mut request = client.post(&address).body(body.clone());
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        assert_eq!(request.send().await.unwrap().status(), 415, "{kind:?}");
    }
    let get = client
        .get(&address)
        .query(&[("query", "mutation { endMeeting(input: { meetingId: \"x\" }) { refusal { code } } }")]);
    let answer = get.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap()), (405, "GET, POST"));
    let foreign = client
        .post(&address)
        .header("content-type", "application/json")
        .header("origin", "https://evil.example")
        .body(body);
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let query = client.get(&address).query(&[("query", WHO)]).send().await.unwrap();
    assert_eq!(query.json::<Value>().await.unwrap(), json!({ "data": { "viewer": null } }));
    assert_eq!(client.put(&address).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn reports_malformed_requests_in_the_accepted_format() {
    let env = embedded().await;
    let client = harness::web();
    let send = async |accept: &str, body: String| {
        let request = client.post(format!("http://{}/graphql", env.host(0)));
        let answer = request
            .header("content-type", "application/json")
            .header("accept", accept)
            .header("accept-language", "en")
            .body(body)
            .send()
            .await
            .unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    for body in [
        "",
        "{",
        "[]",
        "7",
        "{}",
        r#"{"query":1}"#,
        r#"{"query":"{a}","variables":[]}"#,
        r#"{"query":"{a}","operationName":1}"#,
        r#"{"query":"{a}","extensions":1}"#,
    ] {
        let (status, _, text) = send("application/json", body.to_owned()).await;
        assert_eq!(status, 400, "{body}: {text}");
        assert!(text.contains("BAD_USER_INPUT") && !text.contains("line") && !text.contains("Error("), "{text}");
    }
    let unknown = json!({ "query": "{ nothing }" }).to_string();
    let (status, kind, text) = send("application/graphql-response+json", unknown.clone()).await;
    assert_eq!((status, kind.as_str()), (400, "application/graphql-response+json; charset=utf-8"));
    assert!(!text.contains("\"data\""), "{text}");
    let (status, kind, _) = send("application/json", unknown).await;
    assert_eq!((status, kind.as_str()), (200, "application/json; charset=utf-8"));
    assert_eq!(send("text/html", json!({ "query": WHO }).to_string()).await.0, 406);
    let (status, _, text) = send("application/json", json!({ "query": "x".repeat(2 << 20) }).to_string()).await;
    assert_eq!((status, text.contains("too large")), (413, true));
    let subscription = json!({ "query": "subscription { meetings { seq } }" }).to_string();
    assert_eq!(send("application/json", subscription).await.0, 400);
}

#[tokio::test]
async fn rejects_invalid_tokens_and_hides_internals() {
    let env = embedded().await;
    let mut actor = env.anonymous();
    actor.token = Some("not.a.token".to_owned());
    let answer = actor.request().json(&json!({ "query": WHO })).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
    assert_eq!(answer.json::<Value>().await.unwrap()["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let mut claims = token_claims("ana", "Ana", &["CITIZEN"], None, env.now());
    claims["exp"] = json!(env.now().timestamp());
    let ended = env.with_claims(&claims);
    assert_eq!(ended.request().json(&json!({ "query": WHO })).send().await.unwrap().status(), 401);
    assert_eq!(
        env.anonymous().try_mutate("postComment", json!({ "meetingId": "x", "body": "a" })).await["errors"][0]["extensions"]
            ["field"],
        "input.meetingId"
    );
}

#[tokio::test]
async fn answers_in_the_requested_language() {
    let env = embedded().await;
    for (wish, word) in [("ru", "Войдите"), ("kk", "кіріңіз"), ("en", "Sign in"), ("de", "кіріңіз")]
    {
        let client = harness::web();
        let query =
            "mutation { endMeeting(input: { meetingId: \"mtg_00000000000000000000000000\" }) { refusal { code } } }";
        let request = client.post(format!("http://{}/graphql", env.host(0))).header("accept-language", wish);
        let answer: Value = request.json(&json!({ "query": query })).send().await.unwrap().json().await.unwrap();
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(word), "{wish}: {message}");
    }
}

#[tokio::test]
async fn websocket_handshake_requires_its_protocol_and_an_allowed_origin() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_ALLOWED_ORIGINS", "https://meetings.example")]).await;
    let host = env.host(0);
    let ours = ("sec-websocket-protocol", "graphql-transport-ws");
    let open = async |headers: &[(&'static str, &str)]| Socket::try_open(&host, headers).await.map(drop);
    assert_eq!(open(&[ours]).await, Ok(()));
    assert_eq!(open(&[ours, ("origin", "https://meetings.example")]).await, Ok(()));
    assert_eq!(open(&[ours, ("origin", &format!("http://{host}"))]).await, Ok(()));
    assert_eq!(open(&[ours, ("origin", "https://evil.example")]).await, Err(403));
    assert_eq!(open(&[]).await, Err(400));
    assert_eq!(open(&[("sec-websocket-protocol", "graphql-ws")]).await, Err(400));
}

#[tokio::test]
async fn closes_a_socket_that_breaks_the_protocol_with_its_code() {
    let env = embedded().await;
    let host = env.host(0);
    let subscribe =
        json!({ "id": "1", "type": "subscribe", "payload": { "query": "subscription { meetings { seq } }" } });
    let mut early = Socket::open(&host).await;
    early.send(&subscribe).await;
    assert_eq!(early.close_code().await, 4401);
    let mut twice = env.anonymous().socket().await;
    twice.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(twice.close_code().await, 4429);
    let mut double = env.anonymous().socket().await;
    double.send(&subscribe).await;
    double.send(&subscribe).await;
    assert_eq!(double.close_code().await, 4409);
    for text in ["{", r#"{"type":"start"}"#, r#"{"type":"subscribe","id":"1"}"#] {
        let mut bad = env.anonymous().socket().await;
        bad.send_text(text).await;
        assert_eq!(bad.close_code().await, 4400, "{text}");
    }
    let mut bytes = env.anonymous().socket().await;
    bytes.send_bytes(vec![1, 2, 3]).await;
    assert_eq!(bytes.close_code().await, 4400);
    let mut forged = Socket::open(&host).await;
    forged.send(&json!({ "type": "connection_init", "payload": { "authorization": "Bearer x" } })).await;
    assert_eq!(forged.close_code().await, 4403);
    let mut silent = Socket::open(&host).await;
    // Advances again until the service has armed its timer.
    let closed = async { silent.close_code().await };
    let mut closed = std::pin::pin!(closed);
    let code = loop {
        env.advance(TimeDelta::seconds(11));
        if let Ok(code) = tokio::time::timeout(std::time::Duration::from_millis(50), &mut closed).await {
            break code;
        }
    };
    assert_eq!(code, 4408);
}

#[tokio::test]
async fn runs_any_operation_on_a_socket_and_reports_errors_by_id() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_SOCKET_OPERATIONS", "2")]).await;
    let mut socket = env.citizen("Ana").socket().await;
    let run = |id: &str, query: &str| json!({ "id": id, "type": "subscribe", "payload": { "query": query } });
    socket.send(&run("q", WHO)).await;
    let next = socket.receive().await;
    assert_eq!((next["id"].as_str(), next["type"].as_str()), (Some("q"), Some("next")));
    assert!(next["payload"]["data"]["viewer"]["subject"].as_str().unwrap().starts_with("Ana"));
    assert_eq!(socket.receive().await, json!({ "id": "q", "type": "complete" }));
    socket.send(&run("bad", "{ nothing }")).await;
    let error = socket.receive().await;
    assert_eq!((error["id"].as_str(), error["type"].as_str()), (Some("bad"), Some("error")));
    for id in ["1", "2"] {
        socket.send(&run(id, "subscription { meetings { kind } }")).await;
        assert_eq!(socket.receive().await["type"], "next");
    }
    socket.send(&run("3", "subscription { meetings { kind } }")).await;
    let full = socket.receive().await;
    assert_eq!((full["id"].as_str(), full["type"].as_str()), (Some("3"), Some("error")));
    socket.send(&json!({ "id": "1", "type": "complete" })).await;
    socket.send(&run("3", "subscription { meetings { kind } }")).await;
    assert_eq!(socket.receive().await["id"], "3", "a completed operation frees its slot");
    socket.send(&json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(socket.receive().await, json!({ "type": "pong", "payload": { "a": 1 } }));
}

#[tokio::test]
async fn closes_a_socket_when_its_token_expires_or_the_service_stops() {
    let mut env = embedded().await;
    let mut claims = token_claims("ana", "Ana", &["CITIZEN"], None, env.now());
    claims["exp"] = json!((env.now() + TimeDelta::minutes(5)).timestamp());
    let mut ending = env.with_claims(&claims).socket().await;
    env.advance(TimeDelta::minutes(5));
    assert_eq!(ending.close_code().await, 4403);
    let mut staying = env.anonymous().socket().await;
    let (code, ()) = tokio::join!(staying.close_code(), env.stop(0));
    assert_eq!(code, 1012);
}

#[tokio::test]
async fn streams_server_sent_events_with_ids() {
    let env = embedded().await;
    let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
    let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
    ana.post(&meeting, "Бір").await;
    let query = "subscription($id: ID!) { comments(meetingId: $id, after: 0) { seq kind epoch } }";
    let request = env.anonymous().request().header("accept", "text/event-stream");
    let mut answer = request.json(&json!({ "query": query, "variables": { "id": meeting } })).send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let mut text = String::new();
    while !text.contains("POSTED") {
        let chunk = tokio::time::timeout(harness::TIMEOUT, answer.chunk()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let first = "event: next\ndata: {\"data\":{\"comments\":{\"seq\":0,\"kind\":\"SUBSCRIBED\",\"epoch\":\"EPOCH\"}}}\nid: EPOCH.0\n\n";
    let epoch = text.split("\"epoch\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(!epoch.is_empty() && text.starts_with(&first.replace("EPOCH", epoch)), "{text}");
}

#[tokio::test]
async fn serves_health_readiness_and_metrics() {
    let env = embedded().await;
    let get = async |path: &str| {
        let answer = harness::web().get(format!("http://{}{path}", env.ops_host(0))).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    env.anonymous().query(WHO, json!({})).await;
    assert_eq!(get("/healthz").await, (200, "ok\n".to_owned()));
    let (status, text) = get("/readyz").await;
    assert_eq!((status, serde_json::from_str::<Value>(&text).unwrap()["ready"].as_bool()), (200, Some(true)));
    let figures = get("/metrics").await.1;
    assert!(figures.contains("kezdesu_requests_total{code=\"OK\"}"));
    for name in ["kezdesu_sockets", "kezdesu_slow_readers_total", "kezdesu_requests_total"] {
        assert!(figures.contains(&format!("# HELP {name} ")), "{figures}");
    }
    let page = harness::web().get(format!("http://{}/", env.host(0))).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(!page.contains("https://"), "the explorer must not load from other hosts");
    for part in page.split('"').filter(|part| part.starts_with("/assets/")) {
        assert_eq!(
            harness::web().get(format!("http://{}{part}", env.host(0))).send().await.unwrap().status(),
            200,
            "{part}"
        );
    }
    let public = harness::web().get(format!("http://{}/metrics", env.host(0))).send().await.unwrap();
    assert_eq!(public.status(), 404);
}

#[tokio::test]
async fn production_has_no_explorer_and_no_introspection() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_ENVIRONMENT", "production")]).await;
    for path in ["/", "/assets/explorer.js"] {
        assert_eq!(
            harness::web().get(format!("http://{}{path}", env.host(0))).send().await.unwrap().status(),
            404,
            "{path}"
        );
    }
    let sdl = harness::web().get(format!("http://{}/graphql/schema", env.host(0))).send().await.unwrap();
    assert_eq!(sdl.text().await.unwrap(), kezdesu::graphql::client_sdl(), "the schema is served without introspection");
    let answer = env.anonymous().send("{ __schema { types { name } } }", json!({})).await;
    assert!(!answer.to_string().contains("Meeting"), "{answer}");
    let typo = env.anonymous().send("{ viewr { subject } }", json!({})).await;
    assert!(!typo.to_string().contains("viewer"), "{typo}");
}

on_both_engines! {
    async fn replays_do_not_starve_another_stream(env) {
        let (staff, ana) = (env.akimat(HOST), env.citizen("Ana"));
        let busy = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let quiet = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let add = json!({ "meetingId": busy, "platform": "VK", "url": "https://vk.example/1" });
        let broadcast = id_of(&staff.mutate("addBroadcast", add).await["meeting"]["broadcasts"][0]);
        let comments: Vec<_> = (0..400).map(|n| json!({
            "externalId": n.to_string(), "authorName": "Марат", "body": format!("Сұрақ {n}"), "postedAt": env.now(),
        })).collect();
        let import = json!({ "meetingId": busy, "broadcastId": broadcast, "comments": comments });
        env.connector(HOST).mutate("importComments", import).await;
        let marker = id_of(&ana.post(&quiet, "Көрші").await);
        // Another subscriber keeps the quiet feed loaded, so that the new one does not wait for the database.
        let _follower = env.anonymous().follow_comments(&quiet, None, "PUBLIC").await;
        let mut socket = env.anonymous().socket().await;
        let query = "subscription($id: ID!) { comments(meetingId: $id, after: 0) { commentId } }";
        for id in 0..15 {
            socket.send(&json!({ "id": id.to_string(), "type": "subscribe", "payload": { "query": query, "variables": { "id": busy } } })).await;
        }
        socket.send(&json!({ "id": "quiet", "type": "subscribe", "payload": { "query": query, "variables": { "id": quiet } } })).await;
        let mut before = 0;
        loop {
            let message = socket.receive().await;
            if message["payload"]["data"]["comments"]["commentId"] == json!(marker) {
                break;
            }
            before += 1;
        }
        assert!(before < 15 * 401 / 2, "the quiet stream waited for the others: {before} messages");
    }
}
