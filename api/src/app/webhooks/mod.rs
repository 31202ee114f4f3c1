//! Commands on webhooks, and the delivery of events about issues to them.
//!
//! One queued job a webhook ([`DELIVERY_JOB`]) looks through the feed of issues, writes a delivery for each event that the
//! webhook is about, and sends those that are due. Replicas share the webhooks by the leases of these jobs, and no receiver
//! waits for another.

mod deliver;
mod dispatch;
mod events;
mod health;
mod permit;
mod reads;
mod register;
mod remove;
mod replay;
mod retention;
mod rotate;
mod rotation;
mod rounds;
mod secrets;
mod send_test;
mod update;

pub use deliver::DELIVERY_JOB;
pub use events::{EventPage, IssueEvent, IssueEvents, StoredIssueEvents};
pub use reads::WebhookError;
pub use register::{RegisterWebhook, Registered};
pub use rounds::DeliveryRun;
pub use update::UpdateWebhook;

use chrono::{DateTime, Utc};
use entities::{ids::WebhookId, webhook};

use crate::{
    app::{App, CommandError, Rejection, parse_code, rejection::Invalid},
    domain::{
        audit::{AGENCY_SHARD, AuditActor, NewAuditEntry},
        global_id::{WEBHOOK, typed_id},
        notification::PersonKey,
        policy::WebhookOwner,
        webhooks::is_event_kind,
    },
    store::{StoreError, Tx},
    webhooks::{AddressError, MAX_URL_LENGTH},
};

/// The most kinds of events that a webhook names.
const MAX_KINDS: usize = 20;
/// Separates the names of kinds in a row.
const KIND_SEPARATOR: char = ',';

impl App {
    /// Returns the owner of a webhook.
    ///
    /// # Errors
    /// When the stored code is malformed.
    pub(in crate::app) fn webhook_owner(&self, row: &webhook::Model) -> Result<WebhookOwner, StoreError> {
        match (&row.agency, &row.region_code) {
            (Some(agency), _) => Ok(WebhookOwner::Agency(agency.clone())),
            (None, Some(region)) => Ok(WebhookOwner::Akimat(self.host_scope(parse_code(region)?))),
            (None, None) => Err(StoreError::Corrupt("owner of a webhook")),
        }
    }

    /// Records in the audit log what staff did with a webhook, like [`Self::record_webhook_entry`].
    async fn record_webhook_change(
        &self,
        tx: &Tx,
        webhook: (&WebhookOwner, WebhookId),
        (action, subject): (&'static str, &str),
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let actor = AuditActor::Staff(PersonKey::of(subject).0);
        self.record_webhook_entry(tx, webhook, (action, actor), now).await
    }

    /// Records in the audit log what was done with a webhook. Locks the chain of its owner until the end of the
    /// transaction.
    async fn record_webhook_entry(
        &self,
        tx: &Tx,
        (owner, id): (&WebhookOwner, WebhookId),
        (action, actor): (&'static str, AuditActor),
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let subject = typed_id(WEBHOOK, id.0);
        let entry = NewAuditEntry { id: self.ids.next(now), at: now, actor, action, subject, detail: None };
        let shard = match owner {
            WebhookOwner::Agency(code) => format!("{AGENCY_SHARD}{code}"),
            WebhookOwner::Akimat(scope) => scope.host.to_string(),
        };
        tx.append_audit(&shard, &[entry]).await
    }

    /// Checks the URL of a receiver, and all addresses of its host.
    async fn checked_url(&self, url: &str) -> Result<String, CommandError> {
        self.webhook_client.check_receiver(url).await.map_err(|error| address_rejection(error).into())
    }
}

const fn address_rejection(error: AddressError) -> Rejection {
    let why = match error {
        AddressError::TooLong => return Rejection::TooLong { field: "url", max: MAX_URL_LENGTH },
        AddressError::Malformed | AddressError::Credentials | AddressError::Fragment => Invalid::ReceiverUrl,
        AddressError::NotHttps => Invalid::NotHttps,
        AddressError::Inner => Invalid::InnerAddress,
        AddressError::Unresolved => Invalid::UnknownHost,
    };
    Rejection::Invalid { field: "url", why }
}

/// Validates kinds of events, and returns them as they are stored.
fn checked_kinds(kinds: &[String]) -> Result<String, Rejection> {
    let invalid = |why| Rejection::Invalid { field: "kinds", why };
    if kinds.is_empty() {
        return Err(invalid(Invalid::Empty));
    }
    if kinds.len() > MAX_KINDS {
        return Err(invalid(Invalid::TooMany { max: MAX_KINDS }));
    }
    if !kinds.iter().all(|kind| is_event_kind(kind)) {
        return Err(invalid(Invalid::NotAnEvent));
    }
    let mut names: Vec<&str> = kinds.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names.join(","))
}

/// Returns the kinds of events that a webhook is about; `None`: all.
#[must_use]
pub fn kinds_of(row: &webhook::Model) -> Option<Vec<&str>> {
    row.kinds.as_deref().map(|kinds| kinds.split(KIND_SEPARATOR).collect())
}
