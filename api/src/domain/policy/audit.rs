//! Actions on the audit log, and which entries a viewer may see.

use entities::kato::KatoCode;

use super::{Denied, HostScope, actions, has_role_over};
use crate::domain::viewer::{Role, Viewer};

/// The roles that see the entries of the hosts in their scope.
const STAFF: [Role; 2] = [Role::Moderator, Role::Akimat];

actions! {
    ROWS on<'a> HostScope:
    /// Sees the audit log of a host (p. 7 for the Presidential Administration).
    SeeAuditLog = "audit.see": |viewer, scope| {
        has_role_over(viewer, Role::Administration, scope)
            || STAFF.into_iter().any(|role| has_role_over(viewer, role, scope))
    };
}

/// Which entries of the audit log a viewer may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditScope {
    /// All entries.
    Everything,
    /// The entries of hosts in or below these units.
    Within(Vec<KatoCode>),
}

/// Returns which entries of the audit log the viewer may see: all of [`SeeAuditLog`], as a condition.
///
/// # Errors
/// When the viewer may see none.
pub fn audit_scope(viewer: &Viewer) -> Result<AuditScope, Denied> {
    let person = viewer.person().ok_or(Denied::Anonymous)?;
    if person.grants.iter().any(|grant| grant.role.is_nationwide()) {
        return Ok(AuditScope::Everything);
    }
    let staff = person.grants.iter().filter(|grant| STAFF.contains(&grant.role));
    let mut units: Vec<KatoCode> = staff.filter_map(|grant| grant.region).collect();
    units.sort_unstable();
    units.dedup();
    if units.is_empty() { Err(Denied::Forbidden) } else { Ok(AuditScope::Within(units)) }
}

/// Returns whether the viewer is staff of a host, so that what they do there is not done for themselves.
#[must_use]
pub fn acts_in_office(viewer: &Viewer, scope: &HostScope) -> bool {
    STAFF.into_iter().any(|role| has_role_over(viewer, role, scope))
}
