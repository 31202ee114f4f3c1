//! The diff between the current units and an edition.

use chrono::NaiveDate;
use entities::kato::KatoCode;

use crate::domain::regions::{Tree, Unit};

/// The changes that an edition makes to the current units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionDiff {
    /// New units.
    pub added: Vec<Unit>,
    /// Units with a new name, before and after.
    pub renamed: Vec<(Unit, Unit)>,
    /// Units with another kind or parent, before and after.
    pub changed: Vec<(Unit, Unit)>,
    /// Units that end. They stay in the history.
    pub ended: Vec<Unit>,
}

/// The edition is older than the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the edition is dated {dated}, but units of {newest} are there already")]
pub struct NotNewer {
    /// Date of the edition.
    pub dated: NaiveDate,
    /// Date of the newest edition that is there.
    pub newest: NaiveDate,
}

/// The edition ends suspiciously many units, so the file is probably truncated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the edition would end {ended} of {there} units{}: is the file whole? If it is, allow {ended} units to end",
    .first_level.map_or_else(String::new, |code| format!(", {code} with all that is in it among them"))
)]
pub struct TooManyEnd {
    /// Number of units that would end.
    pub ended: usize,
    /// Number of current units.
    pub there: usize,
    /// The first ended unit of the first level.
    pub first_level: Option<KatoCode>,
}

/// One in so many units may end without confirmation. The reforms of a year end fewer.
const UNITS_PER_ENDED: usize = 33;

impl RegionDiff {
    /// Checks that the edition ends no more units than an ordinary one, or than `allowed`.
    ///
    /// # Errors
    /// When more than three per cent of the units or a unit of the first level would end, and that is not allowed.
    pub fn check_ended(&self, current: &Tree, allowed: usize) -> Result<(), TooManyEnd> {
        let (ended, there) = (self.ended.len(), current.len());
        let first_level = self.ended.iter().find(|unit| unit.parent.is_none()).map(|unit| unit.code);
        let is_ordinary = first_level.is_none() && ended.saturating_mul(UNITS_PER_ENDED) <= there;
        if is_ordinary || ended <= allowed { Ok(()) } else { Err(TooManyEnd { ended, there, first_level }) }
    }

    /// Returns whether nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.renamed.is_empty() && self.changed.is_empty() && self.ended.is_empty()
    }
}

/// Computes the changes of an edition.
///
/// `newest` is the date of the newest edition, or `None` if there are only the embedded units, which an edition
/// corrects.
///
/// # Errors
/// When the edition changes something and is older than the newest one. An edition of the same day corrects it.
pub fn diff(
    current: &Tree,
    edition: Vec<Unit>,
    dated: NaiveDate,
    newest: Option<NaiveDate>,
) -> Result<RegionDiff, NotNewer> {
    let mut diff = RegionDiff::default();
    let codes: std::collections::HashSet<KatoCode> = edition.iter().map(|unit| unit.code).collect();
    let valid_from = newest.map(|_| dated);
    for unit in edition {
        let unit = Unit { valid_from, valid_to: None, ..unit };
        match current.get(unit.code).and_then(|node| current.unit(node)) {
            None => diff.added.push(unit),
            Some(old) if old.same_state(&unit) => {}
            Some(old) if old.kind == unit.kind && old.parent == unit.parent && old.names != unit.names => {
                diff.renamed.push((old.clone(), unit));
            }
            Some(old) => diff.changed.push((old.clone(), unit)),
        }
    }
    diff.ended = current.units().filter(|unit| !codes.contains(&unit.code)).cloned().collect();
    match newest {
        Some(newest) if !diff.is_empty() && dated < newest => Err(NotNewer { dated, newest }),
        _ => Ok(diff),
    }
}
