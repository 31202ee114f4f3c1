//! Codes of reference data.

use std::ops::RangeInclusive;

/// How many characters a code has.
const LENGTH: RangeInclusive<usize> = 2..=60;

/// A text is not a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code has 2 to 60 characters: a to z, 0 to 9 and hyphens")]
pub struct BadCode;

/// Checks a code: 2 to 60 small Latin letters, digits and hyphens.
///
/// # Errors
/// When it is malformed.
pub fn check_code(code: &str) -> Result<(), BadCode> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if LENGTH.contains(&code.len()) && code.bytes().all(is_allowed) { Ok(()) } else { Err(BadCode) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_small_letters_digits_and_hyphens() {
        for good in ["ab", "min-finance", "akimat-750000000", "0-", &"a".repeat(60)] {
            assert_eq!(check_code(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "Min", "min finance", "min_finance", "ақ", "min\n", &"a".repeat(61)] {
            assert_eq!(check_code(bad), Err(BadCode), "{bad:?}");
        }
    }
}
