//! Receivers of events about issues.

use sea_orm::entity::prelude::*;

use crate::ids::WebhookId;

/// A row of `webhooks`.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhooks")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookId,
    /// Code of the agency that owns it; `None` if an akimat does.
    pub agency: Option<String>,
    /// Code of the unit whose issues it is about. The unit's akimat owns it, unless an agency does.
    pub region_code: Option<String>,
    /// Names of the kinds of events that it is about, separated by commas; `None`: all.
    pub kinds: Option<String>,
    /// URL of the receiver, normalised.
    pub url: String,
    /// Id of the key that the secrets are encrypted with.
    pub key_id: String,
    /// Encrypted secret.
    pub secret: String,
    /// Encrypted secret from before the last rotation.
    pub previous_secret: Option<String>,
    /// Until when messages are signed with that secret too.
    pub previous_secret_until: Option<DateTimeUtc>,
    /// Whether events are sent.
    pub active: bool,
    /// Since when every attempt has failed; `None` if the last one succeeded.
    pub failing_since: Option<DateTimeUtc>,
    /// Why the last attempt failed, or that events were deleted before they were sent.
    pub last_error: Option<String>,
    /// Position in the feed after which it begins.
    pub begins_after: i64,
    /// Position up to which the feed has been looked through for deliveries.
    pub position: i64,
    /// Number of replays. Attempts from before a replay record nothing.
    pub generation: i32,
    /// When the earliest delivery is due; `None` if none waits.
    pub due_at: Option<DateTimeUtc>,
    /// Pseudonym of the person who registered it.
    pub created_by: String,
    /// When it was registered.
    pub created_at: DateTimeUtc,
    /// Rises with each change by a person.
    pub version: i32,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A URL may contain a token of the receiver.
        f.debug_struct("Webhook").field("id", &self.id).finish_non_exhaustive()
    }
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
