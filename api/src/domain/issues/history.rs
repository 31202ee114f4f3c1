//! The history of an issue: who changed what, as it is recorded in the audit log.

use entities::kato::KatoCode;
use serde::{Deserialize, Serialize};

use crate::domain::{
    feed::EventKind,
    issue_events::{ASSIGNED, DECLINED, PLANNED, PROGRESS, RAISED, REOPENED, RESOLVED},
    policy::{Action as _, FundIssue, IssueScope, ReportIssue, RunIssue, has_role_over},
    viewer::{Role, Viewer},
};

/// The field whose values only those who see the internals of an issue may read.
pub const DESCRIPTION: &str = "description";

/// The body and the role in which somebody changed an issue. Never names a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Name of the role, as in tokens.
    pub role: String,
    /// The unit of the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<KatoCode>,
    /// Code of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<String>,
}

/// One changed field of an issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Who changed it.
    pub by: Author,
    /// The kind of the event.
    pub kind: String,
    /// The field; `None` for the issue as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The value before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Returns the action of the audit log for a kind of event.
#[must_use]
pub fn audit_action(kind: EventKind) -> &'static str {
    match kind {
        RAISED => "issue.raised",
        ASSIGNED => "issue.assigned",
        PLANNED => "issue.planned",
        PROGRESS => "issue.progress",
        RESOLVED => "issue.resolved",
        DECLINED => "issue.declined",
        REOPENED => "issue.reopened",
        _ => "issue.changed",
    }
}

/// Returns the role and the body in which the viewer acts on an issue.
#[must_use]
pub fn acting_as(viewer: &Viewer, scope: &IssueScope) -> Author {
    let author = |role: Role, region: Option<KatoCode>, agency: Option<String>| Author {
        role: role.as_str().to_owned(),
        region,
        agency,
    };
    let grants = viewer.grants();
    let region_of = |role: Role| {
        let over = |code: KatoCode| scope.region.host == code || scope.region.ancestors.contains(&code);
        grants.iter().filter(|grant| grant.role == role).filter_map(|grant| grant.region).find(|code| over(*code))
    };
    let is_admin = viewer.has_role(Role::Admin);
    if !is_admin && !RunIssue::permits(viewer, scope) && ReportIssue::permits(viewer, scope) {
        return author(Role::Agency, None, scope.responsible.clone());
    }
    for role in [Role::Akimat, Role::Maslikhat] {
        if !is_admin && has_role_over(viewer, role, &scope.region) && FundIssue::permits(viewer, scope) {
            return author(role, region_of(role), None);
        }
    }
    author(if is_admin { Role::Admin } else { Role::Citizen }, None, None)
}
