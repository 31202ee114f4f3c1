//! Real gateways in front of both subgraphs: queries across both, and forwarded headers.

use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use harness::{
    AGENCY, Actor, Graph, HOST,
    external::{anonymous, now, person},
    id_of, refusal, until, web,
};
use serde_json::{Value, json};

const NOTE: &str = "call the owner";
/// Commands a minute that an address may send; starting a meeting takes three.
const A_MINUTE: usize = 4;
const ACROSS: &str = "query($meeting: ID!, $number: String!) {
    meeting(id: $meeting) { region { code } comments(first: 10) { nodes { body case { number state region { name } } } } }
    case(number: $number) { title region { code name } comment { body meeting { phase } } }
}";
const FOLLOW: &str = "subscription($id: ID!, $after: Int) { comments(meetingId: $id, after: $after) {
    seq prev kind recovered comment { body viewerIsAuthor case { number internalNote } } } }";
const ISSUES: &str = "query($id: ID!, $number: String!, $case: String!, $body: String!) {
    case(number: $case) { comment { body } issue { number title responsible { code } } }
    issue(id: $id) { title case { number state } }
    issueByNumber(number: $number) { id case { number internalNote } }
    agency(code: $body) { issues(first: 10) { nodes { number case { number issue { title } } } } }
}";
const FOLLOW_ISSUES: &str = "subscription($filter: IssueFilter, $after: Int) { issues(filter: $filter, after: $after) {
    seq prev kind recovered issue { number title case { number state internalNote } } } }";
const LANGUAGES: &str = "query($code: KatoCode!) { region(code: $code) { name } }";

/// Runs a mutation of the agency, which must succeed, and returns the case.
async fn change_case(official: &Actor, mutation: &str, kind: &str, input: Value) -> Value {
    let fields = "case { id number } refusal { code message }";
    let text = format!("mutation($input: {kind}!) {{ {mutation}(input: $input) {{ {fields} }} }}");
    let payload = official.query(&text, json!({ "input": input })).await[mutation].clone();
    assert!(payload["refusal"].is_null(), "{payload}");
    payload["case"].clone()
}

/// Opens a case with an internal note about a comment (`commentId`) or an issue (`issueId`), and returns it.
async fn open_case(official: &Actor, part: &str, about: &str, key: u32) -> Value {
    let key = format!("6f9f6ad6-5f0f-4b53-a0f3-{key:012}");
    let case = json!({ "title": "Road", "regionCode": HOST, part: about, "idempotencyKey": key });
    let case = change_case(official, "openCase", "OpenCaseInput", case).await;
    let noted = json!({ "caseId": case["id"], "state": "IN_PROGRESS", "note": NOTE });
    change_case(official, "moveCase", "MoveCaseInput", noted).await
}

/// Raises an issue, past the gateway, and returns the staff and the issue.
async fn raise(graph: &Graph, title: &str) -> (Actor, Value) {
    let staff = person(&graph.kezdesu.host, "staff", &["AKIMAT"]);
    let issue = staff.raise(title, &[]).await;
    (staff, issue)
}

/// Returns a deadline that an issue can have.
fn deadline() -> String {
    (now() + TimeDelta::days(60)).date_naive().to_string()
}

