//! Actions on personal receptions (p. 3.5).

use super::{HostScope, actions, has_role_over};
use crate::domain::{
    policy::may_post,
    viewer::{Role, Viewer},
};

actions! {
    ROWS on<'a> HostScope:
    /// Prepares, opens, runs and closes receptions; sees their registrations and applicants.
    RunReception = "reception.run": |viewer, scope| {
        has_role_over(viewer, Role::Akimat, scope) || has_role_over(viewer, Role::Moderator, scope)
    };
    /// Registers for receptions.
    RegisterForReception = "reception.register": |viewer, _scope| may_post(viewer);
}

/// Returns whether the viewer may run receptions somewhere.
#[must_use]
pub fn is_staff_anywhere(viewer: &Viewer) -> bool {
    [Role::Akimat, Role::Moderator, Role::Admin].into_iter().any(|role| viewer.has_role(role))
}
