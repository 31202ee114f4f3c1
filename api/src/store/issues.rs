//! Problem issues and their numbers.

use entities::{
    enums::Stored as _,
    ids::IssueId,
    issue::{self, Column, Entity},
    issue_number,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, EntityTrait, ExprTrait as _, IntoActiveModel as _, QueryFilter, QueryOrder,
    QuerySelect, Set,
    sea_query::{Expr, OnConflict},
};

use crate::store::{
    Store, StoreError, Tx,
    batching::padded,
    changes::{keep_unknown, with_changes},
};

impl Tx {
    /// Locks issues until the end of the transaction, in the order of their ids, and returns them. Those in an unknown state are left
    /// out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_issues(&self, ids: &[IssueId]) -> Result<Vec<issue::Model>, StoreError> {
        let rows = Entity::find()
            .filter(Column::Id.is_in(padded(ids.iter().copied())))
            .order_by_asc(Column::Id)
            .lock_exclusive()
            .all(self.inner())
            .await?;
        Ok(rows.into_iter().filter(|row| row.state.is_known()).collect())
    }

    /// Returns the number of an issue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_number(&self, id: IssueId) -> Result<Option<String>, StoreError> {
        let number = Entity::find_by_id(id).select_only().column(Column::Number);
        Ok(number.into_tuple().one(self.inner()).await?)
    }

    /// Inserts an issue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_issue(&self, row: issue::Model) -> Result<(), StoreError> {
        Entity::insert(row.into_active_model().reset_all()).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Updates the changed columns of an issue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_issue(&self, before: &issue::Model, after: &issue::Model) -> Result<(), StoreError> {
        let mut changed = with_changes(before.clone().into_active_model(), &after.clone().into_active_model());
        keep_unknown(&mut changed.level);
        Entity::update_many().set(changed).filter(Column::Id.eq(after.id)).exec(self.inner()).await?;
        Ok(())
    }

    /// Takes the next numbers of a series in a year, without gaps, and returns the first. The series stays locked until the end of the
    /// transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_numbers(&self, series: &str, year: i32, count: i32) -> Result<i32, StoreError> {
        use issue_number::{ActiveModel, Column, Entity};
        let row = ActiveModel { series: Set(series.to_owned()), year: Set(year), last: Set(count) };
        let next = Expr::col((Entity, Column::Last)).add(count);
        let conflict = OnConflict::columns([Column::Series, Column::Year]).value(Column::Last, next).to_owned();
        let row = Entity::insert(row).on_conflict(conflict).exec_with_returning(self.inner()).await?;
        Ok(row.last.saturating_sub(count).saturating_add(1))
    }
}

impl Store {
    /// Returns issues by id. Those in an unknown state are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issues_by_id(&self, ids: &[IssueId]) -> Result<Vec<issue::Model>, StoreError> {
        let rows = Entity::find().filter(Column::Id.is_in(padded(ids.iter().copied()))).all(self.reader()).await?;
        Ok(rows.into_iter().filter(|row| row.state.is_known()).collect())
    }

    /// Returns issues by their numbers. Those in an unknown state are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issues_by_number(&self, numbers: &[String]) -> Result<Vec<issue::Model>, StoreError> {
        let numbers = padded(numbers.iter().cloned());
        let rows = Entity::find().filter(Column::Number.is_in(numbers)).all(self.reader()).await?;
        Ok(rows.into_iter().filter(|row| row.state.is_known()).collect())
    }
}
