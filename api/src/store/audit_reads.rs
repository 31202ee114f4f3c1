//! Reads of the audit log: pages for viewers, and a snapshot for its verification.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entities::{
    audit_entry::{Column, Entity, Model},
    audit_head,
    kato::KatoCode,
};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::{
    domain::{
        audit::{ChainEntry, ChainHead},
        policy::AuditScope,
    },
    store::{
        Store, StoreError,
        keyset::{PageRequest, PageSlice},
        subtree::within,
    },
};

/// Filter of the audit log. All given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About this object.
    pub subject: Option<String>,
    /// Of hosts in this unit or below it.
    pub region: Option<KatoCode>,
    /// Any of these actions.
    pub actions: Option<Vec<String>>,
    /// At this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
}

/// Sort key of an entry in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCursor {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Its id.
    pub id: Uuid,
}

impl Store {
    /// Returns a page of the entries that a scope and a filter allow, newest first. The list is read forwards only.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_log(
        &self,
        scope: &AuditScope,
        filter: &AuditFilter,
        request: &PageRequest<AuditCursor>,
    ) -> Result<PageSlice<Model>, StoreError> {
        let mut query = Entity::find().filter(allowed(scope, filter));
        if let Some(AuditCursor { at, id }) = request.after {
            let earlier = Condition::any().add(Column::At.lt(at)).add(Column::Id.lt(id));
            // The first condition alone bounds the range of the index.
            query = query.filter(Condition::all().add(Column::At.lte(at)).add(earlier));
        }
        let query = query.order_by_desc(Column::At).order_by_desc(Column::Id);
        Ok(request.slice(query.limit(request.query_limit()).all(self.reader()).await?))
    }

    /// Counts the entries that a scope and a filter allow.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_audit_log(&self, scope: &AuditScope, filter: &AuditFilter) -> Result<u64, StoreError> {
        Ok(Entity::find().filter(allowed(scope, filter)).count(self.reader()).await?)
    }

    /// Returns a page of the entries about an object whose actions begin with a word, oldest first. The list is read forwards only.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_history(
        &self,
        subject: &str,
        actions: &str,
        request: &PageRequest<AuditCursor>,
    ) -> Result<PageSlice<Model>, StoreError> {
        let mut query = Entity::find().filter(history(subject, actions));
        if let Some(AuditCursor { at, id }) = request.after {
            let later = Condition::any().add(Column::At.gt(at)).add(Column::Id.gt(id));
            query = query.filter(Condition::all().add(Column::At.gte(at)).add(later));
        }
        let query = query.order_by_asc(Column::At).order_by_asc(Column::Id);
        Ok(request.slice(query.limit(request.query_limit()).all(self.reader()).await?))
    }

    /// Counts the entries of a history.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_audit_history(&self, subject: &str, actions: &str) -> Result<u64, StoreError> {
        Ok(Entity::find().filter(history(subject, actions)).count(self.reader()).await?)
    }

    /// Opens a snapshot of the audit log, which the entries that are appended meanwhile are not in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_snapshot(&self) -> Result<AuditSnapshot, StoreError> {
        Ok(AuditSnapshot(self.begin_snapshot().await?))
    }
}

/// The audit log at one moment.
pub struct AuditSnapshot(DatabaseTransaction);

impl AuditSnapshot {
    /// Returns the heads of all chains.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn heads(&self) -> Result<BTreeMap<String, ChainHead>, StoreError> {
        let rows = audit_head::Entity::find().all(&self.0).await?;
        Ok(rows.into_iter().map(|row| (row.shard, ChainHead { seq: row.seq, hash: row.hash })).collect())
    }

    /// Returns the entries after a place, in the order of shards and positions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn entries(&self, after: Option<(&str, i64)>, limit: u64) -> Result<Vec<ChainEntry>, StoreError> {
        let mut query = Entity::find();
        if let Some((shard, seq)) = after {
            let rest = Condition::any().add(Column::Shard.gt(shard)).add(Column::Seq.gt(seq));
            query = query.filter(Condition::all().add(Column::Shard.gte(shard)).add(rest));
        }
        let query = query.order_by_asc(Column::Shard).order_by_asc(Column::Seq);
        Ok(query.limit(limit).all(&self.0).await?.into_iter().map(entry).collect())
    }
}

fn allowed(scope: &AuditScope, filter: &AuditFilter) -> Condition {
    let units = match scope {
        AuditScope::Everything => None,
        AuditScope::Within(units) => {
            Some(units.iter().fold(Condition::any(), |any, unit| any.add(within(Column::Shard, *unit))))
        }
    };
    Condition::all()
        .add_option(units)
        .add_option(filter.region.map(|unit| within(Column::Shard, unit)))
        .add_option(filter.subject.as_ref().map(|subject| Column::Subject.eq(subject)))
        .add_option(filter.actions.as_ref().map(|actions| Column::Action.is_in(actions)))
        .add_option(filter.from.map(|from| Column::At.gte(from)))
        .add_option(filter.until.map(|until| Column::At.lt(until)))
}

fn history(subject: &str, actions: &str) -> Condition {
    Condition::all().add(Column::Subject.eq(subject)).add(Column::Action.starts_with(actions))
}

fn entry(row: Model) -> ChainEntry {
    let Model { shard, seq, id, at, actor, action, subject, detail, previous_hash, hash } = row;
    ChainEntry { shard, seq, id, at, actor, action, subject, detail, previous_hash, hash }
}
