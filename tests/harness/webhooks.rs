//! Webhooks: their registration, and events for them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use entities::{
    enums::{IssueLevel, IssueState, Language},
    ids::IssueId,
    issue,
    kato::KatoCode,
};
use kezdesu::{
    app::App,
    domain::{
        feed::{Audience, EventKind, FeedName, FilterValues, NewEvent},
        issues::urgent_by,
    },
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

/// Records events about issues of a unit, as a command of issues would. Issues have small numbers, and are created with
/// their first events.
///
/// # Panics
/// If the database fails.
pub async fn record_issue_events(app: &App, region: &str, events: &[(u128, &'static str)]) {
    record_issue_events_in(&app.store, app.clock.now(), region, events).await;
}

/// Records events about issues of a unit in a database, and creates the issues that do not exist.
///
/// # Panics
/// If the database fails.
pub async fn record_issue_events_in(store: &Store, at: DateTime<Utc>, region: &str, events: &[(u128, &'static str)]) {
    let feed = FeedName::new("issues", &());
    let issues: BTreeSet<u128> = events.iter().map(|(issue, _)| *issue).collect();
    let code: KatoCode = region.parse().expect("a code");
    let event = |(issue, kind): &(u128, &'static str)| NewEvent {
        subject: Uuid::from_u128(*issue),
        kind: EventKind::new(kind),
        public_kind: Some(EventKind::new(kind)),
        audience: Audience::Everyone,
        actor: None,
        filter_values: FilterValues { region: Some(code), agency: None },
    };
    let events = events.iter().map(|one| (feed.clone(), event(one))).collect();
    let mut tx = store.begin().await.expect("a transaction");
    for number in issues {
        let id = IssueId(Uuid::from_u128(number));
        if tx.issue_number(id).await.expect("the database answers").is_none() {
            tx.insert_issue(issue_row(id, number, region, at)).await.expect("the database obeys");
        }
    }
    tx.record_each(at, events).await.expect("the database obeys");
    tx.commit().await.expect("it is committed");
}

fn issue_row(id: IssueId, number: u128, region: &str, at: DateTime<Utc>) -> issue::Model {
    issue::Model {
        id,
        number: format!("TST-2026-{number:06}"),
        title: format!("№ {number}"),
        description: String::new(),
        released_description: None,
        category: "water-supply".to_owned(),
        language: Language::Kk,
        region_code: region.to_owned(),
        meeting_id: None,
        level: IssueLevel::Local,
        state: IssueState::Registered,
        responsible: None,
        deadline: None,
        urgent_by: urgent_by(IssueState::Registered, None),
        funding_needed: None,
        funding_session: None,
        funding_decision: None,
        funding_source: None,
        resolution: None,
        merged_into: None,
        satisfied: 0,
        unsatisfied: 0,
        is_unsatisfied: false,
        search: String::new(),
        staff_search: String::new(),
        normalization_version: 0,
        created_at: at,
        updated_at: at,
        version: 1,
    }
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