/// Checks a query across both subgraphs, and that refusals arrive unchanged.
pub(crate) async fn answers_across_subgraphs(graph: &Graph, gateway: &str) {
    let (staff, meeting) = graph.live_meeting("AFTER").await;
    let ana = person(gateway, "ana", &["CITIZEN"]);
    let comment = id_of(&ana.post(&meeting, "Жол?").await);
    ana.post(&meeting, "Су?").await;
    let number = open_case(&graph.official(gateway), "commentId", &comment, 1).await["number"].clone();

    let found = ana.query(ACROSS, json!({ "meeting": meeting, "number": number })).await;
    let comments = &found["meeting"]["comments"]["nodes"];
    assert_eq!((&comments[0]["body"], &comments[0]["case"]["number"]), (&json!("Жол?"), &number), "{found}");
    assert_eq!((&comments[1]["body"], &comments[1]["case"]), (&json!("Су?"), &Value::Null), "{found}");
    let region = staff.query(LANGUAGES, json!({ "code": HOST })).await["region"]["name"].clone();
    assert_eq!(comments[0]["case"]["region"]["name"], region);
    assert_eq!(found["case"]["region"], json!({ "code": HOST, "name": region }));
    assert_eq!(found["case"]["comment"], json!({ "body": "Жол?", "meeting": { "phase": "LIVE" } }));

    staff.mutate("setModeration", json!({ "meetingId": meeting, "slowModeSeconds": 3600 })).await;
    let too_fast = ana.mutate("postComment", json!({ "meetingId": meeting, "body": "Және?" })).await;
    assert_eq!(refusal(&too_fast), "TOO_FAST");
    assert!((1..=3_600_000).contains(&too_fast["refusal"]["retryAfterMs"].as_i64().unwrap()), "{too_fast}");
    let planner = person(gateway, "staff", &["AKIMAT"]);
    let wrong = json!({
        "host": HOST, "region": HOST, "title": { "kk": "К", "ru": "В" }, "origin": "OFF_CALENDAR",
        "plannedStart": now() + TimeDelta::hours(1), "plannedMinutes": 60, "moderation": "AFTER",
    });
    let through = planner.mutate("planMeeting", wrong.clone()).await;
    let direct = staff.mutate("planMeeting", wrong).await;
    assert_eq!((refusal(&through).as_str(), &through["refusal"]["field"]), ("DECREE", &json!("offCalendarReason")));
    assert_eq!(through, direct, "the payload arrives unchanged");
    let forbidden = ana.try_mutate("setModeration", json!({ "meetingId": meeting, "mode": "BEFORE" })).await;
    assert_eq!(forbidden["errors"][0]["extensions"]["code"], "FORBIDDEN", "{forbidden}");
}

/// Checks queries from an issue to the agency's case and back, by each key of the issue.
pub(crate) async fn answers_about_issues(graph: &Graph, gateway: &str) {
    let (staff, issue) = raise(graph, "Көпір").await;
    let (_, other) = raise(graph, "Аурухана").await;
    staff.assign(&id_of(&issue), AGENCY, &deadline()).await;
    staff.assign(&id_of(&other), "min-health", &deadline()).await;
    let official = graph.official(gateway);
    let case = open_case(&official, "issueId", &id_of(&issue), 3).await["number"].clone();

    let variables = json!({ "id": issue["id"], "number": issue["number"], "case": case, "body": AGENCY });
    for (who, note) in [(anonymous(gateway), Value::Null), (official, json!(NOTE))] {
        let found = who.query(ISSUES, variables.clone()).await;
        let shown = json!({ "number": issue["number"], "title": "Көпір", "responsible": { "code": AGENCY } });
        assert_eq!(found["case"], json!({ "comment": null, "issue": shown }), "{found}");
        assert_eq!(found["issue"], json!({ "title": "Көпір", "case": { "number": case, "state": "IN_PROGRESS" } }));
        let by_number = json!({ "id": issue["id"], "case": { "number": case, "internalNote": note } });
        assert_eq!(found["issueByNumber"], by_number, "by the number, which the agency does not know");
        let own = json!({ "number": issue["number"], "case": { "number": case, "issue": { "title": "Көпір" } } });
        assert_eq!(found["agency"]["issues"]["nodes"], json!([own]));
    }
    let none = "query($id: ID!) { issue(id: $id) { number case { number } } }";
    let none = anonymous(gateway).query(none, json!({ "id": other["id"] })).await["issue"].clone();
    assert_eq!(none, json!({ "number": other["number"], "case": null }), "the agency opened none about it");

    let merge = json!({ "into": other["id"], "issueIds": [issue["id"]] });
    assert!(staff.mutate("mergeIssues", merge).await["refusal"].is_null());
    let merged =
        "query($case: String!) { case(number: $case) { issue { number mergedInto { number case { number } } } } }";
    let merged = anonymous(gateway).query(merged, json!({ "case": case })).await["case"]["issue"].clone();
    let into = json!({ "number": other["number"], "case": null });
    assert_eq!(merged, json!({ "number": issue["number"], "mergedInto": into }), "the case stays where it was opened");
}

