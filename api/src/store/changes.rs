//! What differs between a row as it was read and as it is to be: only that is written.

use sea_orm::{ActiveModelTrait, EntityTrait, Iterable};

type Column<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Column;

/// The columns in which the later row differs from the earlier one.
pub(in crate::store) fn differing<A: ActiveModelTrait>(before: &A, after: &A) -> Vec<Column<A>> {
    Column::<A>::iter().filter(|column| before.get(*column) != after.get(*column)).collect()
}

/// The later row, with those columns set that differ from the earlier one.
pub(in crate::store) fn changed<A: ActiveModelTrait>(before: A, after: &A) -> A {
    let mut change = before;
    for column in differing(&change, after) {
        if let Some(value) = after.get(column).into_value() {
            change.set(column, value);
        }
    }
    change
}
