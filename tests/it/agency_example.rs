//! The example subgraph of an agency: its commands, its requests, and the commands of its README.

use std::{collections::BTreeMap, path::Path, process::Output};

use harness::{
    Actor, HOST, Process, TIMEOUT, Tokens, checkout,
    external::{anonymous, now, person},
    id_of, refusal, token_claims, web,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

const CODE: &str = "roads";
const OPEN: &str = "mutation($input: OpenCaseInput!) { openCase(input: $input) { case { id number state title \
                    openedAt updatedAt internalNote comment { id } issue { id } region { code } } refusal { code message field } } }";
const MOVE: &str = "mutation($input: MoveCaseInput!) { moveCase(input: $input) { case { id state internalNote } \
                    refusal { code message field } } }";
const CASES: &str = "query($state: CaseState) { cases(state: $state) { nodes { id number internalNote } } }";
const COMMENTS: &str =
    "query($of: [_Any!]!) { _entities(representations: $of) { ... on Comment { id case { number } } } }";
const ISSUES: &str =
    "query($of: [_Any!]!) { _entities(representations: $of) { ... on Issue { id case { number internalNote } } } }";

struct Agency {
    process: Process,
    dir: tempfile::TempDir,
}

impl Agency {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { process: Process::agency(&settings(dir.path(), &[])).await, dir }
    }

    fn host(&self) -> &str {
        &self.process.host
    }

    fn official(&self) -> Actor {
        official(self.host(), CODE)
    }
}

fn settings(dir: &Path, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let jwks = dir.join("jwks.json");
    Tokens.publish(&jwks);
    let (jwks, data) = (jwks.display().to_string(), dir.join("data").display().to_string());
    let mut all = BTreeMap::from([
        ("AGENCY_CODE", CODE),
        ("AGENCY_JWKS", &jwks),
        ("AGENCY_DATA_DIR", &data),
        ("AGENCY_JWT_ISSUER", Tokens::ISSUER),
        ("AGENCY_JWT_AUDIENCE", Tokens::AUDIENCE),
    ]);
    all.extend(more.iter().copied());
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn official(host: &str, agency: &str) -> Actor {
    let mut claims = token_claims("official", "Official", &["AGENCY"], None, now());
    claims["agency"] = json!(agency);
    Actor::with_token(host, Tokens.sign(&claims))
}

fn input(comment: Option<&str>, key: &str) -> Value {
    json!({ "regionCode": HOST, "commentId": comment, "title": "Көпір", "idempotencyKey": key })
}

async fn open(official: &Actor, comment: Option<&str>, key: &str) -> Value {
    official.query(OPEN, json!({ "input": input(comment, key) })).await["openCase"].clone()
}

async fn open_about_issue(official: &Actor, issue: &str, key: &str) -> Value {
    let mut input = input(None, key);
    input["issueId"] = json!(issue);
    official.query(OPEN, json!({ "input": input })).await["openCase"].clone()
}

fn run(arguments: &[&str], settings: &[(String, String)]) -> Output {
    let mut command = std::process::Command::new(Process::agency_program());
    command.args(arguments).env_clear().envs(settings.iter().cloned()).output().expect("the program runs")
}

#[test]
fn schema_command_prints_the_checked_in_schema() {
    let file = std::fs::read_to_string(checkout().join("examples/agency/schema.graphql")).unwrap();
    let output = run(&["schema"], &[]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), file, "run `make schema`");
}

#[test]
fn invalid_setting_stops_startup_with_one_line_naming_it() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let file = dir.path().join("file");
    std::fs::write(&file, "not a directory, and no keys").unwrap();
    let file = file.display().to_string();
    for (name, value) in [
        ("AGENCY_LISTEN", taken.as_str()),
        ("AGENCY_CODE", ""),
        ("AGENCY_JWKS", "no-such-file"),
        ("AGENCY_JWKS", file.as_str()),
        ("AGENCY_DATA_DIR", file.as_str()),
        ("AGENCY_LOG", "=,"),
        ("AGENCY_TYPO", "1"),
    ] {
        let output = run(&["serve"], &settings(dir.path(), &[(name, value)]));
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.starts_with(&format!("kezdesu-agency: {name}: ")) && text.lines().count() == 1, "{text}");
    }
}

