//! What an import did, for the one who ran it.

use std::{collections::BTreeMap, fmt};

use entities::enums::RegionKind;

use crate::{
    app::regions::{Doubt, Doubtful},
    domain::regions::{Difference, Unit},
};

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

/// How many added units a report shows: the first edition adds nearly all there are.
const ADDED: usize = 20;
/// How many rows a report shows for one doubt.
const DOUBTFUL: usize = 5;

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
        list(f, "added", &changes.added, ADDED, |unit| format!("{} {}", unit.code, unit.names.kk))?;
        list(f, "renamed", &changes.renamed, usize::MAX, |(old, new)| {
            format!("{} {} / {} → {} / {}", new.code, old.names.kk, old.names.ru, new.names.kk, new.names.ru)
        })?;
        list(f, "changed", &changes.changed, usize::MAX, changed)?;
        list(f, "ended", &changes.ended, usize::MAX, |unit| format!("{} {}", unit.code, unit.names.kk))?;
        let mut doubts: BTreeMap<&Doubtful, Vec<&Doubt>> = BTreeMap::new();
        for doubt in &self.doubts {
            doubts.entry(&doubt.what).or_default().push(doubt);
        }
        for (what, rows) in doubts {
            let line = |doubt: &&Doubt| format!("row {}: {} {}", doubt.line, doubt.code, doubt.name);
            list(f, &format!("doubtful, {what}"), &rows, DOUBTFUL, line)?;
        }
        match (self.dry_run, changes.is_empty()) {
            (_, true) => writeln!(f, "nothing to change"),
            (true, false) => writeln!(f, "nothing was written (dry run)"),
            (false, false) => writeln!(f, "imported"),
        }
    }
}

/// What is no longer the same: what the unit is, where it hangs, or which sort of place.
fn changed((old, new): &(Unit, Unit)) -> String {
    let state = |unit: &Unit| {
        let above = unit.parent.map(|parent| format!(" in {parent}")).unwrap_or_default();
        let sort = unit.locality.map(|sort| format!(" ({})", sort.as_str())).unwrap_or_default();
        format!("{}{sort}{above}", unit.kind.as_str())
    };
    format!("{} {}: {} → {}", new.code, new.names.kk, state(old), state(new))
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    items: &[T],
    shown: usize,
    line: impl Fn(&T) -> String,
) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(f, "{what}: {}", items.len())?;
    for item in items.iter().take(shown) {
        writeln!(f, "  {}", line(item))?;
    }
    if items.len() > shown {
        writeln!(f, "  … and {} more", items.len() - shown)?;
    }
    Ok(())
}
