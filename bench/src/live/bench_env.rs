//! The service in its own process, with a live meeting.

use std::sync::Arc;

use chrono::TimeDelta;
use harness::{
    Actor, HOST, Process, databases,
    external::{now, person, settings},
    id_of,
};
use serde_json::json;

pub struct BenchEnv {
    pub process: Process,
    pub settings: Vec<(String, String)>,
    pub meeting: String,
    _dir: tempfile::TempDir,
}

impl BenchEnv {
    /// Starts a service with a live meeting in this moderation mode.
    pub async fn start(mode: &str, production: bool) -> Self {
        let mut more = Vec::new();
        if production {
            let databases = databases().await;
            more.push(("KEZDESU_DATABASE_URL", databases.fresh().await));
            more.push(("KEZDESU_REDIS_URL", databases.redis()));
        }
        Self::with(mode, &more).await
    }

    /// Starts a service on the database at this URL.
    pub async fn on(mode: &str, url: &str) -> Self {
        let redis = ("KEZDESU_REDIS_URL", databases().await.redis());
        Self::with(mode, &[("KEZDESU_DATABASE_URL", url.to_owned()), redis]).await
    }

    /// Starts a service on PostgreSQL that sends webhooks to this machine.
    pub async fn with_webhooks() -> Self {
        let databases = databases().await;
        let more = [
            ("KEZDESU_DATABASE_URL", databases.fresh().await),
            ("KEZDESU_REDIS_URL", databases.redis()),
            ("KEZDESU_WEBHOOK_NETWORKS", "127.0.0.0/8".to_owned()),
        ];
        Self::with("AFTER", &more).await
    }

    async fn with(mode: &str, more: &[(&str, String)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = settings(dir.path(), more);
        let process = Process::serve(&settings).await;
        let staff = person(&process.host, "staff", &["AKIMAT"]);
        let meeting = staff.live_meeting(HOST, HOST, now() + TimeDelta::minutes(1), mode).await;
        Self { process, settings, meeting, _dir: dir }
    }

    /// Returns the number of statements that the service has run.
    pub async fn statements(&self) -> u64 {
        let page =
            harness::web().get(format!("http://{}/metrics", self.process.ops_host)).send().await.expect("metrics");
        let text = page.text().await.expect("a text");
        let line = text.lines().find_map(|line| line.strip_prefix("kezdesu_statements_total "));
        line.and_then(|count| count.parse().ok()).expect("a count")
    }

    pub async fn restart(self) -> Self {
        let Self { process, settings, meeting, _dir } = self;
        process.kill().await;
        let process = Process::serve(&settings).await;
        Self { process, settings, meeting, _dir }
    }

    /// Posts this many comments by different people, and returns their ids.
    pub async fn post(&self, run: usize, count: usize) -> Vec<String> {
        let body = "Ауылымыздың жолы қашан жөнделеді, көктемде су басып қалады ".repeat(2);
        let posts = (0..count).map(|n| {
            let author = person(&self.process.host, &format!("p{run}-{n}"), &["CITIZEN"]);
            let (meeting, body) = (self.meeting.clone(), format!("{body} {n}"));
            async move { id_of(&author.post(&meeting, &body).await) }
        });
        futures_util::future::join_all(posts).await
    }

    /// Approves comments in one command.
    pub async fn approve(&self, moderator: &Arc<Actor>, comments: &[String]) {
        let ids: Vec<&str> = comments.iter().map(String::as_str).collect();
        let input = json!({ "commentIds": ids, "action": "APPROVE" });
        let text = "mutation($input: ModerateCommentsInput!) { moderateComments(input: $input) { refusal { code } } }";
        let answer = moderator.query(text, json!({ "input": input })).await;
        assert!(answer["moderateComments"]["refusal"].is_null(), "{answer}");
    }
}