#[tokio::test]
async fn opens_a_case_once_and_keeps_it_across_a_restart() {
    let agency = Agency::start().await;
    let official = agency.official();
    let first = open(&official, Some("cmt_1"), "k").await;
    assert_eq!(first["refusal"], Value::Null, "{first}");
    assert_eq!(first["case"]["number"].as_str().unwrap().split_once('-').unwrap().1, "00001");
    assert!(id_of(&first["case"]).starts_with("case_"));
    assert_eq!((&first["case"]["comment"]["id"], &first["case"]["region"]["code"]), (&json!("cmt_1"), &json!(HOST)));
    assert_eq!(open(&official, Some("cmt_1"), "k").await, first);
    let other = open(&official, None, "k").await;
    assert_eq!((refusal(&other).as_str(), &other["refusal"]["field"]), ("KEY_REUSED", &json!("idempotencyKey")));
    assert_eq!(refusal(&open(&official, Some("cmt_1"), "l").await), "ALREADY_OPEN");

    let Agency { process, dir } = agency;
    process.kill().await;
    let again = Process::agency(&settings(dir.path(), &[])).await;
    let official = self::official(&again.host, CODE);
    assert_eq!(open(&official, Some("cmt_1"), "k").await, first);
    assert_eq!(official.query(CASES, json!({})).await["cases"]["nodes"].as_array().unwrap().len(), 1);
    assert!(again.terminate().await, "it exits successfully on SIGTERM");
}

#[tokio::test]
async fn opens_one_case_about_an_issue_and_none_about_a_comment_too() {
    let agency = Agency::start().await;
    let official = agency.official();
    let first = open_about_issue(&official, "iss_1", "k").await;
    assert_eq!(first["refusal"], Value::Null, "{first}");
    assert_eq!((&first["case"]["issue"]["id"], &first["case"]["comment"]), (&json!("iss_1"), &Value::Null));
    assert_eq!(open_about_issue(&official, "iss_1", "k").await, first, "a repeat returns the first");
    let mut both = input(Some("cmt_1"), "m");
    both["issueId"] = json!("iss_2");
    let both = official.query(OPEN, json!({ "input": both })).await["openCase"].clone();
    for (refused, code) in [
        (open_about_issue(&official, "iss_1", "l").await, "ALREADY_OPEN"),
        (open_about_issue(&official, "no identity", "l").await, "INVALID"),
        (both, "INVALID"),
    ] {
        assert_eq!((refusal(&refused).as_str(), &refused["refusal"]["field"]), (code, &json!("issueId")), "{refused}");
    }
    let other = open_about_issue(&official, "iss_2", "k").await;
    assert_eq!((refusal(&other).as_str(), &other["refusal"]["field"]), ("KEY_REUSED", &json!("idempotencyKey")));
    let mut input = input(None, "own");
    input["issueId"] = json!("iss_2");
    for (who, code) in [
        (anonymous(agency.host()), "UNAUTHENTICATED"),
        (self::official(agency.host(), "rivers"), "FORBIDDEN"),
        (person(agency.host(), "ana", &["CITIZEN"]), "FORBIDDEN"),
    ] {
        assert_eq!(who.error(OPEN, json!({ "input": input })).await, code);
    }
}

#[tokio::test]
async fn resolves_references_to_issues_and_shows_notes_to_staff_only() {
    let agency = Agency::start().await;
    let official = agency.official();
    for n in (0..100).step_by(10) {
        let case = open_about_issue(&official, &format!("iss_{n}"), &n.to_string()).await["case"].clone();
        let note = json!({ "caseId": id_of(&case), "state": "IN_PROGRESS", "note": "ішкі" });
        official.query(MOVE, json!({ "input": note })).await;
    }
    open(&official, Some("cmt_1"), "comment").await;
    let reference = |n: usize| match n {
        5 => json!({ "__typename": "Issue", "id": "no identity" }),
        6 => json!({ "__typename": "Issue", "id": 6 }),
        7 => json!({ "__typename": "Issue", "id": "cmt_1" }),
        n => json!({ "__typename": "Issue", "id": format!("iss_{n}") }),
    };
    let of: Vec<_> = (0..100).map(reference).collect();
    for (who, note) in [(anonymous(agency.host()), Value::Null), (official, json!("ішкі"))] {
        let found = who.query(ISSUES, json!({ "of": of })).await["_entities"].clone();
        for n in 0..100 {
            let case = &found[n]["case"];
            let number = case["number"].as_str().map(|number| number.split_once('-').unwrap().1.to_owned());
            assert_eq!(number, (n % 10 == 0).then(|| format!("{:05}", n / 10 + 1)), "{n}");
            assert_eq!(found[n].is_null(), n == 5 || n == 6, "{n}");
            assert!(case.is_null() || case["internalNote"] == note, "{case}");
        }
    }
}

