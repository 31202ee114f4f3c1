//! Webhooks: their registration, and events for them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use entities::kato::KatoCode;
use kezdesu::{
    app::App,
    domain::feed::{Audience, EventKind, FeedName, FilterValues, NewEvent},
    store::Store,
};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};

use crate::{Actor, HOST, Received};

/// Fields of a webhook that tests read.
pub(crate) const WEBHOOK: &str = "id url filter { region { code } kinds } active failingSince lastError deliveredSeq head \
                                  version deliveries { totalCount nodes { id seq state attempts lastStatus lastError \
                                  nextAttemptAt createdAt } }";

impl Actor {
    /// Registers a webhook for an akimat, and returns it with its secret.
    pub async fn register_webhook(&self, url: &str) -> (Value, String) {
        let payload = self.mutate("registerWebhook", json!({ "region": HOST, "url": url })).await;
        let secret = payload["secret"].as_str().unwrap_or_else(|| panic!("no secret: {payload}")).to_owned();
        (payload["webhook"].clone(), secret)
    }

    /// Returns the viewer's webhooks.
    pub async fn webhooks(&self) -> Vec<Value> {
        let data = self.query(&format!("{{ webhooks {{ {WEBHOOK} }} }}"), json!({})).await;
        data["webhooks"].as_array().expect("a list").clone()
    }
}

/// Records events about issues of a unit, as a command of issues would. Issues have small numbers.
///
/// # Panics
/// If the database fails.
pub async fn record_issue_events(app: &App, region: &str, events: &[(u128, &'static str)]) {
    record_issue_events_in(&app.store, app.clock.now(), region, events).await;
}

/// Records events about issues of a unit in a database.
///
/// # Panics
/// If the database fails.
pub async fn record_issue_events_in(store: &Store, at: DateTime<Utc>, region: &str, events: &[(u128, &'static str)]) {
    let feed = FeedName::new("issues", &());
    let region: KatoCode = region.parse().expect("a code");
    let event = |(issue, kind): &(u128, &'static str)| NewEvent {
        subject: Uuid::from_u128(*issue),
        kind: EventKind::new(kind),
        public_kind: Some(EventKind::new(kind)),
        audience: Audience::Everyone,
        actor: None,
        filter_values: FilterValues { region: Some(region), agency: None },
    };
    let events = events.iter().map(|one| (feed.clone(), event(one))).collect();
    let mut tx = store.begin().await.expect("a transaction");
    tx.record_each(at, events).await.expect("the database obeys");
    tx.commit().await.expect("it is committed");
}

/// Checks that the events of each issue were first sent in order, and that doubles have the same id.
///
/// # Panics
/// If they were not.
pub fn assert_in_order(received: &[Received], issue_of: impl Fn(i64) -> i64) {
    let mut ids: BTreeMap<i64, &str> = BTreeMap::new();
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    for message in received {
        let seq = message.seq();
        if let Some(first) = ids.get(&seq) {
            assert_eq!(*first, message.id(), "a double has the same id");
            continue;
        }
        let before = last.insert(issue_of(seq), seq).unwrap_or_default();
        assert!(before < seq, "event {seq} came after {before}");
        ids.insert(seq, message.id());
    }
    let distinct: BTreeSet<_> = ids.values().collect();
    assert_eq!(distinct.len(), ids.len(), "each event has an id of its own");
}
