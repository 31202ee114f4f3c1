//! Who voted for which comment.

use sea_orm::entity::prelude::*;

use crate::ids::CommentId;

/// One row of `comment_votes`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "comment_votes")]
pub struct Model {
    /// The comment.
    #[sea_orm(primary_key, auto_increment = false)]
    pub comment_id: CommentId,
    /// The person.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// When.
    pub voted_at: DateTimeUtc,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
