//! The built-in bodies: ministries, agencies, national holdings and companies.

use crate::domain::{
    agencies::{
        agency::Agency,
        draft::{AGENCY_COLUMNS, AgencyDraft},
    },
    tsv::read_tsv,
};

const FACTS: &str = include_str!("../../../data/agencies.tsv");

/// Returns the built-in bodies.
#[must_use]
pub fn embedded() -> Vec<Agency> {
    let rows = read_tsv(FACTS, AGENCY_COLUMNS, &[]).unwrap_or_default();
    rows.iter().filter_map(|row| AgencyDraft::read(row).ok()).map(AgencyDraft::unchecked).collect()
}

#[cfg(test)]
mod tests {
    use entities::enums::AgencyKind;

    use super::*;

    #[test]
    fn every_built_in_body_is_read() {
        let agencies = embedded();
        assert_eq!(agencies.len(), FACTS.lines().count() - 1);
        let count = |kind| agencies.iter().filter(|agency| agency.kind == kind).count();
        assert_eq!(count(AgencyKind::CentralBody), 39);
        assert_eq!(count(AgencyKind::NationalHolding), 2);
        assert_eq!(count(AgencyKind::NationalCompany), 14);
        assert!(agencies.iter().all(|agency| agency.region.is_none() && agency.names.ru.is_some()));
        assert!(agencies.iter().any(|agency| agency.doubt.is_some()), "doubts are carried over");
    }
}
