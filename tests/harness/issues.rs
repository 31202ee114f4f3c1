//! What tests of issues do often.

use serde_json::{Value, json};

use crate::{Actor, HOST, TestEnv, actors::done, id_of, token_claims};

/// Fields of an issue that tests read.
pub(crate) const ISSUE: &str = "id number title description state level deadline overdue resolution version region { code } \
                                meeting { id } responsible { code } funding { needed session decision source } \
                                plan { id action executor { code } due doneAt } \
                                progress { quarter text percent previousPercent reportedBy { code } } \
                                confirmations { satisfied unsatisfied } mergedInto { id number } viewerFollows \
                                viewerCanEdit viewerCanReport raisedBy { __typename ... on Node { id } }";

impl TestEnv {
    /// Creates a person who acts for a body.
    #[must_use]
    pub fn agency(&self, code: &str) -> Actor {
        let mut claims = token_claims(&format!("agency-{code}"), "Agency", &[], None, self.now());
        claims["grants"] = json!([{ "role": "AGENCY", "agency": code }]);
        self.with_claims(&claims)
    }
}

impl Actor {
    /// Returns the input of `raiseIssue` for an issue about the usual host.
    #[must_use]
    pub fn issue_input(title: &str, sources: &[&str]) -> Value {
        json!({
            "region": HOST, "title": title, "description": "Толық сипаттама: Сейтова Айша, 12-үй.", "category": "water-supply",
            "language": "KK", "sources": sources,
        })
    }

    /// Raises an issue, which must succeed, and returns it.
    pub async fn raise(&self, title: &str, sources: &[&str]) -> Value {
        done(self.mutate("raiseIssue", Self::issue_input(title, sources)).await, "issue")
    }

    /// Assigns an issue, which must succeed, and returns it.
    pub async fn assign(&self, issue: &str, agency: &str, deadline: &str) -> Value {
        let input = json!({ "issueId": issue, "agency": agency, "deadline": deadline });
        done(self.mutate("assignIssue", input).await, "issue")
    }

    /// Raises, assigns and resolves an issue, and returns its id.
    pub async fn resolved_issue(&self, title: &str, sources: &[&str], agency: &str) -> String {
        let issue = id_of(&self.raise(title, sources).await);
        self.assign(&issue, agency, "2026-12-31").await;
        let input = json!({ "issueId": issue, "resolution": "Құбыр ауыстырылды." });
        done(self.mutate("resolveIssue", input).await, "issue");
        issue
    }

    /// Returns an issue as the person sees it.
    pub async fn see_issue(&self, id: &str) -> Value {
        let query = format!("query($id: ID!) {{ issue(id: $id) {{ {ISSUE} }} }}");
        self.query(&query, json!({ "id": id })).await["issue"].clone()
    }
}
