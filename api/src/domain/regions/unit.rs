//! One unit.

use chrono::NaiveDate;
use entities::{
    enums::{Language, LocalityKind, RegionKind},
    kato::KatoCode,
};

/// Full names: "Абай ауданы", never "Абай ауд.".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// In Kazakh.
    pub kk: String,
    /// In Russian.
    pub ru: String,
}

/// A unit in one of its states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Classifier code.
    pub code: KatoCode,
    /// Code of the unit above; none at the first level.
    pub parent: Option<KatoCode>,
    /// What it is.
    pub kind: RegionKind,
    /// Whether it has an akim.
    pub has_akim: bool,
    /// For a locality: which sort of place.
    pub locality: Option<LocalityKind>,
    /// Full names.
    pub names: Names,
    /// First day of this state; none: since before the first import.
    pub valid_from: Option<NaiveDate>,
    /// First day on which this state no longer holds; none: it holds.
    pub valid_to: Option<NaiveDate>,
}

impl Unit {
    /// The name in a language; there are no English names, so English falls back to Kazakh.
    #[must_use]
    pub fn name(&self, language: Language) -> &str {
        match language {
            Language::Kk | Language::En => &self.names.kk,
            Language::Ru => &self.names.ru,
        }
    }

    /// Whether two states say the same of the unit, whenever they held.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.code == other.code
            && self.parent == other.parent
            && self.kind == other.kind
            && self.has_akim == other.has_akim
            && self.locality == other.locality
            && self.names == other.names
    }

    /// Whether a locality counts for coverage: a village, a settlement or a town (decree.md, Levels).
    #[must_use]
    pub const fn is_counted_place(&self) -> bool {
        matches!(self.locality, Some(LocalityKind::Village | LocalityKind::Kent | LocalityKind::Town))
    }
}
