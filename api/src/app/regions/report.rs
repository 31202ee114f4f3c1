//! What an import did, for the one who ran it.

use std::{collections::BTreeMap, fmt};

use entities::{enums::RegionKind, kato::KatoCode};

use crate::domain::regions::{Difference, Unit};

/// Something a person should look at. It stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Number of the row in the file.
    pub line: usize,
    /// Classifier code.
    pub code: KatoCode,
    /// What is doubtful.
    pub what: &'static str,
    /// The name as published.
    pub name: String,
}

/// What an import did, or would do.
#[derive(Clone, Debug)]
pub struct ImportReport {
    /// How many units the edition holds.
    pub units: usize,
    /// How many of them have an akim.
    pub with_akim: usize,
    /// How many there are of each kind.
    pub kinds: BTreeMap<RegionKind, usize>,
    /// What changed.
    pub difference: Difference,
    /// What a person should look at.
    pub doubts: Vec<Doubt>,
    /// Whether nothing was written, because that was wished.
    pub dry_run: bool,
}

/// How many lines of one sort a report shows.
const SHOWN: usize = 20;

impl ImportReport {
    /// The report of an edition.
    #[must_use]
    pub fn new(units: &[Unit], difference: Difference, doubts: Vec<Doubt>, dry_run: bool) -> Self {
        let mut kinds = BTreeMap::new();
        for unit in units {
            *kinds.entry(unit.kind).or_insert(0) += 1;
        }
        let with_akim = units.iter().filter(|unit| unit.has_akim).count();
        Self { units: units.len(), with_akim, kinds, difference, doubts, dry_run }
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} units, {} with an akim", self.units, self.with_akim)?;
        for (kind, count) in &self.kinds {
            writeln!(f, "  {:<16} {count:>6}", kind.as_str())?;
        }
        let changes = &self.difference;
        some(f, "added", &changes.added, |unit| format!("{} {}", unit.code, unit.names.kk))?;
        some(f, "renamed", &changes.renamed, |(old, new)| {
            format!("{} {} / {} → {} / {}", new.code, old.names.kk, old.names.ru, new.names.kk, new.names.ru)
        })?;
        some(f, "changed", &changes.changed, |(old, new)| {
            format!("{} {}: {} → {}", new.code, new.names.kk, old.kind.as_str(), new.kind.as_str())
        })?;
        some(f, "ended", &changes.ended, |unit| format!("{} {}", unit.code, unit.names.kk))?;
        some(f, "doubtful", &self.doubts, |doubt| {
            format!("row {}: {} {}: {}", doubt.line, doubt.code, doubt.name, doubt.what)
        })?;
        match (self.dry_run, changes.is_empty()) {
            (_, true) => writeln!(f, "nothing to change"),
            (true, false) => writeln!(f, "nothing was written (dry run)"),
            (false, false) => writeln!(f, "imported"),
        }
    }
}

fn some<T>(f: &mut fmt::Formatter<'_>, what: &str, items: &[T], line: impl Fn(&T) -> String) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(f, "{what}: {}", items.len())?;
    for item in items.iter().take(SHOWN) {
        writeln!(f, "  {}", line(item))?;
    }
    if items.len() > SHOWN {
        writeln!(f, "  … and {} more", items.len() - SHOWN)?;
    }
    Ok(())
}
