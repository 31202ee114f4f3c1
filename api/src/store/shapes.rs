//! Statements over many values, in few shapes: a database plans a shape once, and a new count of values would be a new shape.

/// The largest shape.
const MOST: usize = 128;

/// Parts of 128, 64, 32, … 1, as many as are needed.
pub(in crate::store) fn parts<T>(mut values: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = if values.len() >= MOST { MOST } else { (values.len() + 1).next_power_of_two() / 2 };
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
            assert!(parts.iter().all(|part| part.len().is_power_of_two() && part.len() <= MOST), "{count}");
            assert!(parts.len() <= count / MOST + 7, "{count} in {} parts", parts.len());
        }
    }

    #[test]
    fn padding_adds_nothing_new() {
        assert_eq!(padded([1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(padded([1, 2, 3, 4]), [1, 2, 3, 4]);
        assert!(padded(Vec::<i32>::new()).is_empty());
    }
}
