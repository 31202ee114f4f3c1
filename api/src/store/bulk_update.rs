//! Bulk updates: many rows with few statements.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait as _, EntityTrait, IdenStatic,
    sea_query::{Expr, ExprTrait as _, IntoIden as _, Query, TableRef, ValueTuple},
};

use crate::store::{StoreError, Tx, batching::batches, changes::differing_columns};

type Column<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Column;

/// Alias of the VALUES list in an update.
const CHANGES_ALIAS: &str = "changed";

impl Tx {
    /// Updates the changed columns of rows, each given as read and as it will be saved and found by its column `key`. Rows with
    /// the same changed columns share statements.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::store) async fn update_rows<A: ActiveModelTrait>(
        &self,
        key: Column<A>,
        changes: impl IntoIterator<Item = (A, A)>,
    ) -> Result<(), StoreError> {
        let mut groups: Vec<(Vec<Column<A>>, Vec<A>)> = Vec::new();
        for (before, after) in changes {
            let columns = differing_columns(&before, &after);
            if columns.is_empty() {
                continue;
            }
            let same = |of: &[Column<A>]| of.iter().map(IdenStatic::as_str).eq(columns.iter().map(IdenStatic::as_str));
            match groups.iter_mut().find(|(of, _)| same(of)) {
                Some((_, rows)) => rows.push(after),
                None => groups.push((columns, vec![after])),
            }
        }
        for (columns, rows) in &groups {
            for batch in batches(rows) {
                self.update_columns(key, columns, batch).await?;
            }
        }
        Ok(())
    }

    async fn update_columns<A: ActiveModelTrait>(
        &self,
        key: Column<A>,
        columns: &[Column<A>],
        rows: &[A],
    ) -> Result<(), StoreError> {
        let row = |row: &A| {
            let written = std::iter::once(key).chain(columns.iter().copied());
            ValueTuple::Many(written.filter_map(|column| row.get(column).into_value()).collect())
        };
        let mut update = Query::update();
        update
            .table(A::Entity::default())
            .from(TableRef::ValuesList(rows.iter().map(row).collect(), CHANGES_ALIAS.into_iden()));
        for (place, column) in columns.iter().enumerate() {
            // Both engines number the columns of a VALUES list from 1.
            update.value(*column, Expr::col((CHANGES_ALIAS, format!("column{}", place + 2))));
        }
        update.and_where(Expr::col((A::Entity::default(), key)).eq(Expr::col((CHANGES_ALIAS, "column1"))));
        self.inner().execute(&update).await?;
        Ok(())
    }
}
