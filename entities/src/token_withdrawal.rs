//! People whose tokens were withdrawn: what was issued to them up to a moment is no longer taken.

use sea_orm::entity::prelude::*;

/// One row of `token_withdrawals`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "token_withdrawals")]
pub struct Model {
    /// Whose tokens.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// Tokens issued up to this moment are withdrawn.
    pub issued_before: DateTimeUtc,
    /// Raised by every withdrawal: the sum over all rows tells whether anything has changed, whatever the order of commits.
    pub revision: i64,
}

/// Rows are joined by hand, in the store.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
