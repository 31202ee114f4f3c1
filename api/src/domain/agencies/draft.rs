//! A body as an operator enters it, and its check.

use chrono::NaiveDate;
use entities::{
    enums::{AgencyKind, Stored as _},
    kato::KatoCode,
};

use crate::domain::{
    agencies::agency::Agency,
    localized_name::LocalizedName,
    reference_code::{BadCode, check_code},
    text::{BadText, sanitize},
    tsv::TsvRow,
};

/// The columns of a file of bodies.
pub const AGENCY_COLUMNS: &[&str] =
    &["code", "kind", "name_kk", "name_ru", "name_en", "valid_from", "valid_to", "source", "doubt"];
/// The column that a file may have in addition: the classifier code of the body's unit.
pub const AGENCY_REGION: &str = "region";
/// The most bodies that may be entered beside the built-in ones and the akimats.
pub const MAX_AGENCIES: usize = 500;
/// The longest doubt, in code points.
const MAX_DOUBT_LENGTH: usize = 500;

/// A body to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyDraft {
    /// The code.
    pub code: String,
    /// The kind.
    pub kind: AgencyKind,
    /// The names.
    pub names: LocalizedName,
    /// The unit that the body is responsible for.
    pub region: Option<KatoCode>,
    /// First day.
    pub valid_from: Option<NaiveDate>,
    /// First day on which the body is no more.
    pub valid_to: Option<NaiveDate>,
    /// What is uncertain about it.
    pub doubt: Option<String>,
}

/// Why a body cannot be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAgency {
    /// The code is malformed.
    #[error(transparent)]
    Code(#[from] BadCode),
    /// The kind is unknown.
    #[error("the kind is not one of CENTRAL_BODY, NATIONAL_HOLDING, NATIONAL_COMPANY, LOCAL_EXECUTIVE")]
    Kind,
    /// A name is blank or too long.
    #[error("a name is blank or too long")]
    Names(BadText),
    /// The unit is unknown.
    #[error("there is no unit with this classifier code")]
    Region,
    /// A date is malformed.
    #[error("{0} is not a date such as 2026-03-02")]
    Date(&'static str),
    /// The end is not after the start.
    #[error("valid_to is not after valid_from")]
    Dates,
    /// The code is that of an akimat, whose kind and unit are given.
    #[error("the {0} of an akimat follows from the classifier and cannot be changed")]
    AkimatChanged(&'static str),
    /// The code looks like that of an akimat, but the classifier has no such unit.
    #[error("codes that begin with akimat- are those of units: there is no such unit")]
    NoAkimat,
    /// There are too many bodies.
    #[error("there would be more than {MAX_AGENCIES} bodies beside the built-in ones")]
    TooMany,
}

impl AgencyDraft {
    /// Reads a row of a file.
    ///
    /// # Errors
    /// When a field is malformed.
    pub fn read(row: &TsvRow<'_>) -> Result<Self, BadAgency> {
        let date = |column: &'static str| {
            let date = |text| NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| BadAgency::Date(column));
            row.get(column).map(date).transpose()
        };
        let region = row.get(AGENCY_REGION).map(str::parse).transpose().map_err(|_| BadAgency::Region)?;
        Ok(Self {
            code: row.get("code").unwrap_or_default().to_owned(),
            kind: row.get("kind").unwrap_or_default().parse().map_err(|_| BadAgency::Kind)?,
            names: LocalizedName::read(row),
            region,
            valid_from: date("valid_from")?,
            valid_to: date("valid_to")?,
            doubt: row.get("doubt").map(str::to_owned),
        })
    }

    /// Returns the body without a check.
    pub(in crate::domain::agencies) fn unchecked(self) -> Agency {
        let Self { code, kind, names, region, valid_from, valid_to, doubt } = self;
        Agency { code, kind, names, region, valid_from, valid_to, doubt }
    }

    /// Cleans the texts, and checks what does not depend on other bodies.
    ///
    /// # Errors
    /// When a field is invalid.
    pub(in crate::domain::agencies) fn checked(&self) -> Result<Agency, BadAgency> {
        check_code(&self.code)?;
        if !self.kind.is_known() {
            return Err(BadAgency::Kind);
        }
        if self.valid_from.zip(self.valid_to).is_some_and(|(from, to)| to <= from) {
            return Err(BadAgency::Dates);
        }
        let names = self.names.checked().map_err(BadAgency::Names)?;
        let doubt = self.doubt.as_deref().and_then(|doubt| sanitize(doubt, MAX_DOUBT_LENGTH));
        Ok(Agency { names, doubt, ..self.clone().unchecked() })
    }
}
