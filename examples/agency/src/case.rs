//! A case and its rules: pure functions over values, with the time handed in.

use std::{fmt, str::FromStr};

use async_graphql::{Enum, InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime, Datelike, Utc};
use type_safe_id::{StaticType, TypeSafeId};

/// How long a title may be, in characters.
pub const LONGEST_TITLE: usize = 200;
/// How long a note may be, in characters.
pub const LONGEST_NOTE: usize = 2_000;
/// How long an identity of another service may be, in bytes.
const LONGEST_FOREIGN_ID: usize = 100;

/// What the identity of a case begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CasePrefix;

impl StaticType for CasePrefix {
    const TYPE: &'static str = "case";
}

/// Identity of a case, `case_…`. As text they sort by the time they were made.
pub type CaseId = TypeSafeId<CasePrefix>;

/// What is not an identity, a code or a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed")]
pub struct Malformed;

macro_rules! foreign_ids {
    ($($(#[$doc:meta])* $name:ident,)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// The identity as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                if may_be_foreign_id(text) { Ok(Self(text.to_owned())) } else { Err(Malformed) }
            }
        }
    )+};
}

foreign_ids! {
    /// Identity of a comment. It is Kezdesu's and opaque: kept as it comes, and never taken apart.
    CommentId,
    /// Identity of an issue. It is Kezdesu's and opaque: kept as it comes, and never taken apart.
    IssueId,
}

fn may_be_foreign_id(text: &str) -> bool {
    (1..=LONGEST_FOREIGN_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What of Kezdesu's a case was opened about. Each has one case at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A question.
    Comment(CommentId),
    /// An issue.
    Issue(IssueId),
}

/// The nine digits of a unit in the classifier of administrative-territorial objects (КАТО), for example `751110000`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KatoCode(String);

impl KatoCode {
    /// The code as its nine digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KatoCode {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digits = text.len() == 9 && text.bytes().all(|b| b.is_ascii_digit());
        if digits { Ok(Self(text.to_owned())) } else { Err(Malformed) }
    }
}

/// The nine digits of a unit in the classifier of administrative-territorial objects (КАТО), for example `751110000`.
#[Scalar(name = "KatoCode")]
impl ScalarType for KatoCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        let bad = || InputValueError::custom("a classifier code is a string of nine digits");
        match &value {
            Value::String(text) => text.parse().map_err(|Malformed| bad()),
            _ => Err(bad()),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// How far a case has come.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaseState {
    /// Entered in the register.
    Open,
    /// Somebody works on it.
    InProgress,
    /// Done.
    Closed,
}

impl CaseState {
    const ALL: [Self; 3] = [Self::Open, Self::InProgress, Self::Closed];

    /// Whether a case in this state may be brought into `next`. A closed one may be taken up again, and none becomes as if
    /// nobody had worked on it. Its own state is always open to it, so that a move sent twice does no harm.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self == next || next != Self::Open
    }

    /// The state as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::InProgress => "IN_PROGRESS",
            Self::Closed => "CLOSED",
        }
    }
}

impl fmt::Display for CaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CaseState {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(Malformed)
    }
}

/// A case of the register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Identity.
    pub id: CaseId,
    /// Number in the register, for example `2026-00017`.
    pub number: String,
    /// The unit it is about.
    pub region: KatoCode,
    /// The question or the issue it was opened about, if any.
    pub topic: Option<Topic>,
    /// What it is about.
    pub title: String,
    /// How far it has come.
    pub state: CaseState,
    /// What the staff noted, for themselves.
    pub note: Option<String>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Case {
    /// The question it was opened about, if any.
    #[must_use]
    pub fn comment(&self) -> Option<&CommentId> {
        match &self.topic {
            Some(Topic::Comment(id)) => Some(id),
            Some(Topic::Issue(_)) | None => None,
        }
    }

    /// The issue it was opened about, if any.
    #[must_use]
    pub fn issue(&self) -> Option<&IssueId> {
        match &self.topic {
            Some(Topic::Issue(id)) => Some(id),
            Some(Topic::Comment(_)) | None => None,
        }
    }
}

/// The number of a year's `count`th case.
#[must_use]
pub fn number(year: i32, count: i64) -> String {
    format!("{year:04}-{count:05}")
}

/// The year in whose register a case is entered: the one that it is in Kazakhstan.
#[must_use]
pub fn register_year(now: DateTime<Utc>) -> i32 {
    now.with_timezone(&chrono_tz::Asia::Almaty).year()
}

/// A text of one line without space around it, if it is one of at most `longest` characters.
#[must_use]
pub fn line(text: &str, longest: usize) -> Option<String> {
    let text = text.trim();
    let fits = (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_never_becomes_as_if_nobody_had_worked_on_it() {
        use CaseState::{Closed, InProgress, Open};
        let refused: Vec<_> = CaseState::ALL
            .into_iter()
            .flat_map(|from| CaseState::ALL.map(|to| (from, to)))
            .filter(|(from, to)| !from.may_become(*to))
            .collect();
        assert_eq!(refused, [(InProgress, Open), (Closed, Open)]);
    }

    #[test]
    fn the_year_of_the_register_begins_at_midnight_in_almaty() {
        let year = |text: &str| register_year(text.parse().unwrap());
        assert_eq!((year("2026-12-31T18:59:59Z"), year("2026-12-31T19:00:00Z")), (2026, 2027));
        assert_eq!(number(2026, 17), "2026-00017");
    }

    #[test]
    fn a_title_is_one_line_that_says_something() {
        assert_eq!(line("  Мост  ", 4).as_deref(), Some("Мост"));
        for text in ["", " \t", "Мосты", "a\nb", "a\u{0}"] {
            assert_eq!(line(text, 4), None, "{text:?}");
        }
    }

    #[test]
    fn a_foreign_identity_is_kept_as_it_comes_unless_it_cannot_be_one() {
        for text in ["cmt_01m86cpy3sey19dqmx4p4mms8y", "Q29tbWVudDox", "42"] {
            assert_eq!(text.parse::<CommentId>().unwrap().as_str(), text);
        }
        for text in ["", "a b", "сұрақ", &"x".repeat(101)] {
            assert_eq!(text.parse::<CommentId>(), Err(Malformed), "{text:?}");
        }
    }
}
