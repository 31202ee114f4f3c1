//! What the protocol of a meeting needs beside its comments: numbers of comments, and of issues raised from them.

use entities::{
    comment::{self, Column},
    enums::{CommentState, IssueSourceKind, Platform},
    ids::{CommentId, MeetingId},
    issue, issue_source,
};
use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::{
    domain::policy::CommentScope,
    store::{Store, StoreError, batching::padded, comments::scope_condition},
};

impl Store {
    /// Counts the comments of a meeting that a scope allows, by state and platform.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_comments_by_origin(
        &self,
        meeting: MeetingId,
        scope: &CommentScope,
    ) -> Result<Vec<(CommentState, Option<Platform>, u64)>, StoreError> {
        let counts = comment::Entity::find()
            .select_only()
            .columns([Column::State, Column::Platform])
            .column_as(Column::Id.count(), "comments_found")
            .filter(Column::MeetingId.eq(meeting))
            .filter(scope_condition(scope))
            .group_by(Column::State)
            .group_by(Column::Platform);
        let rows: Vec<(CommentState, Option<Platform>, i64)> = counts.into_tuple().all(self.reader()).await?;
        Ok(rows
            .into_iter()
            .map(|(state, from, count)| (state, from, u64::try_from(count).unwrap_or_default()))
            .collect())
    }

    /// Returns the numbers of the issues that were raised from these comments.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_numbers_of(
        &self,
        comments: impl IntoIterator<Item = CommentId>,
    ) -> Result<Vec<(CommentId, String)>, StoreError> {
        use issue_source::Column as Source;
        let to_issue = issue_source::Entity::belongs_to(issue::Entity).from(Source::IssueId).to(issue::Column::Id);
        let numbers = issue_source::Entity::find()
            .select_only()
            .column(Source::SourceId)
            .column(issue::Column::Number)
            .join(JoinType::InnerJoin, to_issue.into())
            .filter(Source::Kind.eq(IssueSourceKind::Comment))
            .filter(Source::SourceId.is_in(padded(comments.into_iter().map(|id| id.0))));
        let rows: Vec<(Uuid, String)> = numbers.into_tuple().all(self.reader()).await?;
        Ok(rows.into_iter().map(|(source, number)| (CommentId(source), number)).collect())
    }
}
