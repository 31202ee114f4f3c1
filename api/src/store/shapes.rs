//! Statements over many values, in few shapes: a database plans a shape once, and a new count of values would be a new shape. And
//! rows of a later version: what it has stored, and this one does not know, stays as it is.

use entities::enums::Stored;
use sea_orm::{ActiveValue, Value};

/// The shapes, the largest first: so many that a count falls into few parts, and so few that each is soon planned for good.
const SHAPES: [usize; 14] = [128, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// Leaves a column out of an update where it holds what only a later version knows.
pub(in crate::store) fn keep_unknown<T: Stored + Into<Value>>(column: &mut ActiveValue<T>) {
    if column.try_as_ref().is_some_and(|value| !value.is_known()) {
        *column = ActiveValue::NotSet;
    }
}

/// Parts in these shapes, as few as there can be.
pub(in crate::store) fn parts<T>(mut values: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SHAPES.into_iter().find(|shape| *shape <= values.len()).unwrap_or_default();
        let (part, rest) = values.split_at_checked(size).filter(|(part, _)| !part.is_empty())?;
        values = rest;
        Some(part)
    })
}

/// The values with the last of them repeated up to the next shape: to look for the same twice changes nothing.
pub(in crate::store) fn padded<T: Clone>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    if let Some(last) = values.last().cloned() {
        values.resize(values.len().next_power_of_two(), last);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_everything_once_in_few_sizes() {
        for count in 0..600 {
            let values: Vec<usize> = (0..count).collect();
            let parts: Vec<&[usize]> = parts(&values).collect();
            assert_eq!(parts.concat(), values);
            assert!(parts.iter().all(|part| SHAPES.contains(&part.len())), "{count}");
            assert!(parts.len() <= count / SHAPES[0] + 4, "{count} in {} parts", parts.len());
        }
    }

    #[test]
    fn padding_adds_nothing_new() {
        assert_eq!(padded([1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(padded([1, 2, 3, 4]), [1, 2, 3, 4]);
        assert!(padded(Vec::<i32>::new()).is_empty());
    }
}
