//! The directory of bodies and the categories, in memory.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use chrono::NaiveDate;

use crate::{
    app::{App, Rejection, rejection::Invalid},
    clock::almaty_date,
    domain::{agencies::AgencyDirectory, issue_categories::IssueCategories, regions::RegionHistory},
    store::{StoreError, agencies::SavedReferenceData},
};

/// The reference data of a replica.
#[derive(Default)]
pub struct ReferenceData {
    saved: ArcSwap<Saved>,
    directory: ArcSwapOption<Built>,
}

/// What was saved, as last read.
struct Saved {
    data: SavedReferenceData,
    categories: Arc<IssueCategories>,
}

impl Saved {
    fn new(data: SavedReferenceData) -> Self {
        let categories = Arc::new(IssueCategories::new(data.categories.iter().cloned()));
        Self { data, categories }
    }
}

impl Default for Saved {
    fn default() -> Self {
        Self::new(SavedReferenceData::default())
    }
}

/// A directory, with what it was made from: it holds until a part of that changes.
struct Built {
    saved: Arc<Saved>,
    regions: Arc<RegionHistory>,
    day: NaiveDate,
    directory: Arc<AgencyDirectory>,
}

impl ReferenceData {
    /// Returns the directory over these units on a day.
    fn directory(&self, regions: Arc<RegionHistory>, day: NaiveDate) -> Arc<AgencyDirectory> {
        let saved = self.saved.load_full();
        if let Some(built) = self.directory.load().as_deref()
            && (Arc::ptr_eq(&built.saved, &saved) && Arc::ptr_eq(&built.regions, &regions) && built.day == day)
        {
            return Arc::clone(&built.directory);
        }
        let directory = Arc::new(AgencyDirectory::new(&regions, day, saved.data.agencies.iter().cloned()));
        self.directory.store(Some(Arc::new(Built { saved, regions, day, directory: Arc::clone(&directory) })));
        directory
    }
}

impl App {
    /// Returns the directory of bodies. Akimats follow the units in force.
    #[must_use]
    pub fn agencies(&self) -> Arc<AgencyDirectory> {
        self.reference_data.directory(self.region_history.load_full(), almaty_date(self.now()))
    }

    /// Checks the code of a body that exists today.
    ///
    /// # Errors
    /// Rejected when there is none.
    pub(in crate::app) fn check_agency(
        &self,
        field: &'static str,
        code: &str,
        today: NaiveDate,
    ) -> Result<(), Rejection> {
        match self.agencies().get(code) {
            Some(agency) if agency.is_valid_on(today) => Ok(()),
            _ => Err(Rejection::Invalid { field, why: Invalid::UnknownAgency }),
        }
    }

    /// Returns the categories of issues.
    #[must_use]
    pub fn issue_categories(&self) -> Arc<IssueCategories> {
        Arc::clone(&self.reference_data.saved.load().categories)
    }

    /// Reloads bodies and categories if they have changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reload_changed_reference_data(&self) -> Result<(), StoreError> {
        let known = self.reference_data.saved.load().data.revision;
        if self.store.reference_data_revision().await? == known { Ok(()) } else { self.reload_reference_data().await }
    }

    /// Reloads bodies and categories.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reload_reference_data(&self) -> Result<(), StoreError> {
        let saved = self.store.reference_data().await?;
        self.reference_data.saved.store(Arc::new(Saved::new(saved)));
        Ok(())
    }
}
