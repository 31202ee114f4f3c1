//! Finds rows that an older version of the rules normalised.

use entities::{
    comment,
    ids::{CommentId, IssueId, MeetingId},
    issue, meeting,
};
use sea_orm::{
    EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, LockBehavior, LockType, SimpleExpr},
};

use crate::store::{Store, StoreError, Tx};

/// Returns the condition for outdated rows, as literal SQL so that the planner uses their partial index.
fn outdated(version: i32) -> SimpleExpr {
    Expr::cust(format!("normalization_version < {version}"))
}

impl Store {
    /// Returns whether an older version normalised any comments.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_outdated_comments(&self, version: i32) -> Result<bool, StoreError> {
        let one = comment::Entity::find().select_only().column(comment::Column::Id).filter(outdated(version)).limit(1);
        Ok(one.into_tuple::<CommentId>().one(self.reader()).await?.is_some())
    }

    /// Returns whether an older version normalised any meetings.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_outdated_meetings(&self, version: i32) -> Result<bool, StoreError> {
        let one = meeting::Entity::find().select_only().column(meeting::Column::Id).filter(outdated(version)).limit(1);
        Ok(one.into_tuple::<MeetingId>().one(self.reader()).await?.is_some())
    }

    /// Returns whether an older version normalised any issues.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_outdated_issues(&self, version: i32) -> Result<bool, StoreError> {
        let one = issue::Entity::find().select_only().column(issue::Column::Id).filter(outdated(version)).limit(1);
        Ok(one.into_tuple::<IssueId>().one(self.reader()).await?.is_some())
    }
}

impl Tx {
    /// Locks and returns some outdated comments, skipping locked ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_outdated_comments(&self, version: i32, limit: u64) -> Result<Vec<comment::Model>, StoreError> {
        let some = comment::Entity::find().filter(outdated(version)).limit(limit);
        Ok(some.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(self.inner()).await?)
    }

    /// Locks and returns some outdated meetings, skipping locked ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_outdated_meetings(&self, version: i32, limit: u64) -> Result<Vec<meeting::Model>, StoreError> {
        let some = meeting::Entity::find().filter(outdated(version)).limit(limit);
        Ok(some.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(self.inner()).await?)
    }

    /// Locks and returns some outdated issues, skipping locked ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_outdated_issues(&self, version: i32, limit: u64) -> Result<Vec<issue::Model>, StoreError> {
        let some = issue::Entity::find().filter(outdated(version)).limit(limit);
        Ok(some.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(self.inner()).await?)
    }
}
