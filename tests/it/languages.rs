//! Messages are in the client's language and never quote its input.

use std::collections::BTreeSet;

use harness::{Actor, Engine, HOST, Socket, Subscription, TestEnv, WHO, on_both_engines, web};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

const LANGUAGES: [&str; 3] = ["kk", "ru", "en"];
/// Client input that must not appear in any response.
const CANARY: &str = "secretcanary";
/// A truncated document.
const BROKEN: &str = "{ viewer { secretcanary";
const NOWHERE: &str = "mtg_00000000000000000000000000";

/// Checks that the texts differ by language, use the right script, and do not quote input.
fn check(what: &str, texts: &[String]) {
    let different: BTreeSet<_> = texts.iter().collect();
    assert_eq!(different.len(), LANGUAGES.len(), "{what}: the same in two languages: {texts:?}");
    for (language, text) in LANGUAGES.iter().zip(texts) {
        assert!(!text.contains(CANARY), "{what}: quotes the input: {text}");
        let cyrillic = text.contains(|c| ('\u{400}'..'\u{530}').contains(&c));
        assert_eq!(cyrillic, *language != "en", "{what}: not in {language}: {text}");
    }
}

/// Returns the first JSON value in a response of any format.
fn json_in(body: &str) -> Value {
    let framed = body.find('{').map(|at| &body[at..]).unwrap_or_else(|| panic!("not JSON: {body}"));
    let first = serde_json::Deserializer::from_str(framed).into_iter::<Value>().next();
    let answer = first.expect("JSON").unwrap_or_else(|error| panic!("{error}: {body}"));
    answer.get("payload").cloned().unwrap_or(answer)
}

/// Sends a request in each language, checks the errors, and returns the last one, which must have this code.
async fn refused(what: &str, code: &str, request: impl Fn() -> RequestBuilder) -> Value {
    let mut texts = Vec::new();
    let mut last = Value::Null;
    for language in LANGUAGES {
        let answer = request().header("accept-language", language).send().await.expect("the service answers");
        let body = answer.text().await.expect("a body");
        assert!(!body.contains(CANARY), "{what}: quotes the input: {body}");
        last = json_in(&body)["errors"][0].take();
        assert_eq!(last["extensions"]["code"], code, "{what}: {body}");
        texts.push(last["message"].as_str().expect("a message").to_owned());
    }
    check(what, &texts);
    last
}

fn address(env: &TestEnv) -> String {
    format!("http://{}/graphql", env.host(0))
}

/// Builds a POST request.
fn post(env: &TestEnv, body: &Value) -> RequestBuilder {
    web().post(address(env)).json(body)
}

/// Opens a socket with this `Accept-Language` and this `connection_init` payload.
async fn introduced(host: &str, header: Option<&str>, payload: &Value) -> Socket {
    let mut headers = vec![("sec-websocket-protocol", "graphql-transport-ws")];
    headers.extend(header.map(|wish| ("accept-language", wish)));
    let mut socket = Socket::try_open(host, &headers).await.expect("the handshake succeeds");
    socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(socket.receive().await["type"], "connection_ack");
    socket
}

