//! Publishes an edition, once nothing is missing.

use chrono::{DateTime, SubsecRound as _, Utc};
use entities::{ids::PublicationId, publication};
use sha2::{Digest as _, Sha256};

use crate::{
    app::{
        App, CommandError, Rejection,
        idempotency::idempotency_key,
        meetings::meeting_event,
        publications::{
            NewPlacement,
            collect::{issue_ids, missing_parts, too_large},
            permit::{PublicationPermit, audit_shard},
            placement::placement_row,
        },
    },
    domain::{
        audit::{AuditActor, NewAuditEntry, PUBLISHED},
        global_id::{PUBLICATION, typed_id},
        meeting_events::{self, meeting_feed},
        notification::PersonKey,
        publications::{Content, Document, SCHEMA_PATH, WantedPublication},
        viewer::Viewer,
    },
    store::{StoreError, Tx, idempotency::IdempotencyKey},
};

/// What to publish, and where else it is placed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PublishPublication {
    /// What to publish.
    pub wanted: WantedPublication,
    /// Where else it is placed.
    pub placements: Vec<NewPlacement>,
}

/// Maximum size of the content of an edition, in bytes. Readers keep several editions in memory.
const MAX_BYTES: usize = 24 << 20;
/// Digits of a second.
const MILLISECONDS: u16 = 3;
/// How often is tried to publish while others publish the same.
const MAX_ATTEMPTS: usize = 10;

/// What all attempts to publish have in common.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    permit: &'a PublicationPermit<'a>,
    key: Option<&'a IdempotencyKey>,
    placements: &'a [NewPlacement],
}

/// Content to publish, and its digest, by which editions are compared.
struct Collected {
    content: Content,
    digest: String,
}

impl App {
    /// Publishes an edition.
    ///
    /// # Errors
    /// Rejected when a part is missing, or nothing has changed since the last edition.
    pub async fn publish(
        &self,
        viewer: &Viewer,
        command: &PublishPublication,
        key: Option<&str>,
    ) -> Result<publication::Model, CommandError> {
        let now = self.publication_time();
        let permit = self.permit_publication(&self.store, viewer, &command.wanted).await?;
        let key = idempotency_key(&permit.person.subject, "publish", key, command)?;
        let placements = self.checked_placements(&command.placements, now)?;
        if let Some(first) = self.published_before(key.as_ref(), now).await? {
            return Ok(first);
        }
        permit.check_ended()?;
        let series = permit.subject.series();
        let attempt = Attempt { permit: &permit, key: key.as_ref(), placements: &placements };
        for _ in 0..MAX_ATTEMPTS {
            let read_after = self.store.newest_edition(&series).await?;
            // Read without a lock, and with no other connection than that of the snapshot.
            let collected = self.collect(&permit).await?;
            if let Some(published) = self.publish_after(&attempt, read_after.map(|row| row.id), collected).await? {
                return Ok(published);
            }
        }
        let current = self.store.newest_edition(&series).await?.map_or(0, |row| row.edition);
        Err(Rejection::Stale { current }.into())
    }

    /// Returns the time as it is in published bytes, and as both engines keep it.
    fn publication_time(&self) -> DateTime<Utc> {
        self.now().trunc_subsecs(MILLISECONDS)
    }

    /// Publishes what was read after an edition. Returns nothing if another edition has come in between, which may know more.
    async fn publish_after(
        &self,
        attempt: &Attempt<'_>,
        read_after: Option<PublicationId>,
        collected: Collected,
    ) -> Result<Option<publication::Model>, CommandError> {
        let Attempt { permit, key, placements } = *attempt;
        // Of this attempt: an edition is later than the one that it supersedes.
        let now = self.publication_time();
        let id = PublicationId(self.ids.next(now));
        let mut tx = self.store.begin().await?;
        if let Some(first) = tx.claim_idempotency_key(key, id.0, now).await? {
            return first_result(&tx, PublicationId(first)).await.map(Some);
        }
        let last = tx.lock_series(&permit.subject.series()).await?;
        if last.as_ref().map(|row| row.id) != read_after {
            return Ok(None);
        }
        if let Some(last) = last.as_ref().filter(|last| last.content_sha256 == collected.digest) {
            return Err(Rejection::Unchanged { edition: last.edition }.into());
        }
        let (row, bytes) = self.edition(id, permit, last.as_ref(), (collected, now))?;
        tx.insert_publication(row.clone(), bytes).await?;
        tx.insert_placements(placements.iter().map(|placement| placement_row(id, placement, now)).collect()).await?;
        self.record_edition(&mut tx, permit, &row).await?;
        self.commit(tx).await?;
        Ok(Some(row))
    }

