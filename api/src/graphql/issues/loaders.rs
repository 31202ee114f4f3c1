//! The data loaders of issues and requests.

use std::{collections::HashMap, sync::Arc};

use async_graphql::dataloader::Loader;
use entities::{
    enums::IssueSourceKind,
    ids::{IssueId, RequestId},
    issue, public_request,
};
use uuid::Uuid;

use crate::{
    app::{issues::OwnPart, reads::QuarterReport},
    domain::issues::Step,
    graphql::{
        error::ApiError,
        loaders::Loaders,
        meter::{issue_bytes, report_bytes, request_bytes},
    },
};

/// Approximate size of a small row, such as a source or a step.
const SMALL_ROW_BYTES: usize = 300;

/// The key of an issue by its number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ByNumber(pub String);

/// The key of what an issue was raised from: kinds and ids, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourcesOf(pub IssueId);

/// The key of the plan of an issue.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlanOf(pub IssueId);

/// The key of the reports on an issue.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReportsOn(pub IssueId);

/// The key of the viewer's own part in an issue.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnPartIn(pub IssueId);

/// The key of the issue that was raised from a source.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IssueFrom(pub IssueSourceKind, pub Uuid);

impl Loader<IssueId> for Loaders {
    type Value = Arc<issue::Model>;
    type Error = ApiError;

    async fn load(&self, ids: &[IssueId]) -> Result<HashMap<IssueId, Self::Value>, ApiError> {
        let rows = self.reads()?.issues_by_id(ids).await?;
        self.meter().rows(rows.iter().map(issue_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    }
}

impl Loader<ByNumber> for Loaders {
    type Value = Arc<issue::Model>;
    type Error = ApiError;

    async fn load(&self, keys: &[ByNumber]) -> Result<HashMap<ByNumber, Self::Value>, ApiError> {
        let numbers: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let rows = self.reads()?.issues_by_number(&numbers).await?;
        self.meter().rows(rows.iter().map(issue_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (ByNumber(row.number.clone()), Arc::new(row))).collect())
    }
}

impl Loader<SourcesOf> for Loaders {
    type Value = Vec<(IssueSourceKind, Uuid)>;
    type Error = ApiError;

    async fn load(&self, keys: &[SourcesOf]) -> Result<HashMap<SourcesOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.reads()?.issue_sources(&ids).await?;
        self.meter().rows(rows.len().saturating_mul(SMALL_ROW_BYTES))?;
        let mut by_key: HashMap<_, Self::Value> = HashMap::new();
        for row in rows {
            by_key.entry(SourcesOf(row.issue_id)).or_default().push((row.kind, row.source_id));
        }
        Ok(by_key)
    }
}

impl Loader<PlanOf> for Loaders {
    type Value = Vec<Step>;
    type Error = ApiError;

    async fn load(&self, keys: &[PlanOf]) -> Result<HashMap<PlanOf, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.reads()?.issue_plans(&ids).await?;
        self.meter().rows(rows.iter().map(|(_, step)| SMALL_ROW_BYTES + step.action.len()).sum())?;
        let mut by_key: HashMap<_, Self::Value> = HashMap::new();
        for (issue, step) in rows {
            by_key.entry(PlanOf(issue)).or_default().push(step);
        }
        Ok(by_key)
    }
}

impl Loader<ReportsOn> for Loaders {
    type Value = Vec<QuarterReport>;
    type Error = ApiError;

    async fn load(&self, keys: &[ReportsOn]) -> Result<HashMap<ReportsOn, Self::Value>, ApiError> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let rows = self.reads()?.issue_reports(&ids).await?;
        self.meter().rows(rows.iter().map(|report| report_bytes(&report.row)).sum())?;
        let mut by_key: HashMap<_, Self::Value> = HashMap::new();
        for report in rows {
            by_key.entry(ReportsOn(report.row.issue_id)).or_default().push(report);
        }
        Ok(by_key)
    }
}

impl Loader<OwnPartIn> for Loaders {
    type Value = OwnPart;
    type Error = ApiError;

    async fn load(&self, keys: &[OwnPartIn]) -> Result<HashMap<OwnPartIn, OwnPart>, ApiError> {
        let viewer = self.viewer();
        if viewer.person().is_none() {
            return Ok(HashMap::new());
        }
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let parts = self.reads()?.own_parts(viewer, &ids).await?;
        Ok(parts.into_iter().map(|(id, part)| (OwnPartIn(id), part)).collect())
    }
}

impl Loader<IssueFrom> for Loaders {
    type Value = IssueId;
    type Error = ApiError;

    async fn load(&self, keys: &[IssueFrom]) -> Result<HashMap<IssueFrom, IssueId>, ApiError> {
        let sources: Vec<_> = keys.iter().map(|key| key.1).collect();
        let rows = self.reads()?.issues_from(&sources).await?;
        Ok(rows.into_iter().map(|row| (IssueFrom(row.kind, row.source_id), row.issue_id)).collect())
    }
}

impl Loader<RequestId> for Loaders {
    type Value = Arc<public_request::Model>;
    type Error = ApiError;

    async fn load(&self, ids: &[RequestId]) -> Result<HashMap<RequestId, Self::Value>, ApiError> {
        let viewer = self.viewer();
        if viewer.person().is_none() {
            return Ok(HashMap::new());
        }
        let rows = self.reads()?.requests_by_id(viewer, ids).await?;
        self.meter().rows(rows.iter().map(request_bytes).sum())?;
        Ok(rows.into_iter().map(|row| (row.id, Arc::new(row))).collect())
    }
}
