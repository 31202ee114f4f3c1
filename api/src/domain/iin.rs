//! Individual identification numbers (ИИН): the check of their digits.
//!
//! The digits also encode a birth date, a century and a sex. Nothing is derived from them here: a number identifies, and that is
//! all it is asked for.

/// Number of digits.
const LENGTH: usize = 12;
/// The weights of the first eleven digits.
const FIRST_WEIGHTS: [u32; LENGTH - 1] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
/// The weights that are used if the first give no check digit.
const SECOND_WEIGHTS: [u32; LENGTH - 1] = [3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2];
/// The last digits, which are shown.
const SHOWN: usize = 2;

/// A text is not an individual identification number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIin {
    /// It has not exactly twelve digits.
    #[error("an individual identification number has twelve digits")]
    Digits,
    /// The last digit does not match the others.
    #[error("the check digit of the individual identification number does not match")]
    CheckDigit,
}

/// Validates an individual identification number, and returns its digits. Spaces around it are ignored.
///
/// # Errors
/// When it has not twelve digits, or the last one does not match the others.
pub fn parse_iin(text: &str) -> Result<String, BadIin> {
    let text = text.trim();
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(10)).collect();
    let digits: [u32; LENGTH] = digits.and_then(|digits| digits.try_into().ok()).ok_or(BadIin::Digits)?;
    let [number @ .., last] = digits;
    if check_digit(&number) == Some(last) { Ok(text.to_owned()) } else { Err(BadIin::CheckDigit) }
}

/// Returns the check digit, or `None` if there is none: such numbers are not issued.
fn check_digit(number: &[u32; LENGTH - 1]) -> Option<u32> {
    let remainder = |weights: &[u32; LENGTH - 1]| {
        let sum: u32 = number.iter().zip(weights).map(|(digit, weight)| digit * weight).sum();
        Some(sum % 11).filter(|remainder| *remainder < 10)
    };
    remainder(&FIRST_WEIGHTS).or_else(|| remainder(&SECOND_WEIGHTS))
}

/// Returns a number as the API shows it: the last two digits, and a star for each other one.
#[must_use]
pub fn masked_iin(iin: &str) -> String {
    let hidden = iin.chars().count().saturating_sub(SHOWN);
    iin.chars().enumerate().map(|(at, digit)| if at < hidden { '*' } else { digit }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Computes the check digit by the words of the rule, without tables: the weight of the digit at `at` (from 1) is `at`, and
    /// in the second pass the number two places further on in the circle of 1 to 11.
    fn oracle(number: u64) -> Option<u64> {
        let digit = |at: u32| number / 10_u64.pow(11 - at) % 10;
        let pass = |shift: u32| (1..=11).map(|at| digit(at) * u64::from((at - 1 + shift) % 11 + 1)).sum::<u64>() % 11;
        match (pass(0), pass(2)) {
            (first @ 0..=9, _) => Some(first),
            (_, second @ 0..=9) => Some(second),
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn accepts_exactly_the_check_digit_of_the_rule(number in 0_u64..100_000_000_000) {
            for last in 0..10 {
                let text = format!("{number:011}{last}");
                let expected = if oracle(number) == Some(last) { Ok(text.clone()) } else { Err(BadIin::CheckDigit) };
                prop_assert_eq!(parse_iin(&text), expected);
            }
        }

        // The first pass multiplies the eleventh digit by 11, so only the second one depends on it.
        #[test]
        fn rejects_a_wrong_digit_among_the_first_ten(number in 0_u64..100_000_000_000, at in 0_usize..10, by in 1_u32..10) {
            let digits: Vec<u32> = format!("{number:011}").chars().filter_map(|digit| digit.to_digit(10)).collect();
            let mut wrong = digits.clone();
            wrong[at] = (wrong[at] + by) % 10;
            let first = |digits: &[u32]| digits.iter().zip(1..).map(|(digit, weight)| digit * weight).sum::<u32>() % 11;
            prop_assume!(first(&digits) < 10 && first(&wrong) < 10);
            let last = first(&digits);
            let text: String = wrong.iter().chain([&last]).map(ToString::to_string).collect();
            prop_assert_eq!(parse_iin(&text), Err(BadIin::CheckDigit));
        }
    }

    #[test]
    fn every_outcome_of_the_two_passes_occurs() {
        let numbers = || (0..200_000_u64).map(|number| number * 499_979);
        let passes: Vec<_> = numbers().map(oracle).collect();
        assert!(passes.iter().any(Option::is_none) && passes.iter().any(Option::is_some));
        let none = numbers().find(|number| oracle(*number).is_none()).unwrap();
        assert!((0..10).all(|last| parse_iin(&format!("{none:011}{last}")).is_err()), "it is never valid");
    }

    #[test]
    fn rejects_what_has_not_twelve_digits() {
        for text in ["", "12345678901", "1234567890123", "12345678901x", "１２３４５６７８９０１２", "-12345678901"]
        {
            assert_eq!(parse_iin(text), Err(BadIin::Digits), "{text}");
        }
        assert_eq!(parse_iin(" 000000000000 ").as_deref(), Ok("000000000000"));
    }

    #[test]
    fn shows_only_the_last_two_digits() {
        assert_eq!(masked_iin("000000000042"), "**********42");
        assert_eq!((masked_iin("1"), masked_iin("")), ("1".to_owned(), String::new()));
    }
}
