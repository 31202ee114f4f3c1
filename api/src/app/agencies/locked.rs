//! The reference data under its lock, for commands that change it.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    app::App,
    clock::almaty_date,
    domain::{
        agencies::{Agency, AgencyDirectory, AgencyDraft, BadAgency, agency_id},
        audit::{AGENCY_SAVED, AuditActor, COUNTRY, ISSUE_CATEGORY_SAVED, NewAuditEntry},
        global_id::{AGENCY, typed_id},
        issue_categories::{BadIssueCategory, IssueCategories, IssueCategory, IssueCategoryDraft},
        reference_change::ReferenceChange,
        regions::RegionHistory,
    },
    store::{StoreError, Tx, agencies::SavedReferenceData},
};

/// A transaction that holds the lock of the reference data.
pub(super) struct LockedReferenceData {
    tx: Tx,
    regions: Arc<RegionHistory>,
    saved: SavedReferenceData,
    now: DateTime<Utc>,
}

/// An item to save, and how it differs from the current one; `None` if it does not.
pub(super) type Planned<T> = (T, Option<ReferenceChange>);

impl LockedReferenceData {
    /// Gives each body the unit that it has now.
    pub(super) fn keep_regions(&self, drafts: &mut [AgencyDraft]) {
        let current = self.directory([]);
        for draft in drafts {
            draft.region = current.get(&draft.code).and_then(|agency| agency.region);
        }
    }

    /// Checks bodies, all or nothing. An error names the position of the body.
    pub(super) fn plan_agencies(&self, drafts: &[AgencyDraft]) -> Result<Vec<Planned<Agency>>, (usize, BadAgency)> {
        let today = self.today();
        let current = self.directory([]);
        let mut planned = Vec::with_capacity(drafts.len());
        for (at, draft) in drafts.iter().enumerate() {
            let agency = current.check(draft, &self.regions, today).map_err(|bad| (at, bad))?;
            let change = ReferenceChange::between(current.get(&agency.code).map(Arc::as_ref), &agency);
            planned.push((agency, change));
        }
        if self.directory(planned.iter().map(|(agency, _)| agency.clone())).is_overfull() {
            return Err((drafts.len().saturating_sub(1), BadAgency::TooMany));
        }
        Ok(planned)
    }

    /// Checks categories, all or nothing. An error names the position of the category.
    pub(super) fn plan_issue_categories(
        &self,
        drafts: &[IssueCategoryDraft],
    ) -> Result<Vec<Planned<IssueCategory>>, (usize, BadIssueCategory)> {
        let mut categories = IssueCategories::new(self.saved.categories.iter().cloned());
        let mut planned = Vec::with_capacity(drafts.len());
        for (at, draft) in drafts.iter().enumerate() {
            let category = categories.check(draft).map_err(|bad| (at, bad))?;
            let change = ReferenceChange::between(categories.get(&category.code).map(Arc::as_ref), &category);
            categories = categories.with(&category);
            planned.push((category, change));
        }
        Ok(planned)
    }

    /// Saves the bodies that differ, with an entry of the audit log for each.
    pub(super) async fn save_agencies(
        self,
        app: &App,
        actor: &AuditActor,
        planned: Vec<Planned<Agency>>,
    ) -> Result<(), StoreError> {
        let (agencies, changes) = changed(planned);
        self.tx.save_agencies(&agencies, self.now).await?;
        let subject = |change: &ReferenceChange| typed_id(AGENCY, agency_id(&change.code).0);
        let entries = changes.iter().map(|change| self.entry(app, actor, (AGENCY_SAVED, subject(change)), change));
        let entries = entries.collect();
        self.finish(app, entries).await
    }

    /// Saves the categories that differ, with an entry of the audit log for each.
    pub(super) async fn save_issue_categories(
        self,
        app: &App,
        actor: &AuditActor,
        planned: Vec<Planned<IssueCategory>>,
    ) -> Result<(), StoreError> {
        let (categories, changes) = changed(planned);
        self.tx.save_issue_categories(&categories, self.now).await?;
        let subject = |change: &ReferenceChange| format!("category_{}", change.code);
        let entries =
            changes.iter().map(|change| self.entry(app, actor, (ISSUE_CATEGORY_SAVED, subject(change)), change));
        let entries = entries.collect();
        self.finish(app, entries).await
    }

    /// Appends the entries, commits, and has all replicas reload.
    async fn finish(self, app: &App, entries: Vec<NewAuditEntry>) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.tx.append_audit(COUNTRY, &entries).await?;
        app.commit(self.tx).await?;
        app.bus.reference_data_changed();
        // It is saved: other replicas reload by themselves, and so does this one if it could not now.
        if let Err(error) = app.reload_reference_data().await {
            tracing::warn!(error = error.chain(), "saved agencies and categories cannot be reloaded");
        }
        Ok(())
    }

    fn entry(
        &self,
        app: &App,
        actor: &AuditActor,
        (action, subject): (&'static str, String),
        change: &ReferenceChange,
    ) -> NewAuditEntry {
        let id = app.ids.next(self.now);
        NewAuditEntry { id, at: self.now, actor: actor.clone(), action, subject, detail: Some(change.to_string()) }
    }

    fn directory(&self, planned: impl IntoIterator<Item = Agency>) -> AgencyDirectory {
        AgencyDirectory::new(&self.regions, self.today(), self.saved.agencies.iter().cloned().chain(planned))
    }

    fn today(&self) -> NaiveDate {
        almaty_date(self.now)
    }
}

fn changed<T>(planned: Vec<Planned<T>>) -> (Vec<T>, Vec<ReferenceChange>) {
    planned.into_iter().filter_map(|(item, change)| Some((item, change?))).unzip()
}

impl App {
    /// Starts a transaction, and locks and reads the reference data.
    pub(super) async fn lock_reference_data(&self, now: DateTime<Utc>) -> Result<LockedReferenceData, StoreError> {
        let tx = self.store.begin().await?;
        tx.lock_reference_data().await?;
        let saved = tx.reference_data().await?;
        Ok(LockedReferenceData { tx, regions: self.region_history.load_full(), saved, now })
    }
}
