//! Batches values for prepared statements, in few sizes.
//!
//! Each number of values makes another statement, and databases cache the plan of each statement.

/// Batch sizes, largest first: enough to split any count into few batches, few enough that each is planned once.
const BATCH_SIZES: [usize; 14] = [128, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// Splits values into as few batches of these sizes as possible.
pub(in crate::store) fn batches<T>(mut values: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = BATCH_SIZES.into_iter().find(|size| *size <= values.len()).unwrap_or_default();
        let (batch, rest) = values.split_at_checked(size).filter(|(batch, _)| !batch.is_empty())?;
        values = rest;
        Some(batch)
    })
}

/// Pads values to the next power of two by repeating the last one, which does not change the result of `IN`.
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
    fn batches_hold_every_value_once_in_few_sizes() {
        for count in 0..600 {
            let values: Vec<usize> = (0..count).collect();
            let batches: Vec<&[usize]> = batches(&values).collect();
            assert_eq!(batches.concat(), values);
            assert!(batches.iter().all(|batch| BATCH_SIZES.contains(&batch.len())), "{count}");
            assert!(batches.len() <= count / BATCH_SIZES[0] + 4, "{count} in {} batches", batches.len());
        }
    }

    #[test]
    fn padding_adds_no_new_values() {
        assert_eq!(padded([1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(padded([1, 2, 3, 4]), [1, 2, 3, 4]);
        assert!(padded(Vec::<i32>::new()).is_empty());
    }
}