/// Checks that each subgraph gets the token and the language.
pub(crate) async fn forwards_token_and_language(graph: &Graph, gateway: &str) {
    let (_, meeting) = graph.live_meeting("BEFORE").await;
    let ana = person(gateway, "ana", &["CITIZEN"]);
    let viewer = "{ viewer { subject } }";
    assert_eq!(ana.query(viewer, json!({})).await["viewer"]["subject"], "ana");
    let anonymous = anonymous(gateway);
    assert_eq!(anonymous.query(viewer, json!({})).await["viewer"], Value::Null);

    let comment = id_of(&ana.post(&meeting, "Күтеді").await);
    let official = graph.official(gateway);
    let number = open_case(&official, "commentId", &comment, 2).await["number"].clone();
    let case = "query($number: String!) { case(number: $number) { number internalNote comment { body } } }";
    // The agency knows the comment, and this service decides whether it is visible. A gateway may add an error that
    // `body` is not nullable.
    let case = async |actor: &Actor| {
        let answer = actor.send(case, json!({ "number": number })).await;
        for error in answer["errors"].as_array().unwrap_or(&Vec::new()) {
            assert_eq!(error["path"], json!(["case", "comment", "body"]), "{answer}");
        }
        answer["data"]["case"].clone()
    };
    assert_eq!(case(&anonymous).await, json!({ "number": number, "internalNote": null, "comment": null }));
    assert_eq!(case(&ana).await, json!({ "number": number, "internalNote": null, "comment": { "body": "Күтеді" } }));
    assert_eq!(case(&official).await, json!({ "number": number, "internalNote": NOTE, "comment": null }));

    let mut names = Vec::new();
    for language in ["kk", "ru", "ru-RU,ru;q=0.9", "en"] {
        let body = json!({ "query": LANGUAGES, "variables": { "code": HOST } });
        let ask =
            |host: &str| web().post(format!("http://{host}/graphql")).header("accept-language", language).json(&body);
        let mut answers = Vec::new();
        for host in [gateway, &graph.kezdesu.host] {
            answers
                .push(ask(host).send().await.unwrap().json::<Value>().await.unwrap()["data"]["region"]["name"].clone());
        }
        assert_eq!(answers[0], answers[1], "{language}");
        names.push(answers.remove(0));
    }
    assert_ne!(names[0], names[1]);
    assert_eq!(names[1], names[2]);
}

/// Checks that the client's address is forwarded, whatever the client sends in the header.
async fn forwards_client_address(graph: &Graph, gateway: &str) {
    let (_, meeting) = graph.live_meeting("AFTER").await;
    let posted = AtomicUsize::new(0);
    let post = async |address: &str, claim: &str| {
        let text = format!("Сұрақ {}", posted.fetch_add(1, Ordering::Relaxed));
        let client = reqwest::Client::builder().local_address(Some(address.parse().unwrap())).build().unwrap();
        let query = "mutation($input: PostCommentInput!) { postComment(input: $input) { refusal { code } } }";
        let body = json!({ "query": query, "variables": { "input": { "meetingId": meeting, "body": text } } });
        let ana = person(gateway, "ana", &["CITIZEN"]).token.unwrap();
        let request =
            client.post(format!("http://{gateway}/graphql")).bearer_auth(ana).header("x-forwarded-for", claim);
        let answer: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
        answer["errors"][0]["extensions"]["code"].clone()
    };
    for n in 0..A_MINUTE {
        assert_eq!(post("127.0.0.2", &format!("198.51.100.{n}")).await, Value::Null);
    }
    assert_eq!(post("127.0.0.2", "198.51.100.13").await, "RATE_LIMITED", "a forged header is ignored");
    assert_eq!(post("127.0.0.3", "198.51.100.3").await, Value::Null);
    // The trusted address is a proxy.
    for _ in 0..A_MINUTE {
        assert_eq!(post("127.0.0.1", "198.51.100.3").await, Value::Null);
    }
    assert_eq!(post("127.0.0.1", "198.51.100.3").await, "RATE_LIMITED");
    assert_eq!(post("127.0.0.1", "198.51.100.4").await, Value::Null);
}

