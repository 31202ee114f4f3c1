//! What publications read of issues: sets of a bounded number, all as of one moment.

use std::collections::HashSet;

use entities::{
    comment,
    enums::{FundingDecision, IssueState, Stored as _},
    ids::{CommentId, IssueId, MeetingId},
    issue::{self, Column, Entity},
    issue_report, issue_source, issue_step, reception,
};
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    domain::{comment::is_public, issues::Step, publications::IssueFacts},
    store::{
        Store, StoreError,
        batching::padded,
        issue_lists::{IssueFilter, other_conditions, place},
        issue_parts::plans_in,
    },
};

/// How many issues are read at once.
pub const BATCH: usize = 500;

/// The issues and receptions at one moment.
pub struct IssueSnapshot {
    transaction: DatabaseTransaction,
}

/// What the rules ask of an issue, as it is selected.
type FactRow =
    (IssueId, String, String, IssueState, Option<String>, Option<chrono::NaiveDate>, Option<FundingDecision>);

impl Store {
    /// Opens a snapshot of issues and receptions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_snapshot(&self) -> Result<IssueSnapshot, StoreError> {
        Ok(IssueSnapshot { transaction: self.begin_snapshot().await? })
    }
}

impl IssueSnapshot {
    /// Returns the ids of the issues that a filter selects, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ids(&self, filter: &IssueFilter, limit: usize) -> Result<Vec<IssueId>, StoreError> {
        let ids = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(place(filter))
            .filter(other_conditions(filter))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(u64::try_from(limit).unwrap_or(u64::MAX));
        Ok(ids.into_tuple().all(&self.transaction).await?)
    }

    /// Returns what the rules ask of issues, those in an unknown state left out. `quarter` is that of the report.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn facts(&self, ids: &[IssueId], quarter: Option<&str>) -> Result<Vec<IssueFacts>, StoreError> {
        let rows = Entity::find()
            .select_only()
            .columns([
                Column::Id,
                Column::Number,
                Column::RegionCode,
                Column::State,
                Column::Responsible,
                Column::Deadline,
                Column::FundingDecision,
            ])
            .filter(Column::Id.is_in(padded(ids.iter().copied())));
        let rows: Vec<FactRow> = rows.into_tuple().all(&self.transaction).await?;
        let planned = self.with_plan(ids).await?;
        let reported = match quarter {
            Some(quarter) => self.with_report(ids, quarter).await?,
            None => HashSet::new(),
        };
        let facts = |(id, number, region, state, responsible, deadline, funding): FactRow| IssueFacts {
            id,
            number,
            region,
            state,
            is_assigned: responsible.is_some(),
            has_deadline: deadline.is_some(),
            has_plan: planned.contains(&id),
            funding,
            has_report: reported.contains(&id),
        };
        Ok(rows.into_iter().map(facts).filter(|facts| facts.state.is_known()).collect())
    }

    async fn with_plan(&self, ids: &[IssueId]) -> Result<HashSet<IssueId>, StoreError> {
        use issue_step::{Column, Entity};
        let planned = Entity::find()
            .select_only()
            .column(Column::IssueId)
            .distinct()
            .filter(Column::IssueId.is_in(padded(ids.iter().copied())))
            .filter(Column::StruckAt.is_null());
        Ok(planned.into_tuple::<IssueId>().all(&self.transaction).await?.into_iter().collect())
    }

    async fn with_report(&self, ids: &[IssueId], quarter: &str) -> Result<HashSet<IssueId>, StoreError> {
        use issue_report::{Column, Entity};
        let reported = Entity::find()
            .select_only()
            .column(Column::IssueId)
            .filter(Column::IssueId.is_in(padded(ids.iter().copied())))
            .filter(Column::Quarter.eq(quarter));
        Ok(reported.into_tuple::<IssueId>().all(&self.transaction).await?.into_iter().collect())
    }

    /// Returns issues by id, those in an unknown state left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issues(&self, ids: &[IssueId]) -> Result<Vec<issue::Model>, StoreError> {
        let rows = Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(&self.transaction).await?;
        Ok(rows.into_iter().filter(|row| row.state.is_known()).collect())
    }

    /// Returns the plans of issues in their order, without struck steps.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plans(&self, ids: &[IssueId]) -> Result<Vec<(IssueId, Step)>, StoreError> {
        plans_in(&self.transaction, ids).await
    }

    /// Returns the reports on issues by quarter.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reports(&self, ids: &[IssueId]) -> Result<Vec<issue_report::Model>, StoreError> {
        use issue_report::{Column, Entity};
        let rows = Entity::find().filter(Column::IssueId.is_in(padded(ids.iter().copied())));
        Ok(rows.order_by_asc(Column::IssueId).order_by_asc(Column::Quarter).all(&self.transaction).await?)
    }

    /// Returns the ids and receipt numbers of the public comments that issues were raised from, in the order of the sources.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn questions(&self, ids: &[IssueId]) -> Result<Vec<(IssueId, CommentId, i32)>, StoreError> {
        let sources = issue_source::Entity::find()
            .filter(issue_source::Column::IssueId.is_in(padded(ids.iter().copied())))
            .order_by_asc(issue_source::Column::IssueId)
            .order_by_asc(issue_source::Column::Ordinal)
            .all(&self.transaction)
            .await?;
        let mut questions = Vec::new();
        for batch in sources.chunks(BATCH) {
            let comments = padded(batch.iter().map(|source| CommentId(source.source_id)));
            let rows = comment::Entity::find()
                .select_only()
                .columns([comment::Column::Id, comment::Column::Receipt, comment::Column::State])
                .filter(comment::Column::Id.is_in(comments));
            let rows: Vec<(CommentId, i32, entities::enums::CommentState)> =
                rows.into_tuple().all(&self.transaction).await?;
            for source in batch {
                let row = rows.iter().find(|(id, _, state)| id.0 == source.source_id && is_public(*state));
                questions.extend(row.map(|(id, receipt, _)| (source.issue_id, *id, *receipt)));
            }
        }
        Ok(questions)
    }

    /// Returns the receptions after a meeting, by start.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receptions(&self, meeting: MeetingId) -> Result<Vec<reception::Model>, StoreError> {
        use reception::{Column, Entity};
        // Drafts, and those that were cancelled as drafts, were never public.
        let opened = Column::OpenedAt.is_not_null();
        let rows = Entity::find().filter(Column::MeetingId.eq(meeting)).filter(opened);
        Ok(rows.order_by_asc(Column::StartsAt).order_by_asc(Column::Id).all(&self.transaction).await?)
    }
}
