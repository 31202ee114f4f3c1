//! Codes of the classifier of administrative-territorial objects (КАТО).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A nine-digit classifier code, `AB CD EF HIJ`. It is text, because leading zeros matter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KatoCode([u8; 9]);

/// A text is not a classifier code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKatoCode;

impl fmt::Display for BadKatoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a classifier code has nine digits")
    }
}

impl std::error::Error for BadKatoCode {}

impl KatoCode {
    /// Returns the nine digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the digits as bytes, `b'0'..=b'9'`.
    #[must_use]
    pub const fn digits(&self) -> &[u8; 9] {
        &self.0
    }
}

impl KatoCode {
    /// Returns the first and the last possible code of this unit and its descendants.
    ///
    /// The classifier nests by segment, so a subtree is always one range of codes.
    #[must_use]
    pub fn subtree(&self) -> (Self, Self) {
        let mut last = self.0;
        last.iter_mut().skip(self.own_digits()).for_each(|digit| *digit = b'9');
        (*self, Self(last))
    }

    /// Returns whether a code is that of this unit or of a descendant.
    #[must_use]
    pub fn contains(&self, code: Self) -> bool {
        let (first, last) = self.subtree();
        (first..=last).contains(&code)
    }

    /// Returns the digits that exactly the codes of this unit and its descendants begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.as_str().get(..self.own_digits()).unwrap_or_default()
    }

    const fn own_digits(&self) -> usize {
        match self.0 {
            [_, _, b'0', b'0', b'0', b'0', b'0', b'0', b'0'] => 2,
            [_, _, _, _, b'0', b'0', b'0', b'0', b'0'] => 4,
            [_, _, _, _, _, _, b'0', b'0', b'0'] => 6,
            [_, _, _, _, _, _, _, b'0', b'0'] => 7,
            _ => 9,
        }
    }
}

impl FromStr for KatoCode {
    type Err = BadKatoCode;

    fn from_str(text: &str) -> Result<Self, BadKatoCode> {
        let digits: [u8; 9] = text.as_bytes().try_into().map_err(|_| BadKatoCode)?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(Self(digits)) } else { Err(BadKatoCode) }
    }
}

impl TryFrom<String> for KatoCode {
    type Error = BadKatoCode;

    fn try_from(text: String) -> Result<Self, BadKatoCode> {
        text.parse()
    }
}

impl From<KatoCode> for String {
    fn from(code: KatoCode) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Display for KatoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KatoCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