#[tokio::test]
async fn gateways_forward_the_client_address() {
    let bounds =
        [("KEZDESU_ADDRESS_A_MINUTE", A_MINUTE.to_string()), ("KEZDESU_TRUSTED_PROXIES", "127.0.0.1/32".to_owned())];
    let graph = Graph::start(&bounds).await;
    forwards_client_address(&graph, &graph.hive_gateway().await.host).await;
    let graph = Graph::start(&bounds).await;
    forwards_client_address(&graph, &graph.apollo_gateway().await.host).await;
}

#[tokio::test]
async fn hive_gateway_answers_from_both_subgraphs() {
    let graph = Graph::start(&[]).await;
    let gateway = graph.hive_gateway().await;
    answers_across_subgraphs(&graph, &gateway.host).await;
    answers_about_issues(&graph, &gateway.host).await;
    forwards_token_and_language(&graph, &gateway.host).await;
}

#[tokio::test]
async fn apollo_gateway_answers_from_both_subgraphs() {
    let graph = Graph::start(&[]).await;
    let gateway = graph.apollo_gateway().await;
    answers_across_subgraphs(&graph, &gateway.host).await;
    answers_about_issues(&graph, &gateway.host).await;
    forwards_token_and_language(&graph, &gateway.host).await;
}

/// Returns the next event except heartbeats.
async fn next(live: &mut harness::Subscription) -> Value {
    loop {
        let event = live.next().await;
        if event["kind"] != "HEARTBEAT" {
            return event;
        }
    }
}

/// Checks a subscription to this service that adds fields of the agency, with the viewer's permissions in both.
pub(crate) async fn subscribes_across_subgraphs(graph: &Graph, gateway: &str) {
    let (staff, meeting) = graph.live_meeting("BEFORE").await;
    let ana = person(gateway, "ana", &["CITIZEN"]);
    let comment = id_of(&ana.post(&meeting, "Жол?").await);
    let number = open_case(&graph.official(gateway), "commentId", &comment, 1).await["number"].clone();

    let variables = json!({ "id": meeting, "after": 0 });
    let anonymous = anonymous(gateway);
    let mut public = anonymous.follow(FOLLOW, variables.clone()).await;
    let mut own = ana.follow(FOLLOW, variables.clone()).await;
    let mut desk = graph.official(gateway).follow(FOLLOW, variables).await;
    for live in [&mut public, &mut own, &mut desk] {
        assert_eq!(next(live).await["kind"], "SUBSCRIBED");
    }
    staff.moderate("APPROVE", &[&comment]).await;
    let shown = json!({ "body": "Жол?", "viewerIsAuthor": false, "case": { "number": number, "internalNote": null } });
    let event = next(&mut public).await;
    assert_eq!((&event["kind"], &event["comment"]), (&json!("POSTED"), &shown));
    // The author gets events about it from the start.
    for seq in [json!(1), event["seq"].clone()] {
        let theirs = next(&mut own).await;
        assert_eq!((&theirs["comment"]["viewerIsAuthor"], &theirs["seq"]), (&json!(true), &seq));
    }
    // Both subgraphs know the viewer.
    assert_eq!(next(&mut desk).await["comment"]["case"]["internalNote"], NOTE);
}

