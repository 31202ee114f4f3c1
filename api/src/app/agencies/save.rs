//! An operator changes or adds a body or a category of issues.

use std::sync::Arc;

use crate::{
    app::{App, CommandError, Rejection, input::text_rejection, parse_code, rejection::Invalid},
    domain::{
        agencies::{Agency, AgencyDraft, BadAgency, MAX_AGENCIES},
        audit::{AuditActor, COUNTRY},
        issue_categories::{BadIssueCategory, IssueCategory, IssueCategoryDraft, MAX_CATEGORIES, MAX_ORDINAL},
        policy::{Country, EditReferenceData, HostScope, authorize},
        viewer::Viewer,
    },
};

impl App {
    /// Saves a body. Saving the same again changes nothing.
    ///
    /// # Errors
    /// When the viewer may not, a field is invalid, or the database fails.
    pub async fn save_agency(&self, viewer: &Viewer, draft: AgencyDraft) -> Result<Arc<Agency>, CommandError> {
        let now = self.now();
        let editor = self.editor(viewer)?;
        let locked = self.lock_reference_data(now).await?;
        let planned = locked.plan_agencies(&[draft]).map_err(|(_, bad)| agency_rejection(bad))?;
        let saved = planned.first().map(|(agency, _)| Arc::new(agency.clone()));
        locked.save_agencies(self, &editor, planned).await?;
        Ok(saved.ok_or(Rejection::NotFound { field: "code" })?)
    }

    /// Saves a category of issues. Saving the same again changes nothing.
    ///
    /// # Errors
    /// When the viewer may not, a field is invalid, or the database fails.
    pub async fn save_issue_category(
        &self,
        viewer: &Viewer,
        draft: IssueCategoryDraft,
    ) -> Result<Arc<IssueCategory>, CommandError> {
        let now = self.now();
        let editor = self.editor(viewer)?;
        let locked = self.lock_reference_data(now).await?;
        let planned = locked.plan_issue_categories(&[draft]).map_err(|(_, bad)| category_rejection(bad))?;
        let saved = planned.first().map(|(category, _)| Arc::new(category.clone()));
        locked.save_issue_categories(self, &editor, planned).await?;
        Ok(saved.ok_or(Rejection::NotFound { field: "code" })?)
    }

    /// Authorises a change, and returns the actor of its audit entry.
    fn editor(&self, viewer: &Viewer) -> Result<AuditActor, CommandError> {
        let allowed = authorize::<EditReferenceData>(viewer, &Country)?;
        let country = HostScope { host: parse_code(COUNTRY)?, ancestors: Vec::new() };
        Ok(self.audit_actor(viewer, allowed.person, &country))
    }
}

const fn agency_rejection(bad: BadAgency) -> Rejection {
    let (field, why) = match bad {
        BadAgency::Code(_) => ("code", Invalid::Code),
        BadAgency::Names(bad) => return text_rejection("names", bad),
        BadAgency::Kind => ("kind", Invalid::Empty),
        BadAgency::Region => ("region", Invalid::UnknownRegion),
        BadAgency::Date(field) => (field, Invalid::Empty),
        BadAgency::Dates => ("validTo", Invalid::EndsBeforeStart),
        BadAgency::AkimatChanged(field) => (field, Invalid::FixedForAkimat),
        BadAgency::NoAkimat => ("code", Invalid::UnknownRegion),
        BadAgency::TooMany => ("code", Invalid::TooMany { max: MAX_AGENCIES }),
    };
    Rejection::Invalid { field, why }
}

fn category_rejection(bad: BadIssueCategory) -> Rejection {
    let (field, why) = match bad {
        BadIssueCategory::Code(_) => ("code", Invalid::Code),
        BadIssueCategory::Names(bad) => return text_rejection("names", bad),
        BadIssueCategory::Ordinal => ("ordinal", Invalid::Range { min: 0, max: MAX_ORDINAL.into() }),
        BadIssueCategory::TooMany => ("code", Invalid::TooMany { max: MAX_CATEGORIES }),
    };
    Rejection::Invalid { field, why }
}
