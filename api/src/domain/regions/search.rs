//! Finding units by name: every word that is looked for begins a word of a name, in Kazakh or in Russian.

use crate::domain::{
    body::{fold, search_words},
    regions::Unit,
};

/// The words of a unit's names, folded, each with a space before it.
#[derive(Clone, Debug)]
pub(in crate::domain::regions) struct Haystack(String);

impl Haystack {
    pub(in crate::domain::regions) fn of(unit: &Unit) -> Self {
        Self(format!(" {} {}", fold(&unit.names.kk), fold(&unit.names.ru)))
    }
}

/// What is looked for.
#[derive(Clone, Debug)]
pub(in crate::domain::regions) struct Needles(Vec<String>);

impl Needles {
    pub(in crate::domain::regions) fn of(text: &str) -> Self {
        Self(search_words(text).into_iter().map(|word| format!(" {word}")).collect())
    }

    pub(in crate::domain::regions) fn are_in(&self, haystack: &Haystack) -> bool {
        self.0.iter().all(|needle| haystack.0.contains(needle.as_str()))
    }
}