#[tokio::test]
async fn rejects_malformed_requests_in_the_language_of_the_headers() {
    let env = TestEnv::start(Engine::Embedded).await;
    let body = json!({ "query": WHO, "variables": { "a": CANARY } }).to_string();
    let as_json = |body: String| web().post(address(&env)).header("content-type", "application/json").body(body);
    refused("no content type", "BAD_USER_INPUT", || web().post(address(&env)).body(body.clone())).await;
    let form = || web().post(address(&env)).header("content-type", "text/plain").body(body.clone());
    refused("a form's content type", "BAD_USER_INPUT", form).await;
    refused("another method", "BAD_USER_INPUT", || web().put(address(&env)).body(CANARY)).await;
    refused("too large", "BAD_USER_INPUT", || as_json(CANARY.repeat(100_000))).await;
    let canary = json!(CANARY);
    for body in [
        format!("{{\"query\":\"{CANARY}"),
        canary.to_string(),
        json!([canary]).to_string(),
        json!({ "secretcanary": 1 }).to_string(),
        json!({ "query": [canary] }).to_string(),
        json!({ "query": WHO, "variables": canary }).to_string(),
        json!({ "query": WHO, "extensions": canary }).to_string(),
        json!({ "query": WHO, "operationName": [canary] }).to_string(),
        json!({ "documentId": [canary] }).to_string(),
        json!({ "extensions": { "persistedQuery": canary } }).to_string(),
        json!({ "query": WHO, "documentId": canary }).to_string(),
    ] {
        refused(&body, "BAD_USER_INPUT", || as_json(body.clone())).await;
    }
    let unknown = json!({ "documentId": canary });
    refused("an unknown id", "PERSISTED_QUERY_NOT_FOUND", || post(&env, &unknown)).await;
    for (name, value) in [("variables", CANARY), ("extensions", CANARY), ("a", CANARY)] {
        refused(name, "BAD_USER_INPUT", || web().get(address(&env)).query(&[(name, value)])).await;
    }
    let asks = json!({ "query": WHO });
    let accept = || post(&env, &asks).header("accept", "text/secretcanary");
    refused("nothing that we have", "BAD_USER_INPUT", accept).await;
    let foreign = || post(&env, &asks).header("origin", "https://secretcanary.example");
    refused("another origin", "FORBIDDEN", foreign).await;
    refused("a bad token", "UNAUTHENTICATED", || post(&env, &asks).bearer_auth(CANARY)).await;
    let mutation = "mutation { endMeeting(input: { meetingId: \"secretcanary\" }) { refusal { code } } }";
    refused("a mutation by GET", "BAD_USER_INPUT", || web().get(address(&env)).query(&[("query", mutation)])).await;
    let follow = json!({ "query": "subscription { meetings { seq } }" });
    refused("a subscription as JSON", "BAD_USER_INPUT", || post(&env, &follow)).await;
    let resumed = || post(&env, &follow).header("accept", "text/event-stream").header("last-event-id", CANARY);
    refused("an id of no event", "BAD_USER_INPUT", resumed).await;

    // Clients compare this message literally.
    let hash = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": CANARY } } });
    let answer = post(&env, &hash).header("accept-language", "ru").send().await.unwrap().text().await.unwrap();
    assert!(answer.contains("\"PersistedQueryNotFound\"") && !answer.contains(CANARY), "{answer}");
}