#[tokio::test]
async fn only_agency_staff_opens_and_moves_cases_and_reads_internal_notes() {
    let agency = Agency::start().await;
    let official = agency.official();
    let case = open(&official, None, "k").await["case"].clone();
    let note = json!({ "caseId": id_of(&case), "state": "CLOSED", "note": "ішкі" });
    let moved = official.query(MOVE, json!({ "input": note })).await["moveCase"].clone();
    assert_eq!((&moved["case"]["state"], &moved["case"]["internalNote"]), (&json!("CLOSED"), &json!("ішкі")));
    let back = json!({ "caseId": id_of(&case), "state": "OPEN" });
    let back = official.query(MOVE, json!({ "input": back })).await["moveCase"].clone();
    assert_eq!(refusal(&back), "WRONG_STATE");

    let anonymous = anonymous(agency.host());
    let neighbour = self::official(agency.host(), "rivers");
    let citizen = person(agency.host(), "ana", &["CITIZEN"]);
    let admin = person(agency.host(), "admin", &["ADMIN"]);
    for (who, code, seen) in [
        (&anonymous, Some("UNAUTHENTICATED"), Value::Null),
        (&neighbour, Some("FORBIDDEN"), Value::Null),
        (&citizen, Some("FORBIDDEN"), Value::Null),
        (&admin, None, json!("ішкі")),
    ] {
        assert_eq!(who.query(CASES, json!({ "state": "CLOSED" })).await["cases"]["nodes"][0]["internalNote"], seen);
        let Some(code) = code else { continue };
        assert_eq!(who.error(OPEN, json!({ "input": input(None, "own") })).await, code);
        assert_eq!(who.error(MOVE, json!({ "input": note })).await, code);
    }
    assert_eq!(open(&admin, None, "own").await["refusal"], Value::Null);
}

#[tokio::test]
async fn resolves_references_in_order_and_rejects_more_than_two_hundred() {
    let agency = Agency::start().await;
    let official = agency.official();
    for n in (0..100).step_by(10) {
        open(&official, Some(&format!("cmt_{n}")), &n.to_string()).await;
    }
    let anonymous = anonymous(agency.host());
    let reference = |n: usize| match n {
        5 => json!({ "__typename": "Comment", "id": "no identity" }),
        6 => json!({ "__typename": "Comment", "id": 6 }),
        n => json!({ "__typename": "Comment", "id": format!("cmt_{n}") }),
    };
    let of: Vec<_> = (0..100).map(reference).collect();
    let found = anonymous.query(COMMENTS, json!({ "of": of })).await["_entities"].clone();
    for n in 0..100 {
        let number = found[n]["case"]["number"].as_str().map(|number| number.split_once('-').unwrap().1.to_owned());
        assert_eq!(number, (n % 10 == 0).then(|| format!("{:05}", n / 10 + 1)), "{n}");
        assert_eq!(found[n].is_null(), n == 5 || n == 6, "{n}");
    }
    let many: Vec<_> = (100..301).map(reference).collect();
    assert_eq!(anonymous.error(COMMENTS, json!({ "of": many })).await, "COST_EXCEEDED");
    let default = format!("[{}]", "{ __typename: \"Comment\", id: \"cmt_0\" }".repeat(201));
    let by_default = COMMENTS.replace("[_Any!]!", &format!("[_Any!]! = {default}"));
    assert_eq!(anonymous.error(&by_default, json!({})).await, "COST_EXCEEDED");
}

