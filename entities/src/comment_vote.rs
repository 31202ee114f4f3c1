//! Votes for comments.

use sea_orm::entity::prelude::*;

use crate::ids::CommentId;

/// A row of `comment_votes`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "comment_votes")]
pub struct Model {
    /// The comment.
    #[sea_orm(primary_key, auto_increment = false)]
    pub comment_id: CommentId,
    /// Subject of the voter.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// When the vote was cast.
    pub voted_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
