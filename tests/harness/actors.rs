//! Test clients that use the API over HTTP, each as one person.

use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    Socket, Subscription,
    issues::ISSUE,
    publications::{MISSING, PUBLICATION},
    receptions::{RECEPTION, REGISTRATION},
    sdl, web,
    webhooks::WEBHOOK,
};

/// Fields of a comment that tests read.
const COMMENT: &str = "id receipt kind body language authorName platform state stateReason votes labels postedAt \
                       selectedAt answeredAt answer viewerHasVoted viewerIsAuthor mergedInto { id receipt answer }";
/// Fields of a meeting that tests read.
const MEETING: &str = "id phase version announcedAt announcedInTime startedAt endedAt cancelReason plannedStart plannedMinutes \
                       commentsHead viewerCanPost viewerCanModerate viewerCanManage region { code } host { code } \
                       moderation { mode slowModeSeconds acceptingComments blockedWords } \
                       broadcasts { id platform url startedAt endedAt }";
/// Fields of a time split that tests read.
pub(crate) const SPLIT: &str =
    "stage plannedMs budgetMs presentationMs questionsMs breakMs budgetLeftMs status exceededAt";
/// Fields of an agency that tests read.
const AGENCY: &str = "id code kind names { kk ru en } region { code } validFrom validTo doubt";
const REFUSAL: &str = "code message field norm retryAfterMs currentVersion opensAt missing";

/// A person who sends requests to one replica.
#[derive(Clone)]
pub struct Actor {
    /// Host and port of the replica.
    pub host: String,
    /// The bearer token, or `None` for an anonymous client.
    pub token: Option<String>,
    client: Client,
}

/// Returns the `id` of an object.
#[must_use]
pub fn id_of(object: &Value) -> String {
    object["id"].as_str().unwrap_or_else(|| panic!("no id in {object}")).to_owned()
}

