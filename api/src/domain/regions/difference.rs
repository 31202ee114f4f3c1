//! What an edition changes.

use chrono::NaiveDate;
use entities::kato::KatoCode;

use crate::domain::regions::{Tree, Unit};

/// What an edition changes, against the units as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Units that were not there.
    pub added: Vec<Unit>,
    /// Units with another name.
    pub renamed: Vec<(Unit, Unit)>,
    /// Units of another kind, or elsewhere in the tree.
    pub changed: Vec<(Unit, Unit)>,
    /// Units that are gone: they end, and are not deleted.
    pub ended: Vec<Unit>,
}

/// The edition is older than what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the edition is dated {dated}, but units of {newest} are there already")]
pub struct NotNewer {
    /// Date of the edition.
    pub dated: NaiveDate,
    /// Date of the newest edition that is there.
    pub newest: NaiveDate,
}

/// The edition ends so much that its file is more likely to have been cut off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the edition would end {ended} of {there} units{}: is the file whole? If it is, allow {ended} units to end",
    .first_level.map_or_else(String::new, |code| format!(", {code} with all that is in it among them"))
)]
pub struct TooManyEnd {
    /// How many units it would end.
    pub ended: usize,
    /// How many there are.
    pub there: usize,
    /// The first of those of the first level that it would end.
    pub first_level: Option<KatoCode>,
}

/// Of so many units one may end without a word: reforms of a year end fewer.
const ONE_OF: usize = 33;

impl Difference {
    /// Whether what ends is no more than an ordinary edition ends, or than is `allowed`.
    ///
    /// # Errors
    /// When more than three per cent of the units would end, or one of the first level, and it is not allowed.
    pub fn ends_few(&self, current: &Tree, allowed: usize) -> Result<(), TooManyEnd> {
        let (ended, there) = (self.ended.len(), current.len());
        let first_level = self.ended.iter().find(|unit| unit.parent.is_none()).map(|unit| unit.code);
        let is_ordinary = first_level.is_none() && ended.saturating_mul(ONE_OF) <= there;
        if is_ordinary || ended <= allowed { Ok(()) } else { Err(TooManyEnd { ended, there, first_level }) }
    }

    /// Whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.renamed.is_empty() && self.changed.is_empty() && self.ended.is_empty()
    }
}

/// What an edition of a date changes. `newest` is the date of the edition that is there; none: only the embedded units are,
/// which an edition corrects rather than succeeds.
///
/// # Errors
/// When the edition changes something and is older than what is there. One of the same day corrects it.
pub fn difference(
    current: &Tree,
    edition: Vec<Unit>,
    dated: NaiveDate,
    newest: Option<NaiveDate>,
) -> Result<Difference, NotNewer> {
    let mut difference = Difference::default();
    let codes: std::collections::HashSet<KatoCode> = edition.iter().map(|unit| unit.code).collect();
    let valid_from = newest.map(|_| dated);
    for unit in edition {
        let unit = Unit { valid_from, valid_to: None, ..unit };
        match current.get(unit.code).and_then(|node| current.unit(node)) {
            None => difference.added.push(unit),
            Some(old) if old.says_the_same(&unit) => {}
            Some(old) if old.kind == unit.kind && old.parent == unit.parent && old.names != unit.names => {
                difference.renamed.push((old.clone(), unit));
            }
            Some(old) => difference.changed.push((old.clone(), unit)),
        }
    }
    difference.ended = current.units().filter(|unit| !codes.contains(&unit.code)).cloned().collect();
    match newest {
        Some(newest) if !difference.is_empty() && dated < newest => Err(NotNewer { dated, newest }),
        _ => Ok(difference),
    }
}
