//! The numbers that people quote: letters of the oblast, the year, and a counter without gaps.

/// The prefix of the numbers of requests.
const REQUEST: &str = "R-";
/// The longest number.
const MAX_LENGTH: usize = 32;

/// Returns the number of an issue, for example `ALM-2026-000123`.
#[must_use]
pub fn issue_number(letters: &str, year: i32, counter: i32) -> String {
    format!("{letters}-{year}-{counter:06}")
}

/// Returns the number of a request, for example `R-ALM-2026-000123`.
#[must_use]
pub fn request_number(letters: &str, year: i32, counter: i32) -> String {
    format!("{REQUEST}{}", issue_number(letters, year, counter))
}

/// Reads a number as people type it: in any case, with spaces, and with or without the zeros. `None` if it is no number.
#[must_use]
pub fn parse_number(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|letter| !letter.is_whitespace()).take(MAX_LENGTH + 1).collect();
    if text.len() > MAX_LENGTH || !text.is_ascii() {
        return None;
    }
    let text = text.to_ascii_uppercase();
    let (rest, counter) = text.rsplit_once('-')?;
    let (letters, year) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i32>().ok())?;
    let is_letter = |byte: u8| byte.is_ascii_uppercase();
    let known = letters.len() == 3 && letters.bytes().all(is_letter);
    (known && year.len() == 4).then_some(())?;
    Some(issue_number(letters, digits(year)?, digits(counter).filter(|counter| *counter > 0)?))
}