#[tokio::test]
async fn rejects_operations_in_the_language_of_the_headers() {
    let env = TestEnv::start(Engine::Embedded).await;
    let deep = format!("{{ region(code: \"{HOST}\") {}{{ name }}{} }}", "{ parent ".repeat(20), "}".repeat(20));
    let aliases = (0..60).map(|n| format!("a{n}: viewer {{ subject }} ")).collect::<String>();
    let directives = "@include(if: true) ".repeat(20);
    let wide = "{ regions(first: 100) { nodes { children(first: 100) { nodes { descendants(first: 100) { nodes { code } } } } } } }";
    let several = "query A { viewer { subject } } query B { viewer { subject } }";
    let plan = "mutation($input: PlanMeetingInput!) { planMeeting(input: $input) { refusal { code } } }";
    let planned = |start: &Value| {
        let input = json!({
            "host": HOST, "region": HOST, "title": { "kk": "Кездесу" }, "origin": "CALENDAR", "plannedStart": start,
            "plannedMinutes": 60, "moderation": "AFTER",
        });
        json!({ "input": input })
    };
    for (code, query, variables) in [
        ("COST_EXCEEDED", deep.as_str(), json!({})),
        ("COST_EXCEEDED", &format!("{{ {aliases} }}"), json!({})),
        ("COST_EXCEEDED", &format!("{{ viewer {{ subject {directives} }} }}"), json!({})),
        ("COST_EXCEEDED", wide, json!({})),
        ("BAD_USER_INPUT", several, json!({})),
        ("BAD_USER_INPUT", "{ region(code: secretcanary) { name } }", json!({})),
        ("BAD_USER_INPUT", "{ region(code: \"secretcanary\") { name } }", json!({})),
        ("BAD_USER_INPUT", "{ regions(asOf: \"secretcanary\") { totalCount } }", json!({})),
        ("BAD_USER_INPUT", "{ regions(kinds: [secretcanary]) { totalCount } }", json!({})),
        ("BAD_USER_INPUT", "{ regions(first: \"secretcanary\") { totalCount } }", json!({})),
        ("BAD_USER_INPUT", "query($n: Int) { regions(first: $n) { totalCount } }", json!({ "n": CANARY })),
        ("BAD_USER_INPUT", "query($k: [RegionKind!]) { regions(kinds: $k) { totalCount } }", json!({ "k": [CANARY] })),
        (
            "BAD_USER_INPUT",
            "query($k: [RegionKind!] = [secretcanary]) { regions(kinds: $k) { totalCount } }",
            json!({}),
        ),
        ("BAD_USER_INPUT", plan, json!({ "input": { "secretcanary": CANARY } })),
        ("BAD_USER_INPUT", plan, planned(&json!(CANARY))),
        ("BAD_USER_INPUT", "{ regions(after: \"secretcanary\") { totalCount } }", json!({})),
        ("BAD_USER_INPUT", "{ regions(first: 1000) { totalCount } }", json!({})),
        ("BAD_USER_INPUT", "{ meeting(id: \"secretcanary\") { phase } }", json!({})),
        ("BAD_USER_INPUT", "query($id: ID!) { meeting(id: $id) { phase } }", json!({})),
    ] {
        let body = json!({ "query": query, "variables": variables });
        refused(query, code, || post(&env, &body)).await;
    }
    let named = json!({ "query": WHO, "operationName": CANARY });
    refused("an unknown operation", "BAD_USER_INPUT", || post(&env, &named)).await;
    let mutation = format!("mutation {{ endMeeting(input: {{ meetingId: \"{NOWHERE}\" }}) {{ refusal {{ code }} }} }}");
    refused("not signed in", "UNAUTHENTICATED", || post(&env, &json!({ "query": mutation }))).await;
    let follow = format!("subscription {{ comments(meetingId: \"{NOWHERE}\") {{ seq }} }}");
    let absent = || post(&env, &json!({ "query": follow })).header("accept", "text/event-stream");
    refused("a stream of nothing", "NOT_FOUND", absent).await;

    // Locations and details for developers stay in English.
    let typo = json!({ "query": "{ viewer { subjekt } }" });
    let error = refused("an unknown field", "BAD_USER_INPUT", || post(&env, &typo)).await;
    assert_eq!(error["locations"], json!([{ "line": 1, "column": 12 }]));
    let detail = error["extensions"]["detail"].as_str().expect("a detail");
    assert!(detail.starts_with("Unknown field \"subjekt\" on type \"Viewer\"."), "{detail}");
    let date = json!({ "query": "{ regions(asOf: \"secretcanary\") { totalCount } }" });
    let error = refused("a date", "BAD_USER_INPUT", || post(&env, &date)).await;
    assert_eq!(error["message"], "Write a date as YYYY-MM-DD, with a year from 1900 to 9999.");
    assert_eq!(error["extensions"]["detail"], "Failed to parse \"Date\"");
}

#[tokio::test]
async fn syntax_errors_have_a_location_and_quote_nothing() {
    let env = TestEnv::start(Engine::Embedded).await;
    let body = json!({ "query": BROKEN });
    let forms = ["application/json", "application/graphql-response+json", "text/event-stream"];
    for accept in forms.into_iter().chain(["multipart/mixed; subscriptionSpec=1.0"]) {
        let by_get = || web().get(address(&env)).query(&[("query", BROKEN)]).header("accept", accept);
        for error in [
            refused(accept, "BAD_USER_INPUT", || post(&env, &body).header("accept", accept)).await,
            refused(accept, "BAD_USER_INPUT", by_get).await,
        ] {
            assert_eq!(error["message"], "The operation has a syntax error.");
            assert_eq!(error["locations"], json!([{ "line": 1, "column": 24 }]));
            assert_eq!(error["extensions"], json!({ "code": "BAD_USER_INPUT" }));
        }
    }
}

