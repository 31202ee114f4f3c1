//! Counts of lists, which stop where nobody needs to know more.

use sea_orm::{
    ConnectionTrait as _, EntityTrait, QuerySelect as _, QueryTrait as _, Select,
    sea_query::{Asterisk, Expr, Func, Query},
};

use crate::store::{Store, StoreError};

/// The highest count of a list. Longer lists are said to have as many.
pub const MAX_COUNT: u64 = 10_000;

impl Store {
    /// Counts rows, up to [`MAX_COUNT`].
    pub(in crate::store) async fn count<E: EntityTrait>(&self, rows: Select<E>) -> Result<u64, StoreError> {
        let some = rows.select_only().expr_as(Expr::cust("1"), "one").limit(MAX_COUNT).into_query();
        let mut count = Query::select();
        count.expr_as(Func::count(Expr::col(Asterisk)), "rows_found").from_subquery(some, "some_rows");
        let row = self.reader().query_one(&count).await?.ok_or(StoreError::Corrupt("count"))?;
        let count: i64 = row.try_get("", "rows_found")?;
        u64::try_from(count).map_err(|_| StoreError::Corrupt("count"))
    }
}