    /// Returns the edition that an earlier call with the key has published, without reading what would be published now.
    async fn published_before(
        &self,
        key: Option<&IdempotencyKey>,
        now: DateTime<Utc>,
    ) -> Result<Option<publication::Model>, CommandError> {
        let Some(key) = key else { return Ok(None) };
        if !self.store.any_claimed(std::slice::from_ref(key)).await? {
            return Ok(None);
        }
        let tx = self.store.begin().await?;
        match tx.claim_idempotency_key(Some(key), self.ids.next(now), now).await? {
            Some(first) => first_result(&tx, PublicationId(first)).await.map(Some),
            // It was released in between. Nothing is kept of the claim.
            None => Ok(None),
        }
    }

    /// Reads what would be published at one moment.
    async fn collect(&self, permit: &PublicationPermit<'_>) -> Result<Collected, CommandError> {
        // It may read many rows, so it takes a connection of queries, and none of commands and feeds.
        let snapshot = self.reads.issue_snapshot().await?;
        let ids = issue_ids(&snapshot, permit).await?;
        let missing = missing_parts(&snapshot, permit, &ids).await?;
        if missing.count > 0 {
            let norm = permit.subject.norm();
            return Err(Rejection::Incomplete { norm, missing: missing.listed, count: missing.count }.into());
        }
        let content = self.publication_content(&snapshot, permit, &ids).await?;
        let bytes = serialized(&content)?;
        if bytes.len() > MAX_BYTES {
            return Err(too_large().into());
        }
        Ok(Collected { content, digest: hex_digest(&bytes) })
    }

    /// Returns the row of an edition, and its bytes.
    fn edition(
        &self,
        id: PublicationId,
        permit: &PublicationPermit<'_>,
        last: Option<&publication::Model>,
        (Collected { content, digest }, now): (Collected, DateTime<Utc>),
    ) -> Result<(publication::Model, Vec<u8>), StoreError> {
        let edition = last.map_or(1, |last| last.edition.saturating_add(1));
        let supersedes = last.map(|last| last.id);
        let document = Document {
            schema: format!("{}{SCHEMA_PATH}", self.public_url),
            id: typed_id(PUBLICATION, id.0),
            kind: permit.subject.kind().as_str().to_owned(),
            edition,
            supersedes: supersedes.map(|id| typed_id(PUBLICATION, id.0)),
            published_at: now,
            content,
        };
        let bytes = serialized(&document)?;
        let Content { title, region, agency, .. } = document.content;
        let row = publication::Model {
            id,
            kind: permit.subject.kind(),
            series: permit.subject.series(),
            edition,
            supersedes,
            region_code: region.map(|region| region.code),
            agency: agency.map(|agency| agency.code),
            meeting_id: permit.meeting.as_ref().map(|meeting| meeting.id),
            period: permit.subject.period().map(|period| period.to_string()),
            title_kk: title.kk,
            title_ru: title.ru,
            title_en: title.en,
            sha256: hex_digest(&bytes),
            content_sha256: digest,
            published_at: now,
        };
        Ok((row, bytes))
    }

    /// Records the event of a meeting's results, and the entry of the audit log.
    async fn record_edition(
        &self,
        tx: &mut Tx,
        permit: &PublicationPermit<'_>,
        row: &publication::Model,
    ) -> Result<(), StoreError> {
        if let Some(meeting) = &permit.meeting {
            let event = meeting_event(meeting, meeting_events::PUBLISHED, Some(&permit.person.subject));
            tx.record(meeting_feed(), row.published_at, &[event]).await?;
        }
        let entry = NewAuditEntry {
            id: self.ids.next(row.published_at),
            at: row.published_at,
            actor: AuditActor::Staff(PersonKey::of(&permit.person.subject).0),
            action: PUBLISHED,
            subject: typed_id(PUBLICATION, row.id.0),
            detail: Some(format!("edition {}, sha256 {}", row.edition, row.sha256)),
        };
        tx.append_audit(&audit_shard(&permit.publisher), &[entry]).await
    }
}

async fn first_result(tx: &Tx, id: PublicationId) -> Result<publication::Model, CommandError> {
    Ok(tx.publication(id).await?.ok_or(Rejection::NotFound { field: "idempotencyKey" })?)
}

/// Serialises in the order of the fields, which never changes.
fn serialized(value: &impl serde::Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|_| StoreError::Corrupt("publication"))
}

fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
