//! The report of an import.

use std::{collections::BTreeMap, fmt};

use entities::enums::RegionKind;

use crate::{
    app::regions::{ImportWarning, WarningKind},
    domain::regions::{RegionDiff, Unit},
};

/// What an import changed, or would change.
#[derive(Clone, Debug)]
pub struct ImportReport {
    /// Number of units in the edition.
    pub units: usize,
    /// Number of units with an akim.
    pub with_akim: usize,
    /// Number of units by kind.
    pub kinds: BTreeMap<RegionKind, usize>,
    /// The changes.
    pub diff: RegionDiff,
    /// Warnings to review.
    pub warnings: Vec<ImportWarning>,
    /// Whether nothing was written on request.
    pub dry_run: bool,
}

/// Added units that a report lists. The first edition adds nearly all units.
const MAX_ADDED: usize = 20;
/// Rows that a report lists for each kind of warning.
const MAX_WARNINGS: usize = 5;

impl ImportReport {
    /// Creates the report of an edition.
    #[must_use]
    pub fn new(units: &[Unit], diff: RegionDiff, warnings: Vec<ImportWarning>, dry_run: bool) -> Self {
        let mut kinds = BTreeMap::new();
        for unit in units {
            *kinds.entry(unit.kind).or_insert(0) += 1;
        }
        let with_akim = units.iter().filter(|unit| unit.has_akim).count();
        Self { units: units.len(), with_akim, kinds, diff, warnings, dry_run }
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} units, {} with an akim", self.units, self.with_akim)?;
        for (kind, count) in &self.kinds {
            writeln!(f, "  {:<16} {count:>6}", kind.as_str())?;
        }
        let changes = &self.diff;
        list(f, "added", &changes.added, MAX_ADDED, |unit| format!("{} {}", unit.code, unit.names.kk))?;
        list(f, "renamed", &changes.renamed, usize::MAX, |(old, new)| {
            format!("{} {} / {} → {} / {}", new.code, old.names.kk, old.names.ru, new.names.kk, new.names.ru)
        })?;
        list(f, "changed", &changes.changed, usize::MAX, changed)?;
        list(f, "ended", &changes.ended, usize::MAX, |unit| format!("{} {}", unit.code, unit.names.kk))?;
        let mut warnings: BTreeMap<&WarningKind, Vec<&ImportWarning>> = BTreeMap::new();
        for warning in &self.warnings {
            warnings.entry(&warning.what).or_default().push(warning);
        }
        for (what, rows) in warnings {
            let line = |warning: &&ImportWarning| format!("row {}: {} {}", warning.line, warning.code, warning.name);
            list(f, &format!("doubtful, {what}"), &rows, MAX_WARNINGS, line)?;
        }
        match (self.dry_run, changes.is_empty()) {
            (_, true) => writeln!(f, "nothing to change"),
            (true, false) => writeln!(f, "nothing was written (dry run)"),
            (false, false) => writeln!(f, "imported"),
        }
    }
}

/// Describes a changed unit: its kind, locality kind and parent, before and after.
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
