//! A unit of the classifier.

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

/// A unit in one of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Classifier code.
    pub code: KatoCode,
    /// Code of the parent, or `None` at the first level.
    pub parent: Option<KatoCode>,
    /// The kind.
    pub kind: RegionKind,
    /// Whether it has an akim.
    pub has_akim: bool,
    /// Kind of a locality.
    pub locality: Option<LocalityKind>,
    /// Full names.
    pub names: Names,
    /// First day of this version, or `None` if it is older than the first import.
    pub valid_from: Option<NaiveDate>,
    /// First day after this version, or `None` if it is current.
    pub valid_to: Option<NaiveDate>,
}

/// The index of a unit in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitNode(pub(in crate::domain::regions) usize);

impl Unit {
    /// Returns the name in a language. English falls back to Kazakh, because there are no English names.
    #[must_use]
    pub fn name(&self, language: Language) -> &str {
        match language {
            Language::Kk | Language::En => &self.names.kk,
            Language::Ru => &self.names.ru,
        }
    }

    /// Returns whether two versions of a unit differ only in their validity.
    #[must_use]
    pub fn same_state(&self, other: &Self) -> bool {
        self.code == other.code
            && self.parent == other.parent
            && self.kind == other.kind
            && self.has_akim == other.has_akim
            && self.locality == other.locality
            && self.names == other.names
    }

    /// Returns whether a locality counts for coverage: a village, a settlement or a town.
    #[must_use]
    pub const fn counts_for_coverage(&self) -> bool {
        matches!(self.locality, Some(LocalityKind::Village | LocalityKind::Kent | LocalityKind::Town))
    }
}
