//! Revocations of tokens.

use chrono::{DateTime, Utc};
use entities::token_withdrawal::{self, Column, Entity};
use sea_orm::{
    EntityTrait, ExprTrait, QuerySelect, Set,
    sea_query::{Expr, OnConflict},
};

use crate::{
    domain::viewer::Revocations,
    store::{Store, StoreError, Tx},
};

impl Tx {
    /// Revokes a person's tokens that were issued up to a time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_tokens(&self, subject: &str, issued_before: DateTime<Utc>) -> Result<(), StoreError> {
        let row = token_withdrawal::ActiveModel {
            subject: Set(subject.to_owned()),
            issued_before: Set(issued_before),
            revision: Set(1),
        };
        let again = OnConflict::column(Column::Subject)
            .update_column(Column::IssuedBefore)
            .value(Column::Revision, Expr::col((Entity, Column::Revision)).add(1))
            .to_owned();
        Entity::insert(row).on_conflict(again).exec_without_returning(self.inner()).await?;
        Ok(())
    }
}

impl Store {
    /// Returns a number that rises with every revocation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revocations_revision(&self) -> Result<i64, StoreError> {
        // PostgreSQL returns sums as decimals.
        let sum = Expr::col(Column::Revision).sum().cast_as("bigint");
        let sum: Option<Option<i64>> =
            Entity::find().select_only().column_as(sum, "sum").into_tuple().one(self.reader()).await?;
        Ok(sum.flatten().unwrap_or_default())
    }

    /// Returns all revocations.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revocations(&self) -> Result<Revocations, StoreError> {
        let rows = Entity::find().all(self.reader()).await?;
        Ok(rows.into_iter().map(|row| (row.subject, row.issued_before)).collect())
    }
}
