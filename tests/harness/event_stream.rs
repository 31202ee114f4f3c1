//! A client of server-sent events.

use reqwest::Response;
use serde_json::{Value, json};

use crate::{Actor, TIMEOUT};

/// A subscription over server-sent events.
pub struct EventStream {
    answer: Response,
    /// Received bytes that do not form a whole event yet.
    rest: Vec<u8>,
}

impl EventStream {
    /// Starts a subscription. It reads only on demand, so a test can be a slow client by not reading.
    pub async fn of(actor: &Actor, query: &str, variables: Value) -> Self {
        let body = json!({ "query": query, "variables": variables });
        let answer = actor.request().header("accept", "text/event-stream").json(&body).send().await;
        let answer = answer.expect("the service answers");
        assert_eq!(answer.status(), 200);
        Self { answer, rest: Vec::new() }
    }

    /// Returns the only field of the next event's data, or `None` if the stream ends or breaks.
    pub async fn try_next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.rest.drain(..end + 2).collect();
                let event = String::from_utf8(event).expect("text");
                // Keep-alives and the final `complete` have no data.
                let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
                let answer: Value = serde_json::from_str(data).expect("JSON");
                assert!(answer.get("errors").is_none(), "{answer}");
                return answer["data"].as_object().expect("data").values().next().cloned();
            }
            let chunk = tokio::time::timeout(TIMEOUT, self.answer.chunk()).await.expect("data arrives in time");
            self.rest.extend_from_slice(&chunk.ok()??);
        }
    }
}
