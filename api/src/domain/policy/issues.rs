//! Actions on problem issues (p. 3.5, 5), and what a viewer may see of them.

use entities::kato::KatoCode;

use super::{HostScope, actions, has_role_over};
use crate::domain::{
    policy::may_post,
    viewer::{Role, Viewer},
};

/// What the permissions on an issue depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueScope {
    /// The unit that it is about, with the units above it.
    pub region: HostScope,
    /// Code of the responsible body.
    pub responsible: Option<String>,
}

actions! {
    UNIT_ROWS on<'a> HostScope:
    /// Raises issues in a unit, and records requests that came by other channels.
    RaiseIssue = "issue.raise": |viewer, scope| has_role_over(viewer, Role::Akimat, scope);
    /// Sends a request before a meeting.
    SubmitRequest = "request.submit": |viewer, _scope| may_post(viewer);
    /// Sees the requests of a unit.
    SeeRequests = "request.see": |viewer, scope| sees_everything(viewer) || is_staff_over(viewer, scope);
}

actions! {
    ROWS on<'a> IssueScope:
    /// Assigns, plans, declines, reopens, merges and releases issues.
    RunIssue = "issue.run": |viewer, scope| has_role_over(viewer, Role::Akimat, &scope.region);
    /// Reports on an issue, completes its steps and resolves it.
    ReportIssue = "issue.report": |viewer, scope| {
        RunIssue::permits(viewer, scope) || is_responsible(viewer, scope)
    };
    /// Records what the maslikhat decided about the money (p. 3.5).
    FundIssue = "issue.fund": |viewer, scope| {
        RunIssue::permits(viewer, scope) || has_role_over(viewer, Role::Maslikhat, &scope.region)
    };
    /// Follows an issue, and says whether its outcome satisfies.
    FollowIssue = "issue.follow": |viewer, _scope| may_post(viewer);
    /// Sees the description of an issue before it is released, and what it was raised from (p. 5.2, 7).
    SeeIssueInternals = "issue.see_internals": |viewer, scope| {
        sees_everything(viewer) || is_staff_over(viewer, &scope.region) || is_responsible(viewer, scope)
    };
}

/// The roles that see the internals in their units.
const STAFF: [Role; 2] = [Role::Akimat, Role::Moderator];

fn is_staff_over(viewer: &Viewer, scope: &HostScope) -> bool {
    STAFF.into_iter().any(|role| has_role_over(viewer, role, scope))
}

/// Returns whether the viewer sees all issues and requests: the Government, which collects them (p. 5.2), and those with a role in
/// the whole country.
fn sees_everything(viewer: &Viewer) -> bool {
    viewer.grants().iter().any(|grant| grant.role == Role::Government || grant.role.is_nationwide())
}

/// Returns whether the viewer acts for the responsible body.
fn is_responsible(viewer: &Viewer, scope: &IssueScope) -> bool {
    viewer.grants().iter().any(|grant| {
        grant.role == Role::Agency && grant.agency.is_some() && grant.agency.as_deref() == scope.responsible.as_deref()
    })
}

/// Of which issues a viewer sees the internals: all of [`SeeIssueInternals`], as a condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InternalsScope {
    /// Of all issues.
    Everything,
    /// Of issues in or below these units, and of those of these bodies. Both may be empty.
    Of {
        /// The units.
        units: Vec<KatoCode>,
        /// Codes of the bodies.
        agencies: Vec<String>,
    },
}

/// Returns of which issues the viewer sees the internals.
#[must_use]
pub fn internals_scope(viewer: &Viewer) -> InternalsScope {
    let grants = viewer.grants();
    if sees_everything(viewer) {
        return InternalsScope::Everything;
    }
    let staff = grants.iter().filter(|grant| STAFF.contains(&grant.role));
    let agencies = grants.iter().filter(|grant| grant.role == Role::Agency);
    let mut units: Vec<_> = staff.filter_map(|grant| grant.region).collect();
    let mut agencies: Vec<_> = agencies.filter_map(|grant| grant.agency.clone()).collect();
    units.sort_unstable();
    units.dedup();
    agencies.sort_unstable();
    agencies.dedup();
    InternalsScope::Of { units, agencies }
}

/// Returns the body whose issues alone the viewer follows: that of a token which has no other office. `None` for others.
#[must_use]
pub fn own_agencies(viewer: &Viewer) -> Option<Vec<String>> {
    let grants = viewer.grants();
    let is_agency_only = grants.iter().all(|grant| matches!(grant.role, Role::Agency | Role::Citizen));
    let mut own: Vec<_> =
        grants.iter().filter(|grant| grant.role == Role::Agency).filter_map(|grant| grant.agency.clone()).collect();
    own.sort_unstable();
    own.dedup();
    (is_agency_only && grants.iter().any(|grant| grant.role == Role::Agency)).then_some(own)
}
