//! Rate limits of persons and addresses.

use chrono::TimeDelta;
use harness::{Actor, Engine, HOST, Socket, TestEnv, id_of, web};
use serde_json::{Value, json};

async fn env(person: &str, address: &str) -> TestEnv {
    let limits = [
        ("KEZDESU_PERSON_A_MINUTE", person),
        ("KEZDESU_ADDRESS_A_MINUTE", address),
        ("KEZDESU_TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    TestEnv::with(Engine::Embedded, &limits).await
}

/// The separately limited kinds of mutations.
#[derive(Clone, Copy, Debug)]
enum Counted {
    Post,
    Vote,
    Other,
}

impl Counted {
    /// Returns the operation for a meeting and another person's comment.
    fn operation(self, fixture: &Fixture) -> Value {
        let (query, input) = match self {
            Self::Post => (
                "mutation($input: PostCommentInput!) { done: postComment(input: $input) { refusal { code } } }",
                json!({ "meetingId": fixture.meeting, "body": "Жол?" }),
            ),
            Self::Vote => (
                "mutation($input: VoteCommentInput!) { done: voteComment(input: $input) { refusal { code } } }",
                json!({ "commentId": fixture.comment }),
            ),
            // Denied commands count too.
            Self::Other => (
                "mutation($input: WithdrawCommentInput!) { done: withdrawComment(input: $input) { refusal { code } } }",
                json!({ "commentId": fixture.comment }),
            ),
        };
        json!({ "query": query, "variables": { "input": input } })
    }

    fn other(self) -> Self {
        match self {
            Self::Post => Self::Vote,
            Self::Vote => Self::Other,
            Self::Other => Self::Post,
        }
    }
}

/// A live meeting with a comment.
struct Fixture {
    env: TestEnv,
    meeting: String,
    comment: String,
}

async fn fixture(person: &str, address: &str) -> Fixture {
    let env = env(person, address).await;
    let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
    let comment = id_of(&env.citizen("Zere").post(&meeting, "Көрші").await);
    // Resets the limits used by the setup.
    env.advance(TimeDelta::minutes(1));
    Fixture { env, meeting, comment }
}

/// How an operation is sent: over HTTP or a socket, as forwarded from an address.
enum Transport<'a> {
    Http(&'a str),
    Socket(Box<Socket>),
}

impl Transport<'_> {
    async fn socket(actor: &Actor, forwarded: &str) -> Self {
        let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("x-forwarded-for", forwarded)];
        let mut socket = Socket::try_open(&actor.host, &headers).await.expect("the handshake succeeds");
        let token = format!("Bearer {}", actor.token.as_deref().expect("a token"));
        socket.send(&json!({ "type": "connection_init", "payload": { "authorization": token } })).await;
        assert_eq!(socket.receive().await["type"], "connection_ack");
        Self::Socket(Box::new(socket))
    }

    /// Returns `retryAfterMs` of the rejection, or `None` if the operation ran.
    async fn wait(&mut self, author: &Actor, operation: Value) -> Option<u64> {
        let answer = match self {
            Self::Http(forwarded) => {
                let request =
                    web().post(format!("http://{}/graphql", author.host)).header("x-forwarded-for", *forwarded);
                let request = request.bearer_auth(author.token.as_deref().expect("a token"));
                request.json(&operation).send().await.unwrap().json::<Value>().await.unwrap()
            }
            Self::Socket(socket) => {
                socket.send(&json!({ "id": "1", "type": "subscribe", "payload": operation })).await;
                let heard = socket.receive().await;
                if heard["type"] == "error" {
                    json!({ "errors": heard["payload"] })
                } else {
                    assert_eq!(socket.receive().await, json!({ "id": "1", "type": "complete" }));
                    heard["payload"].clone()
                }
            }
        };
        let limit = &answer["errors"][0]["extensions"];
        // Denied commands count too.
        if limit.is_null() || limit["code"] == "FORBIDDEN" {
            return None;
        }
        assert_eq!(limit["code"], "RATE_LIMITED", "{answer}");
        assert!(answer.get("data").is_none(), "nothing was executed: {answer}");
        Some(limit["retryAfterMs"].as_u64().unwrap_or_else(|| panic!("no retryAfterMs: {answer}")))
    }
}

#[tokio::test]
async fn limits_the_mutations_of_a_person_over_every_transport() {
    for what in [Counted::Post, Counted::Vote, Counted::Other] {
        let fixture = fixture("3", "0").await;
        let (ana, ben) = (fixture.env.citizen("Ana"), fixture.env.citizen("Ben"));
        let operation = what.operation(&fixture);
        let mut transports = [Transport::Http("203.0.113.7"), Transport::socket(&ana, "203.0.113.8").await];
        for n in 0..3 {
            let operation = distinct(&operation, n);
            assert_eq!(transports[n % 2].wait(&ana, operation).await, None, "{what:?} {n}");
        }
        for transport in &mut transports {
            assert_eq!(
                transport.wait(&ana, distinct(&operation, 3)).await,
                Some(20_000),
                "{what:?}: all transports share the limit"
            );
        }
        assert_eq!(
            transports[1].wait(&ana, what.other().operation(&fixture)).await,
            None,
            "each kind has its own limit"
        );
        assert_eq!(
            Transport::Http("203.0.113.7").wait(&ben, distinct(&operation, 4)).await,
            None,
            "each person has their own limit"
        );
        fixture.env.advance(TimeDelta::milliseconds(19_999));
        for transport in &mut transports {
            assert_eq!(transport.wait(&ana, distinct(&operation, 5)).await, Some(1), "{what:?}");
        }
        fixture.env.advance(TimeDelta::milliseconds(1));
        assert_eq!(transports[1].wait(&ana, distinct(&operation, 6)).await, None, "{what:?}");
        assert_eq!(transports[0].wait(&ana, distinct(&operation, 7)).await, Some(20_000), "{what:?}");
    }
}