/// Returns the code of the first error in a response, or an empty string if it has none.
#[must_use]
pub fn error_code(response: &Value) -> &str {
    response["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

/// Returns the code of a payload's refusal, and checks that the payload has no object beside it.
#[must_use]
pub fn refusal(payload: &Value) -> String {
    let fields = payload.as_object().unwrap_or_else(|| panic!("no payload: {payload}"));
    for (name, value) in fields.iter().filter(|(name, _)| *name != "refusal") {
        assert!(value.is_null(), "{name} is not null beside a refusal: {payload}");
    }
    payload["refusal"]["code"].as_str().unwrap_or_else(|| panic!("no refusal: {payload}")).to_owned()
}

impl Actor {
    pub(crate) fn new(host: String, token: Option<String>) -> Self {
        Self { host, token, client: web() }
    }

    /// Creates a client with this token.
    #[must_use]
    pub fn with_token(host: &str, token: String) -> Self {
        Self::new(host.to_owned(), Some(token))
    }

    /// Returns the same person as a client of another replica.
    #[must_use]
    pub fn at(&self, host: String) -> Self {
        Self { host, ..self.clone() }
    }

    /// Builds a POST request with the person's token.
    pub fn request(&self) -> RequestBuilder {
        let request = self.client.post(format!("http://{}/graphql", self.host)).header("accept-language", "en");
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Posts a request body and returns the status and the response.
    pub async fn send_body(&self, accept: &str, body: &Value) -> (u16, Value) {
        let response = self.request().header("accept", accept).json(body).send().await.expect("the service answers");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    /// Sends an operation and returns the whole response, or an error if the connection fails.
    pub async fn try_send(&self, query: &str, variables: Value) -> Result<Value, reqwest::Error> {
        self.request().json(&json!({ "query": query, "variables": variables })).send().await?.json().await
    }

    /// Sends an operation and returns the whole response.
    pub async fn send(&self, query: &str, variables: Value) -> Value {
        self.try_send(query, variables).await.expect("the service answers")
    }

    /// Sends an operation, checks that it has no errors, and returns its data.
    pub async fn query(&self, query: &str, variables: Value) -> Value {
        let answer = self.send(query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].clone()
    }

    /// Sends an operation that must fail, and returns the code of its first error.
    pub async fn error(&self, query: &str, variables: Value) -> String {
        let answer = self.send(query, variables).await;
        answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no error: {answer}")).to_owned()
    }

    /// Runs a mutation by name, checks that it has no errors, and returns its payload.
    pub async fn mutate(&self, mutation: &str, input: Value) -> Value {
        let answer = self.try_mutate(mutation, input).await;
        assert!(answer.get("errors").is_none(), "{mutation}: {answer}");
        answer["data"][mutation].clone()
    }

    /// Runs a mutation by name and returns the whole response.
    pub async fn try_mutate(&self, mutation: &str, input: Value) -> Value {
        self.send(&sdl::mutation_text(mutation, selection), json!({ "input": input })).await
    }

    /// Plans a meeting and returns it.
    pub async fn plan(&self, host: &str, region: &str, start: DateTime<Utc>, mode: &str) -> Value {
        let input = json!({
            "host": host, "region": region, "title": { "kk": "Кездесу", "ru": "Встреча" }, "origin": "CALENDAR",
            "plannedStart": start, "plannedMinutes": 60, "moderation": mode,
        });
        done(self.mutate("planMeeting", input).await, "meeting")
    }

    /// Announces a meeting and returns it.
    pub async fn announce(&self, meeting: &str) -> Value {
        done(self.mutate("announceMeeting", json!({ "meetingId": meeting, "channels": ["PRESS"] })).await, "meeting")
    }

    /// Plans, announces and starts a meeting, and returns its id.
    pub async fn live_meeting(&self, host: &str, region: &str, start: DateTime<Utc>, mode: &str) -> String {
        let meeting = id_of(&self.plan(host, region, start, mode).await);
        self.announce(&meeting).await;
        done(self.mutate("startMeeting", json!({ "meetingId": meeting })).await, "meeting");
        meeting
    }

    /// Posts a comment, which must succeed, and returns it.
    pub async fn post(&self, meeting: &str, body: &str) -> Value {
        done(self.mutate("postComment", json!({ "meetingId": meeting, "body": body })).await, "comment")
    }

    /// Moderates comments, which must succeed.
    pub async fn moderate(&self, action: &str, comments: &[&str]) -> Value {
        let reason = matches!(action, "REJECT" | "HIDE").then_some("off topic");
        let input = json!({ "commentIds": comments, "action": action, "reason": reason });
        done(self.mutate("moderateComments", input).await, "comments")
    }

    /// Returns a meeting.
    pub async fn meeting(&self, id: &str) -> Value {
        self.query(&format!("query($id: ID!) {{ meeting(id: $id) {{ {MEETING} }} }}"), json!({ "id": id })).await
            ["meeting"]
            .clone()
    }

    /// Returns the time split of a meeting.
    pub async fn split(&self, id: &str) -> Value {
        let query = format!("query($id: ID!) {{ meeting(id: $id) {{ timeSplit {{ {SPLIT} }} }} }}");
        self.query(&query, json!({ "id": id })).await["meeting"]["timeSplit"].clone()
    }

    /// Returns all comments of a meeting that the person may see, in the order of the filter.
    pub async fn comments(&self, meeting: &str, filter: Value) -> Vec<Value> {
        let query = format!(
            "query($id: ID!, $filter: CommentFilter, $after: String) {{ meeting(id: $id) {{ \
             comments(filter: $filter, first: 100, after: $after) {{ totalCount nodes {{ {COMMENT} }} \
             pageInfo {{ hasNextPage endCursor }} }} }} }}"
        );
        let (mut all, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "id": meeting, "filter": filter, "after": after });
            let page = self.query(&query, variables).await["meeting"]["comments"].clone();
            all.extend(page["nodes"].as_array().expect("nodes").clone());
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                assert_eq!(page["totalCount"], all.len(), "totalCount equals the length of the list");
                return all;
            }
        }
    }

    /// Opens a socket and authenticates with the person's token.
    pub async fn socket(&self) -> Socket {
        let mut socket = Socket::open(&self.host).await;
        let payload = match &self.token {
            Some(token) => json!({ "authorization": format!("Bearer {token}"), "language": "en" }),
            None => json!({ "language": "en" }),
        };
        socket.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.receive().await["type"], "connection_ack");
        socket
    }

    /// Subscribes on a new socket.
    pub async fn follow(&self, subscription: &str, variables: Value) -> Subscription {
        self.socket().await.follow(subscription, variables).await
    }

    /// Subscribes to the comments of a meeting and consumes the first event, SUBSCRIBED.
    pub async fn follow_comments(&self, meeting: &str, after: Option<i64>, view: &str) -> Subscription {
        let mut live = self.begin_comments(meeting, after, view).await;
        let first = live.next().await;
        assert_eq!(first["kind"], "SUBSCRIBED", "{first}");
        live
    }

    /// Subscribes to the comments of a meeting.
    pub async fn begin_comments(&self, meeting: &str, after: Option<i64>, view: &str) -> Subscription {
        let query = "subscription($id: ID!, $after: Int, $view: CommentView) { comments(meetingId: $id, after: $after, view: $view) \
                     { seq prev kind recovered commentId comment { id receipt body state votes } } }";
        self.follow(query, json!({ "id": meeting, "after": after, "view": view })).await
    }
}

/// Returns the object of a payload, which must not be a refusal.
pub(crate) fn done(payload: Value, object: &str) -> Value {
    assert!(payload["refusal"].is_null(), "{payload}");
    payload[object].clone()
}

/// Returns the fields of an object that tests read.
fn selection(ty: &str) -> Option<String> {
    match ty {
        "Agency" => Some(AGENCY.to_owned()),
        "Comment" => Some(COMMENT.to_owned()),
        "IssueCategory" => Some("code names { kk ru en }".to_owned()),
        "Issue" => Some(ISSUE.to_owned()),
        "PublicRequest" => Some("id number text channel count".to_owned()),
        "Meeting" => Some(MEETING.to_owned()),
        "Reception" => Some(RECEPTION.to_owned()),
        "Publication" => Some(PUBLICATION.to_owned()),
        "Refusal" => Some(format!("{REFUSAL} {{ {MISSING} }}")),
        "Registration" => Some(REGISTRATION.to_owned()),
        "TimeSplit" => Some(SPLIT.to_owned()),
        "Webhook" => Some(WEBHOOK.to_owned()),
        _ => None,
    }
}
