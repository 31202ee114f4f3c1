//! What tests of protocols do often: a meeting with questions in every state, and requests for pages.

use chrono::TimeDelta;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::{Actor, HOST, TestEnv, actors::done, id_of, web};

/// A response to a request for a page or file.
pub struct Fetched {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Fetched {
    /// Returns a header, or an empty text if it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    /// Returns the body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {:.300}", self.text))
    }
}

impl Actor {
    /// Requests a path with the person's token.
    pub async fn fetch(&self, path: &str, headers: &[(&str, &str)]) -> Fetched {
        let mut request = web().get(format!("http://{}{path}", self.host));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("the service answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Fetched { status, headers, text: response.text().await.expect("a text") }
    }

    /// Returns the path of a meeting's protocol for the person, with its ticket if there is one.
    pub async fn protocol(&self, meeting: &str) -> Option<String> {
        let query = "query($id: ID!) { meeting(id: $id) { protocolUrl } }";
        let url = self.query(query, json!({ "id": meeting })).await["meeting"]["protocolUrl"].clone();
        let url = url.as_str()?;
        let path = url.strip_prefix("http://localhost:").and_then(|rest| rest.split_once('/'));
        Some(format!("/{}", path.unwrap_or_else(|| panic!("{url}")).1))
    }
}

/// A live meeting with questions in every state.
pub struct HeldMeeting {
    /// Its id.
    pub meeting: String,
    /// Staff of the akimat.
    pub staff: Actor,
    /// The moderator.
    pub moderator: Actor,
    /// Number of the issue that was raised from the first question.
    pub issue: String,
}

impl HeldMeeting {
    /// Holds a meeting: a presentation of 20 minutes, then questions.
    pub async fn start(env: &TestEnv) -> Self {
        let (staff, moderator) = (env.akimat(HOST), env.moderator(HOST));
        let meeting = staff.live_meeting(HOST, HOST, env.now(), "BEFORE").await;
        let add = json!({ "meetingId": meeting, "platform": "YOUTUBE", "url": "https://youtube.example/live?a=1&b=2" });
        let broadcast = id_of(&done(staff.mutate("addBroadcast", add).await, "meeting")["broadcasts"][0]);
        env.advance(TimeDelta::minutes(20));
        done(staff.mutate("setStage", json!({ "meetingId": meeting, "stage": "QUESTIONS" })).await, "meeting");
        let mut ids = Vec::new();
        for (author, body) in [
            ("Ana", "Су қашан болады? <script>alert('xss')</script>"),
            ("Ben", "=HYPERLINK(\"http://evil.example\")"),
            ("Eva", "Қабылданбаған сұрақ"),
            ("Dan", "Жасырылған сұрақ"),
            ("Gia", "Біріктірілген сұрақ"),
            ("Leo", "Күтудегі сұрақ"),
        ] {
            env.advance(TimeDelta::minutes(1));
            ids.push(id_of(&env.citizen(author).post(&meeting, body).await));
        }
        let imported = json!({
            "externalId": "y1", "authorExternalId": "canary-channel", "authorName": "Марат", "body": "Жол, \"тас\"\nжол",
            "postedAt": env.now(),
        });
        let import = json!({ "meetingId": meeting, "broadcastId": broadcast, "comments": [imported] });
        env.connector(HOST).mutate("importComments", import).await;
        let id_of_imported = id_of(moderator.comments(&meeting, json!({})).await.last().expect("a comment"));
        moderator.moderate("APPROVE", &[&ids[0], &ids[1], &ids[3], &id_of_imported]).await;
        moderator.moderate("REJECT", &[&ids[2]]).await;
        moderator.moderate("HIDE", &[&ids[3]]).await;
        let merge = json!({ "into": ids[0], "commentIds": [ids[4]] });
        done(moderator.mutate("mergeComments", merge).await, "comment");
        done(env.citizen("Mia").mutate("voteComment", json!({ "commentId": ids[0] })).await, "comment");
        let answer = json!({ "commentId": ids[0], "answer": "Шілдеде.\nҚұбыр салынып жатыр." });
        done(moderator.mutate("answerComment", answer).await, "comment");
        let issue = staff.raise("Су құбыры", &[&ids[0]]).await["number"].as_str().expect("a number").to_owned();
        Self { meeting, staff, moderator, issue }
    }

    /// Ends the meeting.
    pub async fn end(&self) {
        done(self.staff.mutate("endMeeting", json!({ "meetingId": self.meeting })).await, "meeting");
    }

    /// Returns the path of the protocol with an ending such as `.json`, without a ticket.
    #[must_use]
    pub fn path(&self, ending: &str) -> String {
        format!("/meetings/{}/protocol{ending}", self.meeting)
    }
}

/// Returns the path of a file beside a page, with the page's ticket.
#[must_use]
pub fn beside(path: &str, ending: &str) -> String {
    match path.split_once('?') {
        Some((path, query)) => format!("{path}{ending}?{query}"),
        None => format!("{path}{ending}"),
    }
}