#[tokio::test]
async fn rejects_an_invalid_token_even_where_none_is_required() {
    let agency = Agency::start().await;
    let claims = |changed: &str, value: Value| {
        let mut claims = token_claims("official", "Official", &["ADMIN"], None, now());
        claims[changed] = value;
        Tokens.sign(&claims)
    };
    let tokens = [
        "not.a.token".to_owned(),
        claims("exp", json!(now().timestamp() - 1)),
        claims("aud", json!("another")),
        claims("iss", json!("https://another.example")),
        claims("sub", Value::Null),
    ];
    for token in tokens {
        let actor = Actor::with_token(agency.host(), token);
        let answer = actor.request().json(&json!({ "query": CASES })).send().await.unwrap();
        assert_eq!(
            (answer.status(), &answer.headers()["www-authenticate"]),
            (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
        );
        assert_eq!(answer.json::<Value>().await.unwrap()["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn accepts_only_a_post_of_one_json_object() {
    let agency = Agency::start().await;
    let address = format!("http://{}/graphql", agency.host());
    let token = agency.official().token.unwrap();
    let body = json!({ "query": OPEN, "variables": { "input": input(None, "k") } }).to_string();
    for kind in
        [Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data; boundary=a"), None]
    {
        let mut request = web().post(&address).bearer_auth(&token).body(body.clone());
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
    }
    let get = web().get(&address).bearer_auth(&token).query(&[("query", "mutation { openCase { case { id } } }")]);
    let get = get.send().await.unwrap();
    assert_eq!((get.status(), &get.headers()["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap()));
    let preflight = web().request(reqwest::Method::OPTIONS, &address).header("origin", "https://evil.example");
    let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
    assert!(!preflight.headers().contains_key("access-control-allow-origin"));
    let post = async |body: String| {
        let request =
            web().post(&address).header("content-type", "application/json; charset=utf-8").bearer_auth(&token);
        let answer = request.body(body).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    for wrong in [String::new(), "7".to_owned(), format!("[{body}]"), "{\"query\":1}".to_owned()] {
        let (status, text) = post(wrong).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(text.contains("BAD_USER_INPUT") && !text.contains("line"), "{text}");
    }
    assert_eq!(post(format!("{{\"query\":\"{}\"}}", "x".repeat(300 << 10))).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let none = anonymous(agency.host()).query(CASES, json!({})).await;
    assert_eq!(none["cases"]["nodes"], json!([]), "no rejected request opened a case");
    assert_eq!(post(body).await.0, StatusCode::OK);
    let health = web().get(format!("http://{}/healthz", agency.host())).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);
}

/// Returns the shell blocks of a Markdown page.
fn blocks(page: &str) -> Vec<String> {
    page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn readme_commands_work() {
    let page = std::fs::read_to_string(checkout().join("examples/agency/README.md")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().display().to_string();
    let blocks: Vec<_> = blocks(&page).into_iter().map(|block| block.replace("target/agency", &here)).collect();
    let serve = "cargo run --bin kezdesu-agency -- serve";
    assert!(blocks[0].contains(serve));
    // Run unchanged, except that the program is started below on its own port.
    let script = format!("set -eu\n{}", blocks[0].replace(serve, "env"));
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", &script]).current_dir(checkout()).kill_on_drop(true);
    let output = tokio::time::timeout(TIMEOUT, shell.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let environment = String::from_utf8(output.stdout).unwrap();
    let settings: Vec<_> = environment
        .lines()
        .filter(|line| line.starts_with("AGENCY_"))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let agency = Process::agency(&settings).await;
    let token = std::fs::read_to_string(dir.path().join("token")).unwrap();
    let official = Actor::with_token(&agency.host, token.trim().to_owned());
    let mut answers = Vec::new();
    for block in &blocks[1..3] {
        let body = block.split("-d '").nth(1).unwrap().split('\'').next().unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        answers.push(official.query(body["query"].as_str().unwrap(), body["variables"].clone()).await);
    }
    let opened = &answers[0]["openCase"];
    assert_eq!((&opened["case"]["state"], &opened["refusal"]), (&json!("OPEN"), &Value::Null), "{opened}");
    let found = &answers[1]["_entities"][0]["cases"]["nodes"][0];
    assert_eq!(found["number"], opened["case"]["number"], "{found}");
}
