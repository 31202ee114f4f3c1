//! Imports an edition of the classifier: file to units, units to the database, all or nothing.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use chrono::{Days, NaiveDate};
use entities::{enums::RegionKind, kato::KatoCode};

use crate::{
    app::{
        App,
        digest::sha256_hex,
        regions::{
            BadFile, ImportReport, ImportWarning, Row,
            import_warnings::{ParsedUnit, check_row},
            kinds, names, rows,
        },
    },
    clock::almaty_date,
    domain::regions::{Names, NotNewer, TooManyEnd, Unit, diff},
    store::{StoreError, regions::NewEdition},
};

/// Options of an import.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// Reports the changes without writing them.
    pub dry_run: bool,
    /// First day of the edition, today by default.
    pub dated: Option<NaiveDate>,
    /// How many units the edition may end beyond the few that end in any year.
    pub allow_ending: usize,
    /// Whether the first day may be more than a year ahead.
    pub allow_far: bool,
}

/// How far ahead an edition may be dated by default, because it blocks all earlier editions.
const MAX_AHEAD: Days = Days::new(366);

/// Why an edition was not imported. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is malformed.
    #[error(transparent)]
    File(#[from] BadFile),
    /// The edition is older than the newest one.
    #[error(transparent)]
    NotNewer(#[from] NotNewer),
    /// The edition is dated too far ahead.
    #[error(
        "the edition is dated {0}, more than a year ahead: no edition before that day would be taken any more. Allow a far date if it is meant"
    )]
    FarAhead(NaiveDate),
    /// The edition ends too many units.
    #[error(transparent)]
    TooManyEnd(#[from] TooManyEnd),
    /// The database failed.
    #[error("the edition cannot be stored")]
    Store(#[from] StoreError),
}

/// Reads a file in the official layout.
///
/// # Errors
/// When the file is malformed. The error names the row.
pub fn read_edition(file: &Path) -> Result<(Vec<Unit>, Vec<ImportWarning>), BadFile> {
    edition(&rows::read(file)?)
}

/// Parses rows into units.
///
/// # Errors
/// When a unit has no parent, or its kind is unknown.
pub fn edition(rows: &[Row]) -> Result<(Vec<Unit>, Vec<ImportWarning>), BadFile> {
    let codes: HashSet<KatoCode> = rows.iter().map(|row| row.code).collect();
    let centres = Centres::of_rows(rows);
    let (mut units, mut warnings) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let (line, code) = (row.line, row.code);
        let kind = kinds::kind(row, &codes).ok_or_else(|| BadFile::Kind { line, code, name: row.ru.clone() })?;
        let parent = kinds::parent(code, &codes);
        let first_level = matches!(kind, RegionKind::Oblast | RegionKind::Capital | RegionKind::RepublicanCity);
        if parent.is_none() && !first_level {
            return Err(BadFile::NoParent { line, code });
        }
        let locality = (kind == RegionKind::Locality).then(|| kinds::locality(row));
        let centre = centres.of(row, kind);
        let names = Names {
            kk: names::full_kk(kind, locality, &row.kk),
            ru: names::full_ru(kind, locality, &row.ru, centre.map(|row| row.ru.as_str())),
        };
        warnings
            .extend(check_row(row, ParsedUnit { kind, locality, parent, names: &names, has_centre: centre.is_some() }));
        let has_akim = !matches!(kind, RegionKind::CityProper | RegionKind::Locality);
        units.push(Unit { code, parent, kind, has_akim, locality, names, valid_from: None, valid_to: None });
    }
    units.sort_by_key(|unit| unit.code);
    Ok((units, warnings))
}

/// Index for finding the locality that a unit is named after.
struct Centres<'a> {
    by_code: HashMap<&'a str, &'a Row>,
    /// By district code and Kazakh name without its last word. Keeps two rows, because one may be the unit itself.
    by_name: HashMap<(&'a str, &'a str), Vec<&'a Row>>,
}

impl<'a> Centres<'a> {
    fn of_rows(rows: &'a [Row]) -> Self {
        let mut by_name: HashMap<_, Vec<&Row>> = HashMap::new();
        for row in rows {
            if let Some(key) = Self::key(row) {
                let same = by_name.entry(key).or_default();
                if same.len() < 2 {
                    same.push(row);
                }
            }
        }
        Self { by_code: rows.iter().map(|row| (row.code.as_str(), row)).collect(), by_name }
    }

    fn key(row: &Row) -> Option<(&str, &str)> {
        Some((row.code.as_str().get(..6)?, row.kk.rsplit_once(' ')?.0))
    }

    /// Returns the first locality of a unit, or else one with the same Kazakh name.
    fn of(&self, unit: &Row, kind: RegionKind) -> Option<&'a Row> {
        if !matches!(kind, RegionKind::Settlement | RegionKind::Village | RegionKind::DistrictCity) {
            return None;
        }
        let first = format!("{}100", unit.code.as_str().get(..6)?);
        let another = |row: &&&Row| row.code != unit.code;
        let first = self.by_code.get(first.as_str()).filter(another);
        let same = || self.by_name.get(&Self::key(unit)?)?.iter().find(another);
        first.or_else(same).copied()
    }
}

impl App {
    /// Imports an edition in one transaction and notifies all replicas. Importing it again changes nothing.
    ///
    /// # Errors
    /// When the file is malformed, the edition is too old, too far ahead or ends too many units, or the database fails.
    pub async fn import_regions(&self, file: &Path, options: ImportOptions) -> Result<ImportReport, ImportError> {
        let now = self.now();
        let today = almaty_date(now);
        let dated = options.dated.unwrap_or(today);
        if !options.allow_far && today.checked_add_days(MAX_AHEAD).is_some_and(|last| dated > last) {
            return Err(ImportError::FarAhead(dated));
        }
        let (units, warnings) = read_edition(file)?;
        let tx = self.store.begin().await?;
        tx.lock_regions().await?;
        let newest = tx.newest_edition().await?;
        let region_history = tx.region_history().await?;
        let current = region_history.at(NaiveDate::MAX);
        let changes = diff(current, units.clone(), dated, newest)?;
        changes.check_ended(current, options.allow_ending)?;
        if !options.dry_run && !changes.is_empty() {
            let source = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let edition = NewEdition {
                dated,
                source,
                digest: digest(&units),
                units: units.len(),
                now,
                is_first: newest.is_none(),
            };
            tx.apply_edition(&edition, &changes).await?;
            self.commit(tx).await?;
            self.bus.reference_data_changed();
            self.reload_regions().await?;
        }
        Ok(ImportReport::new(&units, changes, warnings, options.dry_run))
    }

    /// Reloads the units if there are other editions than `known`. Returns the number of editions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reload_changed_regions(&self, known: Option<u64>) -> Result<u64, StoreError> {
        let count = self.store.count_editions().await?;
        if known != Some(count) {
            self.reload_regions().await?;
        }
        Ok(count)
    }

    /// Reloads the units from the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reload_regions(&self) -> Result<(), StoreError> {
        let region_history = self.store.region_history().await?;
        self.region_history.store(std::sync::Arc::new(region_history));
        Ok(())
    }
}

fn digest(units: &[Unit]) -> String {
    sha256_hex(&units.iter().map(|unit| format!("{unit:?}\n")).collect::<String>())
}
