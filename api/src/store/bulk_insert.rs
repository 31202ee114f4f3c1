//! Bulk inserts: many rows with few statements.
//!
//! PostgreSQL gets a set as one JSON parameter, so each table has one statement, planned once, whatever the number of
//! rows. In SQLite, which has no round trips, binding values is cheaper.

use chrono::SecondsFormat;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait as _, EntityName as _, EntityTrait, IdenStatic as _, Iterable as _, Value,
    sea_query::{Alias, Expr, ExprTrait as _, Func, OnConflict, Query},
};
use serde_json::{Map, Value as Json};

use crate::store::{DatabaseEngine, StoreError, Tx, batching::batches};

/// Alias of the rows of the parameter.
const ROWS: &str = "new_rows";

impl Tx {
    /// Inserts rows, all with the columns set that the first has. Returns how many were written, which may be fewer only if
    /// `on_conflict` says so.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::store) async fn insert_rows<A>(
        &self,
        rows: Vec<A>,
        on_conflict: Option<OnConflict>,
    ) -> Result<u64, StoreError>
    where
        A: ActiveModelTrait + Clone + Send,
    {
        if self.engine() == DatabaseEngine::Postgres {
            return self.insert_as_json(&rows, on_conflict).await;
        }
        let mut written = 0;
        for batch in batches(&rows) {
            let mut insert = A::Entity::insert_many(batch.iter().cloned());
            if let Some(on_conflict) = &on_conflict {
                insert = insert.on_conflict(on_conflict.clone());
            }
            written += insert.exec_without_returning(self.inner()).await?;
        }
        Ok(written)
    }

    async fn insert_as_json<A: ActiveModelTrait>(
        &self,
        rows: &[A],
        on_conflict: Option<OnConflict>,
    ) -> Result<u64, StoreError> {
        let Some(first) = rows.first() else { return Ok(0) };
        let columns: Vec<_> = <A::Entity as EntityTrait>::Column::iter()
            .filter(|column| first.get(*column).into_value().is_some())
            .map(|column| column.as_str())
            .collect();
        let set: Vec<Json> = rows.iter().map(to_json).collect::<Result<_, _>>()?;
        // PostgreSQL would leave out what the first row does not have.
        debug_assert!(set.iter().all(|row| row.as_object().map(Map::len) == Some(columns.len())), "the same columns");
        let table = A::Entity::default().table_name().to_owned();
        let row_type = Expr::null().cast_as(Alias::new(table.as_str()));
        let set = Expr::val(Json::Array(set).to_string()).cast_as(Alias::new("json"));
        let mut select = Query::select();
        select
            .columns(columns.iter().copied().map(Alias::new))
            .from_function(Func::cust("json_populate_recordset").args([row_type, set]), ROWS);
        let mut insert = Query::insert();
        insert
            .into_table(Alias::new(table))
            .columns(columns.into_iter().map(Alias::new))
            .select_from(select)
            .map_err(|_| StoreError::Corrupt("columns of a set"))?;
        if let Some(on_conflict) = on_conflict {
            insert.on_conflict(on_conflict);
        }
        Ok(self.inner().execute(&insert).await?.rows_affected())
    }
}

fn to_json<A: ActiveModelTrait>(row: &A) -> Result<Json, StoreError> {
    let mut fields = Map::new();
    for column in <A::Entity as EntityTrait>::Column::iter() {
        if let Some(value) = row.get(column).into_value() {
            fields.insert(column.as_str().to_owned(), value_to_json(value)?);
        }
    }
    Ok(Json::Object(fields))
}

/// Converts a value to what PostgreSQL reads as the column's type.
fn value_to_json(value: Value) -> Result<Json, StoreError> {
    Ok(match value {
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::BigInt(value) => value.into(),
        Value::String(value) => value.into(),
        Value::Uuid(value) => value.map(|value| value.to_string()).into(),
        Value::ChronoDate(value) => value.map(|value| value.to_string()).into(),
        Value::ChronoDateTimeUtc(value) => value.map(|value| value.to_rfc3339_opts(SecondsFormat::Micros, true)).into(),
        _ => return Err(StoreError::Corrupt("type of a column in a set")),
    })
}