#[tokio::test]
async fn a_socket_reports_errors_in_its_language() {
    let env = TestEnv::with(Engine::Embedded, &[("KEZDESU_SOCKET_OPERATIONS", "1")]).await;
    let host = env.host(0);
    let follow = json!({ "query": "subscription { meetings { seq kind } }" });
    let unknown_meeting = format!("subscription {{ comments(meetingId: \"{NOWHERE}\") {{ seq }} }}");
    for (code, payload) in [
        ("BAD_USER_INPUT", json!({ "query": BROKEN })),
        ("BAD_USER_INPUT", json!({ "query": [CANARY] })),
        ("BAD_USER_INPUT", json!({ "query": WHO, "operationName": CANARY })),
        ("BAD_USER_INPUT", json!({ "query": "subscription { timeSplit(meetingId: \"secretcanary\") { stage } }" })),
        ("BAD_USER_INPUT", json!({ "query": "subscription { meetings(region: \"secretcanary\") { seq } }" })),
        ("PERSISTED_QUERY_NOT_FOUND", json!({ "documentId": CANARY })),
        ("NOT_FOUND", json!({ "query": unknown_meeting })),
        ("COST_EXCEEDED", follow.clone()),
    ] {
        let mut texts = Vec::new();
        for language in LANGUAGES {
            let mut socket = introduced(&host, None, &json!({ "language": language })).await;
            if code == "COST_EXCEEDED" {
                socket.send(&json!({ "id": "first", "type": "subscribe", "payload": follow })).await;
                assert_eq!(socket.receive().await["id"], "first");
            }
            socket.send(&json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
            let refused = socket.receive().await;
            assert!(!refused.to_string().contains(CANARY), "{refused}");
            let error = &refused["payload"][0];
            assert_eq!((&refused["type"], &error["extensions"]["code"]), (&json!("error"), &json!(code)), "{refused}");
            texts.push(error["message"].as_str().expect("a message").to_owned());
        }
        check(&payload.to_string(), &texts);
    }
}

#[tokio::test]
async fn close_reasons_are_in_the_language_of_the_socket() {
    let env = TestEnv::start(Engine::Embedded).await;
    let host = env.host(0);
    let ours = ("sec-websocket-protocol", "graphql-transport-ws");
    let twice =
        json!({ "id": CANARY, "type": "subscribe", "payload": { "query": "subscription { meetings { seq } }" } });
    let init = json!({ "type": "connection_init", "payload": {} });
    let forged = json!({ "type": "connection_init", "payload": { "authorization": "Bearer secretcanary" } });
    for (code, messages) in [
        (4400, vec![json!({ "type": CANARY })]),
        (4401, vec![twice.clone()]),
        (4403, vec![forged]),
        (4409, vec![init.clone(), twice.clone(), twice]),
        (4429, vec![init.clone(), init]),
    ] {
        let mut reasons = Vec::new();
        for language in LANGUAGES {
            let mut socket =
                Socket::try_open(&host, &[ours, ("accept-language", language)]).await.expect("the handshake succeeds");
            for message in &messages {
                socket.send(message).await;
            }
            let (closed, reason) = socket.close_frame().await;
            assert_eq!(closed, code, "{reason}");
            reasons.push(reason);
        }
        check(&code.to_string(), &reasons);
    }
    let forged = json!({ "authorization": "Bearer x", "language": "ru" });
    let mut socket = Socket::try_open(&host, &[ours, ("accept-language", "en")]).await.expect("the handshake succeeds");
    socket.send(&json!({ "type": "connection_init", "payload": forged })).await;
    let reason = socket.close_frame().await.1;
    assert!(reason.starts_with("Токен"), "the payload overrides the header: {reason}");
}

#[tokio::test]
async fn handshake_errors_are_in_the_language_of_the_headers() {
    let env = TestEnv::start(Engine::Embedded).await;
    let upgrade = || {
        let request = web().get(address(&env)).header("connection", "upgrade").header("upgrade", "websocket");
        request.header("sec-websocket-version", "13")
    };
    let ours = || upgrade().header("sec-websocket-protocol", "graphql-transport-ws");
    let requests: [(u16, &dyn Fn() -> RequestBuilder); 4] = [
        (403, &|| ours().header("origin", "https://secretcanary.example")),
        (400, &|| upgrade().header("sec-websocket-protocol", CANARY)),
        (400, &ours),
        (426, &|| {
            let request = web().get(address(&env)).header("connection", "upgrade").header("upgrade", "websocket");
            request.header("sec-websocket-version", CANARY)
        }),
    ];
    for (status, request) in requests {
        let mut texts = Vec::new();
        for language in LANGUAGES {
            let answer = request().header("accept-language", language).send().await.expect("the service answers");
            assert_eq!(answer.status(), status);
            texts.push(answer.text().await.expect("a text"));
        }
        check(&status.to_string(), &texts);
    }
}

#[tokio::test]
async fn connection_init_language_overrides_the_headers_and_those_the_default() {
    let env = TestEnv::start(Engine::Embedded).await;
    for (header, payload, word) in [
        (None, json!({}), "Операцияда"),
        (Some("ru"), json!({}), "В операции"),
        (Some("de;q=0.9, en;q=0.5, ru;q=0.8"), json!({}), "В операции"),
        (Some("ru"), json!({ "language": "en" }), "The operation"),
        (Some("ru"), json!({ "language": "de, kk;q=0.2, en-GB;q=0.7" }), "The operation"),
        (Some("ru"), json!({ "language": "de" }), "В операции"),
        (Some("ru"), json!({ "language": 7 }), "В операции"),
    ] {
        let mut socket = introduced(&env.host(0), header, &payload).await;
        socket.send(&json!({ "id": "1", "type": "subscribe", "payload": { "query": BROKEN } })).await;
        let refused = socket.receive().await;
        let message = refused["payload"][0]["message"].as_str().expect("a message");
        assert!(message.starts_with(word), "{header:?}, {payload}: {message}");
    }
}

/// Subscribes to comments with region names, in the language of this header and this payload.
async fn follow_names(actor: &Actor, meeting: &str, header: Option<&str>, payload: &Value) -> Subscription {
    let query =
        "subscription($id: ID!) { comments(meetingId: $id) { kind comment { body meeting { region { name } } } } }";
    let socket = introduced(&actor.host, header, payload).await;
    let mut live = socket.follow(query, json!({ "id": meeting })).await;
    assert_eq!(live.next().await["kind"], "SUBSCRIBED");
    live
}

on_both_engines! {
    async fn subscribers_of_one_feed_each_get_their_language(env) {
        let (staff, ana, anonymous) = (env.akimat(HOST), env.citizen("Ana"), env.anonymous());
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let names = "query($code: KatoCode!) { region(code: $code) { kk: name(language: KK) ru: name(language: RU) } }";
        let names = anonymous.query(names, json!({ "code": HOST })).await["region"].clone();
        assert_ne!(names["kk"], names["ru"]);
        let mut lives = Vec::new();
        for (language, header, payload) in [
            ("kk", None, json!({ "language": "kk" })),
            ("ru", None, json!({ "language": "ru" })),
            ("kk", Some("kk"), json!({})),
            ("ru", Some("ru"), json!({})),
            ("ru", Some("kk"), json!({ "language": "ru-RU" })),
            ("kk", None, json!({})),
        ] {
            lives.push((&names[language], follow_names(&anonymous, &meeting, header, &payload).await));
        }
        // The clock stands still, so a wrongly shared rendering would reach everyone.
        for body in ["Бір", "Екі", "Үш"] {
            ana.post(&meeting, body).await;
            for (name, live) in &mut lives {
                let event = live.next().await;
                assert_eq!(event["comment"]["body"], body);
                assert_eq!(event["comment"]["meeting"]["region"]["name"], **name);
            }
        }
    }
}
