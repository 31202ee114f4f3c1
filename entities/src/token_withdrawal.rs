//! Revocations of tokens: tokens issued to a person up to a time are invalid.

use sea_orm::entity::prelude::*;

/// A row of `token_withdrawals`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "token_withdrawals")]
pub struct Model {
    /// Subject of the person.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// Tokens issued up to this time are revoked.
    pub issued_before: DateTimeUtc,
    /// Raised by every revocation. The sum over all rows changes with each, whatever the order of commits.
    pub revision: i64,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
