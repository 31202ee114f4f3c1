//! Computes the columns that an update has to write.

use entities::enums::Stored;
use sea_orm::{ActiveModelTrait, ActiveValue, EntityTrait, Iterable, Value};

type Column<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Column;

/// Returns the columns in which two rows differ.
pub(in crate::store) fn differing_columns<A: ActiveModelTrait>(before: &A, after: &A) -> Vec<Column<A>> {
    Column::<A>::iter().filter(|column| before.get(*column) != after.get(*column)).collect()
}

/// Returns `before` with the columns set that differ in `after`.
pub(in crate::store) fn with_changes<A: ActiveModelTrait>(before: A, after: &A) -> A {
    let mut change = before;
    for column in differing_columns(&change, after) {
        if let Some(value) = after.get(column).into_value() {
            change.set(column, value);
        }
    }
    change
}

/// Leaves a column out of an update if it holds a value of a later version.
pub(in crate::store) fn keep_unknown<T: Stored + Into<Value>>(column: &mut ActiveValue<T>) {
    if column.try_as_ref().is_some_and(|value| !value.is_known()) {
        *column = ActiveValue::NotSet;
    }
}
