//! The audit log. Positions are taken under the lock of the chain's head, so that they follow commit order.

use std::collections::{BTreeMap, BTreeSet};

use chrono::SubsecRound as _;
use entities::{audit_entry, audit_head};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, EntityTrait, IntoActiveModel as _, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::OnConflict,
};

use crate::{
    domain::audit::{ChainEntry, ChainHead, NewAuditEntry, SHARDS},
    store::{StoreError, Tx, batching::padded},
};

/// Digits of a second that both engines keep.
const PRECISION: u16 = 6;

impl Tx {
    /// Appends entries to the chain of a shard, which stays locked until the end of the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_audit(&self, shard: &str, entries: &[NewAuditEntry]) -> Result<(), StoreError> {
        self.append_audit_to_each(BTreeMap::from([(shard.to_owned(), entries.to_vec())])).await
    }

    /// Appends entries to the chains of several shards, in a fixed number of statements.
    ///
    /// The chains stay locked until the end of the transaction. Their heads are the last in the lock order, and a transaction
    /// calls this once, so that no two transactions wait for each other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_audit_to_each(
        &self,
        mut entries: BTreeMap<String, Vec<NewAuditEntry>>,
    ) -> Result<(), StoreError> {
        entries.retain(|_, entries| !entries.is_empty());
        let Some(at) = entries.values().flatten().map(|entry| entry.at).min() else { return Ok(()) };
        let shards: Vec<String> = entries.keys().cloned().collect();
        let begun = self.begin_shards(&shards).await?;
        entries
            .entry(SHARDS.to_owned())
            .or_default()
            .extend(begun.iter().map(|shard| NewAuditEntry::shard_begun(shard, at)));
        entries.retain(|_, entries| !entries.is_empty());
        let mut heads = self.lock_heads(entries.keys().cloned()).await?;
        let mut rows = Vec::new();
        for (shard, entries) in entries {
            let head = heads.get_mut(&shard).ok_or(StoreError::Corrupt("head of a chain"))?;
            rows.extend(entries.into_iter().map(|mut entry| {
                entry.at = entry.at.trunc_subsecs(PRECISION);
                row(head.append(&shard, &entry))
            }));
        }
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
        self.insert_rows::<audit_entry::ActiveModel>(rows, None).await?;
        self.save_heads(heads).await
    }

    /// Creates the heads of those shards that have none yet, and returns these.
    async fn begin_shards(&self, shards: &[String]) -> Result<BTreeSet<String>, StoreError> {
        let missing = self.shards_without_head(shards).await?;
        if missing.is_empty() {
            return Ok(missing);
        }
        // The chain of chains is locked first, so that one transaction begins a chain, and others wait for it.
        self.create_heads([SHARDS.to_owned()].into()).await?;
        self.lock_heads([SHARDS.to_owned()]).await?;
        let missing = self.shards_without_head(shards).await?;
        self.create_heads(missing.clone()).await?;
        Ok(missing)
    }

    async fn shards_without_head(&self, shards: &[String]) -> Result<BTreeSet<String>, StoreError> {
        let known = audit_head::Entity::find()
            .select_only()
            .column(audit_head::Column::Shard)
            .filter(audit_head::Column::Shard.is_in(padded(shards.iter().cloned())));
        let known: BTreeSet<String> = known.into_tuple().all(self.inner()).await?.into_iter().collect();
        Ok(shards.iter().filter(|shard| *shard != SHARDS && !known.contains(*shard)).cloned().collect())
    }

    async fn create_heads(&self, shards: BTreeSet<String>) -> Result<(), StoreError> {
        let empty = shards.into_iter().map(|shard| head_row(shard, ChainHead::default())).collect();
        let known = OnConflict::column(audit_head::Column::Shard).do_nothing().to_owned();
        self.insert_rows::<audit_head::ActiveModel>(empty, Some(known)).await.map(drop)
    }

    /// Locks heads in the order of their shards.
    async fn lock_heads(
        &self,
        shards: impl IntoIterator<Item = String>,
    ) -> Result<BTreeMap<String, ChainHead>, StoreError> {
        let rows = audit_head::Entity::find()
            .filter(audit_head::Column::Shard.is_in(padded(shards)))
            .order_by_asc(audit_head::Column::Shard)
            .lock_exclusive()
            .all(self.inner())
            .await?;
        Ok(rows.into_iter().map(|row| (row.shard, ChainHead { seq: row.seq, hash: row.hash })).collect())
    }

    async fn save_heads(&self, heads: BTreeMap<String, ChainHead>) -> Result<(), StoreError> {
        let rows = heads.into_iter().map(|(shard, head)| head_row(shard, head)).collect();
        let columns = [audit_head::Column::Seq, audit_head::Column::Hash];
        let exists = OnConflict::column(audit_head::Column::Shard).update_columns(columns).to_owned();
        self.insert_rows::<audit_head::ActiveModel>(rows, Some(exists)).await.map(drop)
    }
}

fn head_row(shard: String, head: ChainHead) -> audit_head::ActiveModel {
    audit_head::ActiveModel { shard: Set(shard), seq: Set(head.seq), hash: Set(head.hash) }
}

fn row(entry: ChainEntry) -> audit_entry::Model {
    let ChainEntry { shard, seq, id, at, actor, action, subject, detail, previous_hash, hash } = entry;
    audit_entry::Model { shard, seq, id, at, actor, action, subject, detail, previous_hash, hash }
}
