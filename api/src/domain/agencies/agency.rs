//! A body to which issues are assigned.

use chrono::NaiveDate;
use entities::{enums::AgencyKind, ids::AgencyId, kato::KatoCode};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use crate::domain::{localized_name::LocalizedName, reference_change::ReferenceItem};

/// A body to which issues are assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// The code, which never changes its meaning.
    pub code: String,
    /// The kind.
    pub kind: AgencyKind,
    /// The names.
    pub names: LocalizedName,
    /// The unit that the body is responsible for; `None` for the whole country.
    pub region: Option<KatoCode>,
    /// First day, or `None` if it is older than the records.
    pub valid_from: Option<NaiveDate>,
    /// First day on which the body is no more, or `None` if no end is known.
    pub valid_to: Option<NaiveDate>,
    /// What is uncertain about it.
    pub doubt: Option<String>,
}

impl Agency {
    /// Returns a body of which only the code is known.
    #[must_use]
    pub fn unknown(code: &str) -> Self {
        let names = LocalizedName { kk: code.to_owned(), ru: None, en: None };
        let kind = AgencyKind::Unknown;
        Self { code: code.to_owned(), kind, names, region: None, valid_from: None, valid_to: None, doubt: None }
    }

    /// Returns the id, which follows from the code.
    #[must_use]
    pub fn id(&self) -> AgencyId {
        agency_id(&self.code)
    }

    /// Returns whether the body exists on a day.
    #[must_use]
    pub fn is_valid_on(&self, day: NaiveDate) -> bool {
        self.valid_from.is_none_or(|from| from <= day) && self.valid_to.is_none_or(|to| day < to)
    }
}

impl ReferenceItem for Agency {
    fn code(&self) -> &str {
        &self.code
    }

    fn fields(&self) -> Vec<(&'static str, Option<String>)> {
        let date = |day: Option<NaiveDate>| day.map(|day| day.to_string());
        let mut fields = vec![("kind", Some(self.kind.as_str().to_owned()))];
        fields.extend(self.names.fields());
        fields.extend([
            ("region", self.region.map(|code| code.to_string())),
            ("valid_from", date(self.valid_from)),
            ("valid_to", date(self.valid_to)),
            ("doubt", self.doubt.clone()),
        ]);
        fields
    }
}

/// Returns the id of the body with a code: a code never changes its meaning, so no look-up is needed.
#[must_use]
pub fn agency_id(code: &str) -> AgencyId {
    let digest: [u8; 32] = Sha256::digest(code).into();
    AgencyId(digest.first_chunk().map_or_else(Uuid::nil, |bytes| Builder::from_custom_bytes(*bytes).into_uuid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_follows_from_the_code() {
        let id = |code| agency_id(code).0.to_string();
        assert_eq!(id("min-finance"), id("min-finance"));
        assert_ne!(id("min-finance"), id("min-finances"));
        // Stored ids refer to this value.
        assert_eq!(id("min-finance"), "98d8f345-55ae-8434-a59a-c49c66913d8c");
    }

    #[test]
    fn a_body_ends_before_its_last_day_begins() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let agency = |from: Option<&str>, to: Option<&str>| Agency {
            code: "aa".to_owned(),
            kind: AgencyKind::CentralBody,
            names: LocalizedName { kk: "А".to_owned(), ru: None, en: None },
            region: None,
            valid_from: from.map(day),
            valid_to: to.map(day),
            doubt: None,
        };
        let one = agency(Some("2025-01-02"), Some("2025-02-01"));
        for (on, valid) in [("2025-01-01", false), ("2025-01-02", true), ("2025-01-31", true), ("2025-02-01", false)] {
            assert_eq!(one.is_valid_on(day(on)), valid, "{on}");
        }
        assert!(agency(None, None).is_valid_on(NaiveDate::MIN) && agency(None, None).is_valid_on(NaiveDate::MAX));
    }
}