/// Checks that events about the issues of an agency include its cases, as they are at the event.
pub(crate) async fn subscribes_to_issues_of_an_agency(graph: &Graph, gateway: &str) {
    let (staff, issue) = raise(graph, "Көпір").await;
    let (_, other) = raise(graph, "Аурухана").await;
    let official = graph.official(gateway);
    let case = open_case(&official, "issueId", &id_of(&issue), 1).await;
    let shown = |state: &str, note: &Value| {
        let case = json!({ "number": case["number"], "state": state, "internalNote": note });
        json!({ "number": issue["number"], "title": "Көпір", "case": case })
    };
    let filter = json!({ "agency": AGENCY });
    let mut own = official.follow(FOLLOW_ISSUES, json!({ "filter": filter })).await;
    let mut public = anonymous(gateway).follow(FOLLOW_ISSUES, json!({ "filter": filter })).await;
    let mut followers = [(&mut own, json!(NOTE)), (&mut public, Value::Null)];
    for (live, _) in &mut followers {
        assert_eq!(next(live).await["kind"], "SUBSCRIBED");
    }
    staff.assign(&id_of(&other), "min-health", &deadline()).await;
    staff.assign(&id_of(&issue), AGENCY, &deadline()).await;
    let mut assigned = Value::Null;
    for (live, note) in &mut followers {
        assigned = next(live).await;
        let expected = (&json!("ASSIGNED"), &shown("IN_PROGRESS", note));
        assert_eq!((&assigned["kind"], &assigned["issue"]), expected, "the first event is about its own issue");
    }
    let closed = json!({ "caseId": case["id"], "state": "CLOSED" });
    change_case(&official, "moveCase", "MoveCaseInput", closed).await;
    staff.mutate("declineIssue", json!({ "issueId": issue["id"], "reason": "Қайталанады" })).await;
    for (live, note) in &mut followers {
        let declined = next(live).await;
        assert_eq!((&declined["kind"], &declined["issue"]), (&json!("DECLINED"), &shown("CLOSED", note)));
    }
    // After an absence, too.
    let mut back = official.follow(FOLLOW_ISSUES, json!({ "filter": filter, "after": assigned["seq"] })).await;
    let subscribed = next(&mut back).await;
    assert_eq!((&subscribed["kind"], &subscribed["recovered"]), (&json!("SUBSCRIBED"), &json!(true)));
    assert_eq!(next(&mut back).await["issue"], shown("CLOSED", &json!(NOTE)));
}

#[tokio::test]
async fn hive_gateway_subscribes_across_both_subgraphs() {
    let graph = Graph::start(&[]).await;
    let gateway = graph.hive_gateway().await;
    subscribes_across_subgraphs(&graph, &gateway.host).await;
}

#[tokio::test]
async fn hive_gateway_adds_cases_to_the_events_of_an_agencys_issues() {
    let graph = Graph::start(&[]).await;
    let gateway = graph.hive_gateway().await;
    subscribes_to_issues_of_an_agency(&graph, &gateway.host).await;
}

#[tokio::test]
async fn hive_gateway_subscribers_share_one_socket_and_its_limit() {
    let bound = [("KEZDESU_GATEWAYS", "127.0.0.1".to_owned()), ("KEZDESU_GATEWAY_OPERATIONS", "30".to_owned())];
    let graph = Graph::start(&bound).await;
    let gateway = graph.hive_gateway().await;
    let (_, meeting) = graph.live_meeting("AFTER").await;
    let ana = person(&gateway.host, "ana", &["CITIZEN"]);
    let anonymous = anonymous(&gateway.host);
    let mut followers = Vec::new();
    for _ in 0..30 {
        let mut live = anonymous.follow(FOLLOW, json!({ "id": meeting })).await;
        assert_eq!(next(&mut live).await["kind"], "SUBSCRIBED");
        followers.push(live);
    }
    let mut one_more = anonymous.follow(FOLLOW, json!({ "id": meeting })).await;
    let refused = one_more.socket.receive().await;
    assert_eq!(refused["payload"]["errors"][0]["extensions"]["code"], "COST_EXCEEDED", "{refused}");
    ana.post(&meeting, "Жол?").await;
    for live in &mut followers {
        assert_eq!(next(live).await["comment"]["body"], "Жол?");
    }
    assert_eq!(graph.kezdesu.metric("kezdesu_sockets ").await, "1");
    // A client that leaves the gateway frees its operation here.
    followers.pop();
    let try_again = async || {
        let mut live = anonymous.follow(FOLLOW, json!({ "id": meeting })).await;
        live.socket.receive().await["payload"]["data"]["comments"]["kind"].clone()
    };
    until(try_again, || {}, |kind| kind == "SUBSCRIBED").await;
}
