//! What queries and subscriptions read of issues and requests, each as a viewer may see it.

use entities::{
    audit_entry,
    ids::{IssueId, RequestId},
    issue, issue_source, public_request,
};
use uuid::Uuid;

use crate::{
    app::{
        parse_code,
        reads::{AuditCursor, IssueCursor, IssueFilter, PageRequest, PageSlice, QuarterReport, Reads, RequestFilter},
    },
    domain::{
        global_id::{ISSUE, typed_id},
        issues::Step,
        notification::PersonKey,
        policy::{Action as _, Denied, InternalsScope, SeeRequests, internals_scope},
        viewer::Viewer,
    },
    store::StoreError,
};

/// What the actions of the history of an issue begin with.
const ACTIONS: &str = "issue.";

/// The viewer's own part in an issue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnPart {
    /// Whether they are notified of it.
    pub follows: bool,
    /// Whether it was raised from their words.
    pub raised: bool,
    /// What they said of the outcome.
    pub satisfied: Option<bool>,
}

fn person(viewer: &Viewer) -> Option<String> {
    PersonKey::of_viewer(viewer).map(|key| key.0)
}

impl Reads {
    /// Returns issues by id. Every issue is public, except its internals.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issues_by_id(&self, ids: &[IssueId]) -> Result<Vec<issue::Model>, StoreError> {
        self.store().issues_by_id(ids).await
    }

    /// Returns issues by their numbers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issues_by_number(&self, numbers: &[String]) -> Result<Vec<issue::Model>, StoreError> {
        self.store().issues_by_number(numbers).await
    }

    /// Returns a page of the issues that a filter selects. Texts that are not released are searched for those who may read them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issues(
        &self,
        viewer: &Viewer,
        filter: &IssueFilter,
        request: &PageRequest<IssueCursor>,
    ) -> Result<PageSlice<issue::Model>, StoreError> {
        self.store().issues(&internals_scope(viewer), filter, request).await
    }

    /// Counts the issues that a filter selects, up to 10,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_issues(&self, viewer: &Viewer, filter: &IssueFilter) -> Result<u64, StoreError> {
        self.store().count_issues(&internals_scope(viewer), filter).await
    }

    /// Returns the pseudonym of the viewer, by which followed issues are found.
    #[must_use]
    pub fn follower(viewer: &Viewer) -> Option<String> {
        person(viewer)
    }

    /// Returns the sources of issues in their order. The caller loads each as the viewer may see it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_sources(&self, ids: &[IssueId]) -> Result<Vec<issue_source::Model>, StoreError> {
        self.store().issue_sources(ids).await
    }

    /// Returns which issues were raised from these sources.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issues_from(&self, sources: &[Uuid]) -> Result<Vec<issue_source::Model>, StoreError> {
        self.store().issues_from(sources).await
    }

    /// Returns the plans of issues in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_plans(&self, ids: &[IssueId]) -> Result<Vec<(IssueId, Step)>, StoreError> {
        self.store().plans(ids).await
    }

    /// Returns the reports on issues by quarter.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_reports(&self, ids: &[IssueId]) -> Result<Vec<QuarterReport>, StoreError> {
        self.store().issue_reports(ids).await
    }

    /// Returns the viewer's own part in issues.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn own_parts(&self, viewer: &Viewer, ids: &[IssueId]) -> Result<Vec<(IssueId, OwnPart)>, StoreError> {
        let Some(person) = person(viewer) else { return Ok(Vec::new()) };
        let rows = self.store().issue_person(&person, ids).await?;
        let part = |row: entities::issue_person::Model| {
            (row.issue_id, OwnPart { follows: row.follows, raised: row.raised, satisfied: row.satisfied })
        };
        Ok(rows.into_iter().map(part).collect())
    }

    /// Returns a page of the history of an issue, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_history(
        &self,
        id: IssueId,
        request: &PageRequest<AuditCursor>,
    ) -> Result<PageSlice<audit_entry::Model>, StoreError> {
        self.store().audit_history(&typed_id(ISSUE, id.0), ACTIONS, request).await
    }

    /// Counts the changes in the history of an issue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_issue_history(&self, id: IssueId) -> Result<u64, StoreError> {
        self.store().count_audit_history(&typed_id(ISSUE, id.0), ACTIONS).await
    }

    /// Returns requests by id: the viewer's own, and those of units whose requests the viewer sees.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn requests_by_id(
        &self,
        viewer: &Viewer,
        ids: &[RequestId],
    ) -> Result<Vec<public_request::Model>, StoreError> {
        let Some(own) = person(viewer) else { return Ok(Vec::new()) };
        let mut visible = Vec::new();
        for row in self.store().requests_by_id(ids).await? {
            let is_own = row.person.as_ref() == Some(&own);
            if is_own || SeeRequests::permits(viewer, &self.app().host_scope(parse_code(&row.region_code)?)) {
                visible.push(row);
            }
        }
        Ok(visible)
    }

    /// Returns a filter that selects only requests that the viewer sees as staff.
    ///
    /// # Errors
    /// When the viewer sees none.
    pub fn visible_requests(viewer: &Viewer, filter: RequestFilter) -> Result<RequestFilter, Denied> {
        if viewer.person().is_none() {
            return Err(Denied::Anonymous);
        }
        match internals_scope(viewer) {
            InternalsScope::Everything => Ok(filter),
            InternalsScope::Of { units, .. } if units.is_empty() => Err(Denied::Forbidden),
            InternalsScope::Of { units, .. } => Ok(RequestFilter { units: Some(units), ..filter }),
        }
    }

    /// Returns a filter that selects the viewer's own requests, or `None` for the anonymous.
    #[must_use]
    pub fn own_requests(viewer: &Viewer) -> Option<RequestFilter> {
        Some(RequestFilter { person: Some(person(viewer)?), ..RequestFilter::default() })
    }

    /// Returns a page of the requests that a filter of [`Self::visible_requests`] or [`Self::own_requests`] selects.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn public_requests(
        &self,
        filter: &RequestFilter,
        request: &PageRequest<RequestId>,
    ) -> Result<PageSlice<public_request::Model>, StoreError> {
        self.store().public_requests(filter, request).await
    }

    /// Counts the requests that such a filter selects.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_requests(&self, filter: &RequestFilter) -> Result<u64, StoreError> {
        self.store().count_requests(filter).await
    }
}
