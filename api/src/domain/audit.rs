//! The audit log: what an entry says, and the chain of hashes that shows whether entries were changed.
//!
//! Each host has a chain of its own, so that writers of different hosts do not wait for each other, and so has the whole
//! country. The first entry of a chain is announced in a further chain, whose shard is empty, so that a whole chain cannot
//! disappear.

use std::fmt;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::global_id::REGION;

/// The shard of the chain that lists the others.
pub const SHARDS: &str = "";
/// A chain was begun.
pub const SHARD_BEGUN: &str = "audit.shard_begun";
/// The personal data of an applicant was read.
pub const APPLICANT_READ: &str = "applicant.read";
/// The personal data of an applicant was erased.
pub const APPLICANT_ERASED: &str = "applicant.erased";
/// A webhook was registered.
pub const WEBHOOK_REGISTERED: &str = "webhook.registered";
/// A webhook was changed.
pub const WEBHOOK_CHANGED: &str = "webhook.changed";
/// A webhook was switched off, because its receiver wants no more events.
pub const WEBHOOK_DISABLED: &str = "webhook.disabled";
/// A webhook got a new secret.
pub const WEBHOOK_SECRET_ROTATED: &str = "webhook.secret_rotated";
/// Events were sent to a webhook again.
pub const WEBHOOK_REPLAYED: &str = "webhook.replayed";
/// A webhook was removed.
pub const WEBHOOK_REMOVED: &str = "webhook.removed";

/// An edition of a publication was published.
pub const PUBLISHED: &str = "publication.published";
/// Where else an edition was placed was recorded.
pub const PLACEMENT_RECORDED: &str = "publication.placement_recorded";

/// An agency was added or changed.
pub const AGENCY_SAVED: &str = "agency.saved";
/// A category of issues was added or changed.
pub const ISSUE_CATEGORY_SAVED: &str = "issue_category.saved";
/// The shard of the chain of what belongs to the whole country. No unit of the classifier has this code.
pub const COUNTRY: &str = "000000000";

/// Prefix of the audit chains of agencies. Those of akimats are the chains of their units.
pub const AGENCY_SHARD: &str = "agency:";

/// Separates the encoding from any other use of the hash, and names its version.
const ENCODING: &str = "kezdesu audit entry 1";

/// Who did something: the role and a pseudonym, never a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditActor {
    /// A person in an office.
    Staff(String),
    /// The person whom the object is about.
    Own(String),
    /// The service itself, for example a job.
    Service,
}

impl fmt::Display for AuditActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Staff(key) => write!(f, "staff:{key}"),
            Self::Own(key) => write!(f, "self:{key}"),
            Self::Service => f.write_str("service"),
        }
    }
}

/// An entry to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAuditEntry {
    /// Id of the entry.
    pub id: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub actor: AuditActor,
    /// What was done, for example [`APPLICANT_READ`].
    pub action: &'static str,
    /// Global id of the object.
    pub subject: String,
    /// More about it. Never contains personal data.
    pub detail: Option<String>,
}

impl NewAuditEntry {
    /// Returns the entry that lists a new chain.
    #[must_use]
    pub fn shard_begun(shard: &str, at: DateTime<Utc>) -> Self {
        let digest: [u8; 32] = Sha256::digest(shard).into();
        let id =
            digest.first_chunk().map_or_else(Uuid::nil, |bytes| uuid::Builder::from_custom_bytes(*bytes).into_uuid());
        Self {
            id,
            at,
            actor: AuditActor::Service,
            action: SHARD_BEGUN,
            subject: format!("{REGION}_{shard}"),
            detail: Some(shard.to_owned()),
        }
    }
}

/// An entry of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEntry {
    /// The chain.
    pub shard: String,
    /// Position in the chain, from 1 without gaps.
    pub seq: i64,
    /// Id of the entry.
    pub id: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// Global id of the object.
    pub subject: String,
    /// More about it.
    pub detail: Option<String>,
    /// Hash of the entry before it; empty for the first.
    pub previous_hash: String,
    /// Hash of all other fields.
    pub hash: String,
}

/// The newest entry of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainHead {
    /// Its position; 0 if the chain is empty.
    pub seq: i64,
    /// Its hash; empty if the chain is empty.
    pub hash: String,
}

impl ChainHead {
    /// Appends an entry to a chain, and moves the head to it.
    #[must_use]
    pub fn append(&mut self, shard: &str, new: &NewAuditEntry) -> ChainEntry {
        let mut entry = ChainEntry {
            shard: shard.to_owned(),
            seq: self.seq.saturating_add(1),
            id: new.id,
            at: new.at,
            actor: new.actor.to_string(),
            action: new.action.to_owned(),
            subject: new.subject.clone(),
            detail: new.detail.clone(),
            previous_hash: std::mem::take(&mut self.hash),
            hash: String::new(),
        };
        entry.hash = entry.computed_hash();
        *self = Self { seq: entry.seq, hash: entry.hash.clone() };
        entry
    }
}

impl ChainEntry {
    /// Returns the SHA-256 of all fields but the hash itself, in hexadecimal digits.
    #[must_use]
    pub fn computed_hash(&self) -> String {
        let Self { shard, seq, id, at, actor, action, subject, detail, previous_hash, hash: _ } = self;
        let mut digest = Sha256::new();
        // Each part has its length in front, so that no two entries have the same encoding.
        let mut add = |part: &[u8]| {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        };
        add(ENCODING.as_bytes());
        add(previous_hash.as_bytes());
        add(shard.as_bytes());
        add(&seq.to_be_bytes());
        add(id.as_bytes());
        add(&at.timestamp().to_be_bytes());
        add(&at.timestamp_subsec_nanos().to_be_bytes());
        for text in [actor, action, subject] {
            add(text.as_bytes());
        }
        add(&[u8::from(detail.is_some())]);
        add(detail.as_deref().unwrap_or_default().as_bytes());
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
