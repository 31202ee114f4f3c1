//! What tests of publications do often.

use serde_json::{Value, json};

use crate::{Actor, actors::done, id_of};

/// Fields of a publication that tests read.
pub(crate) const PUBLICATION: &str = "id kind title { kk ru en } edition publishedAt pageUrl jsonUrl sha256 region { code } agency { code } \
                                      meeting { id } period { year quarter half from to } supersedes { id edition } \
                                      placements { channel url text placedAt }";
/// Fields of a missing part that tests read.
pub(crate) const MISSING: &str =
    "what message issue { id number } host { code } region { code } period { year quarter half }";

impl Actor {
    /// Assigns an issue, plans it and records that no money is needed, which must succeed.
    pub async fn complete_issue(&self, issue: &str, agency: &str) {
        self.assign(issue, agency, "2026-12-31").await;
        self.plan_issue(issue, agency).await;
        self.fund_issue(issue, "NOT_NEEDED").await;
    }

    /// Plans an issue with one step, which must succeed.
    pub async fn plan_issue(&self, issue: &str, agency: &str) {
        let steps = json!([{ "action": "Құбырды ауыстыру", "executor": agency, "due": "2026-06-01" }]);
        done(self.mutate("planIssue", json!({ "issueId": issue, "steps": steps })).await, "issue");
    }

    /// Records a decision about the money for an issue, which must succeed.
    pub async fn fund_issue(&self, issue: &str, decision: &str) {
        let needed = if decision == "NOT_NEEDED" { "0" } else { "1500000" };
        let input = json!({ "issueId": issue, "needed": needed, "session": "2026-03-01", "decision": decision });
        done(self.mutate("decideFunding", input).await, "issue");
    }

    /// Publishes something, which must succeed, and returns the edition.
    pub async fn publish(&self, input: &Value) -> Value {
        done(self.mutate("publish", input.clone()).await, "publication")
    }

    /// Returns what is missing, as `what` and the number of the issue, before something can be published.
    pub async fn missing_in_draft(&self, input: &Value) -> Vec<(String, String)> {
        let query = format!(
            "query($input: PublicationDraftInput!) {{ publicationDraft(input: $input) {{ kind missing {{ {MISSING} }} }} }}"
        );
        let draft = self.query(&query, json!({ "input": input })).await["publicationDraft"].clone();
        assert_eq!(draft["kind"], input["kind"]);
        missing(&draft["missing"])
    }

    /// Holds a meeting with a public question, raises an issue from it, and returns the meeting, the issue and the question.
    pub async fn meeting_with_issue(&self, env: &crate::TestEnv, title: &str) -> (String, String, String) {
        let meeting = self.live_meeting(crate::HOST, crate::HOST, env.now(), "AFTER").await;
        let question = id_of(&env.citizen("Ana").post(&meeting, "Су қашан болады?").await);
        let issue = id_of(&self.raise(title, &[&question]).await);
        done(self.mutate("endMeeting", json!({ "meetingId": meeting })).await, "meeting");
        (meeting, issue, question)
    }
}

/// Returns missing parts as `what` and the number of the issue, which is empty for other parts.
#[must_use]
pub fn missing(parts: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parts = parts.as_array().unwrap_or_else(|| panic!("no missing parts: {parts}"));
    parts.iter().map(|part| (text(&part["what"]), text(&part["issue"]["number"]))).collect()
}
