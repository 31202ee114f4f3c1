//! Normalised text: how it is searched, and the rows in which an older version of the rules made it.

use entities::{
    comment,
    ids::{CommentId, MeetingId},
    meeting,
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, LikeExpr, LockBehavior, LockType, SimpleExpr},
};

use crate::store::{Store, StoreError, Tx};

/// Returns the condition that a column holds a text as it stands, whatever signs are in it.
pub(in crate::store) fn contains(column: impl ColumnTrait, text: &str) -> SimpleExpr {
    let literal = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    column.like(LikeExpr::new(format!("%{literal}%")).escape('\\'))
}

/// Written out, so that the planner sees that the index of outdated rows holds all of them.
fn outdated(version: i32) -> SimpleExpr {
    Expr::cust(format!("normalization_version < {version}"))
}

impl Store {
    /// Returns whether there are comments of an older version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_outdated_comments(&self, version: i32) -> Result<bool, StoreError> {
        let one = comment::Entity::find().select_only().column(comment::Column::Id).filter(outdated(version)).limit(1);
        Ok(one.into_tuple::<CommentId>().one(self.reader()).await?.is_some())
    }

    /// Returns whether there are meetings of an older version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_outdated_meetings(&self, version: i32) -> Result<bool, StoreError> {
        let one = meeting::Entity::find().select_only().column(meeting::Column::Id).filter(outdated(version)).limit(1);
        Ok(one.into_tuple::<MeetingId>().one(self.reader()).await?.is_some())
    }
}

impl Tx {
    /// Locks some comments of an older version; those that somebody else has locked are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_outdated_comments(&self, version: i32, limit: u64) -> Result<Vec<comment::Model>, StoreError> {
        let some = comment::Entity::find().filter(outdated(version)).limit(limit);
        Ok(some.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(self.inner()).await?)
    }

    /// Locks some meetings of an older version; those that somebody else has locked are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_outdated_meetings(&self, version: i32, limit: u64) -> Result<Vec<meeting::Model>, StoreError> {
        let some = meeting::Entity::find().filter(outdated(version)).limit(limit);
        Ok(some.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(self.inner()).await?)
    }
}