/// Returns the operation with a distinct body, if it has one.
fn distinct(operation: &Value, n: usize) -> Value {
    let mut operation = operation.clone();
    if let Some(body) = operation["variables"]["input"].get_mut("body") {
        *body = json!(format!("№ {n}"));
    }
    operation
}

#[tokio::test]
async fn limits_the_mutations_of_an_address_behind_trusted_proxies() {
    for what in [Counted::Post, Counted::Vote, Counted::Other] {
        let fixture = fixture("0", "3").await;
        let operation = what.operation(&fixture);
        let people: Vec<_> = (0..5).map(|n| fixture.env.citizen(&format!("Guest {n}"))).collect();
        assert_eq!(Transport::Http("203.0.113.7").wait(&people[0], operation.clone()).await, None);
        assert_eq!(Transport::socket(&people[1], "203.0.113.7").await.wait(&people[1], operation.clone()).await, None);
        assert_eq!(Transport::Http("203.0.113.7").wait(&people[4], operation.clone()).await, None);
        let mut third = [Transport::Http("203.0.113.7"), Transport::socket(&people[2], "203.0.113.7").await];
        // Addresses that a client puts before the proxy's are ignored.
        let mut forged = [
            Transport::Http("198.51.100.9, 203.0.113.7"),
            Transport::socket(&people[2], "198.51.100.9, 203.0.113.7").await,
        ];
        for transport in third.iter_mut().chain(&mut forged) {
            assert_eq!(transport.wait(&people[2], operation.clone()).await, Some(20_000), "{what:?}");
        }
        let other = what.other().operation(&fixture);
        assert_eq!(third[1].wait(&people[2], other).await, None, "each kind has its own limit");
        assert_eq!(
            Transport::Http("203.0.113.8").wait(&people[2], operation.clone()).await,
            None,
            "each address has its own limit"
        );
        fixture.env.advance(TimeDelta::milliseconds(19_999));
        assert_eq!(third[1].wait(&people[3], operation.clone()).await, Some(1), "{what:?}");
        fixture.env.advance(TimeDelta::milliseconds(1));
        assert_eq!(third[0].wait(&people[3], operation.clone()).await, None, "{what:?}");
    }
}

#[tokio::test]
async fn counts_each_mutation_of_a_document() {
    let fixture = fixture("3", "0").await;
    let ana = fixture.env.citizen("Ana");
    let post = |n: usize| {
        format!(
            "p{n}: postComment(input: {{ meetingId: \"{}\", body: \"№ {n}\" }}) {{ refusal {{ code }} }}",
            fixture.meeting
        )
    };
    let document = |first: usize, posts: usize| {
        let fields: Vec<_> = (first..first + posts).map(post).collect();
        format!("mutation {{ ...all }} fragment all on Mutation {{ {} }}", fields.join(" "))
    };
    assert_eq!(ana.error(&document(0, 4), json!({})).await, "COST_EXCEEDED", "a document above the limit never fits");
    let done = ana.query(&document(0, 2), json!({})).await;
    assert!(done["p0"]["refusal"].is_null() && done["p1"]["refusal"].is_null(), "{done}");
    assert_eq!(ana.error(&document(2, 2), json!({})).await, "RATE_LIMITED");
    assert_eq!(ana.comments(&fixture.meeting, json!({})).await.len(), 3, "rejected mutations were not executed");
    let done = ana.query(&document(2, 1), json!({})).await;
    assert!(done["p2"]["refusal"].is_null(), "{done}");
}

#[tokio::test]
async fn only_slow_mode_rejects_with_too_fast() {
    let fixture = fixture("3", "0").await;
    let (ana, moderator) = (fixture.env.citizen("Ana"), fixture.env.moderator(HOST));
    moderator.mutate("setModeration", json!({ "meetingId": fixture.meeting, "slowModeSeconds": 30 })).await;
    let first = ana.mutate("postComment", json!({ "meetingId": fixture.meeting, "body": "Бір" })).await;
    assert!(first["refusal"].is_null(), "{first}");
    for body in ["Екі", "Үш"] {
        let soon = ana.mutate("postComment", json!({ "meetingId": fixture.meeting, "body": body })).await;
        assert_eq!(soon["refusal"]["code"], "TOO_FAST", "{soon}");
    }
    let fourth = ana.try_mutate("postComment", json!({ "meetingId": fixture.meeting, "body": "Төрт" })).await;
    assert_eq!(fourth["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{fourth}");
}
