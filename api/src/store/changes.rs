//! What differs between a row as it was read and as it is to be: only that is written.

use sea_orm::{ActiveModelTrait, EntityTrait, Iterable};

/// The later row, with those columns set that differ from the earlier one.
pub(in crate::store) fn changed<A: ActiveModelTrait>(before: A, after: &A) -> A {
    let mut change = before;
    for column in <A::Entity as EntityTrait>::Column::iter() {
        let value = after.get(column);
        if change.get(column) != value
            && let Some(value) = value.into_value()
        {
            change.set(column, value);
        }
    }
    change
}
