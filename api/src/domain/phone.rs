//! Phone numbers: validation by the numbering plans of countries, and their international form.

use phonenumber::{Mode, country};

/// The longest text that may be a phone number.
const MAX_LENGTH: usize = 32;

/// Number of digits of a number of Kazakhstan without the code of the country.
const NATIONAL_LENGTH: usize = 10;
/// The code of the country, with which its numbers begin again.
const COUNTRY_DIGIT: char = '7';

/// A text is not a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPhone {
    /// It contains something other than digits and the usual signs between them, or is too long.
    #[error("a phone number consists of digits")]
    Characters,
    /// No country has such numbers.
    #[error("there is no such phone number")]
    NoSuchNumber,
}

/// Validates a phone number, and returns it in E.164 form, such as `+77011234567`. Without a country code it is one of
/// Kazakhstan.
///
/// # Errors
/// When the text is malformed, or no country has such numbers.
pub fn parse_phone(text: &str) -> Result<String, BadPhone> {
    let text = text.trim();
    // The library accepts words, extensions and addresses of other schemes, and is not made for arbitrary texts.
    let is_sign = |sign: char| sign.is_ascii_digit() || matches!(sign, ' ' | '-' | '(' | ')' | '.' | '\u{a0}');
    let rest = text.strip_prefix('+').unwrap_or(text);
    if text.chars().count() > MAX_LENGTH || !rest.chars().all(is_sign) || !rest.contains(|c: char| c.is_ascii_digit()) {
        return Err(BadPhone::Characters);
    }
    let mut digits: String = text.chars().filter(|sign| sign.is_ascii_digit() || *sign == '+').collect();
    // The library would take the first digit of such a number for the code of the country.
    if digits.len() == NATIONAL_LENGTH && digits.starts_with(COUNTRY_DIGIT) {
        digits = format!("+{COUNTRY_DIGIT}{digits}");
    }
    // The library compiles the patterns of a country on first use, and caches them.
    let number = phonenumber::parse(Some(country::KZ), digits).map_err(|_| BadPhone::NoSuchNumber)?;
    if !number.is_valid() {
        return Err(BadPhone::NoSuchNumber);
    }
    Ok(number.format().mode(Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_numbers_as_people_write_them() {
        for text in [
            "+77011234567",
            "87011234567",
            "8 701 123 45 67",
            "8 (701) 123-45-67",
            "+7 701 123 45 67",
            "7011234567",
            " +7\u{a0}(701)\u{a0}123.45.67 ",
        ] {
            assert_eq!(parse_phone(text).as_deref(), Ok("+77011234567"), "{text}");
        }
        assert_eq!(parse_phone("8 7172 74 20 00").as_deref(), Ok("+77172742000"), "a fixed line");
        assert_eq!(parse_phone("+49 30 123456").as_deref(), Ok("+4930123456"), "another country");
    }

    #[test]
    fn rejects_what_is_no_number() {
        for text in ["", " ", "+", "()", "phone", "8701CALLNOW", "+7 701 123 45 67 ext. 5", "tel:+77011234567"] {
            assert_eq!(parse_phone(text), Err(BadPhone::Characters), "{text}");
        }
        assert_eq!(parse_phone(&"1".repeat(33)), Err(BadPhone::Characters));
        for text in
            ["1", "112", "+7", "+7701123456", "+770112345678", "+7 001 123 45 67", "00000000000", "+999123456789"]
        {
            assert_eq!(parse_phone(text), Err(BadPhone::NoSuchNumber), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_international_form_is_stable(text in "[0-9+() .-]{0,34}") {
            if let Ok(number) = parse_phone(&text) {
                prop_assert!(number.starts_with('+') && number.len() <= 16, "{number}");
                prop_assert_eq!(parse_phone(&number), Ok(number.clone()));
            }
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = parse_phone(&text);
        }
    }
}
