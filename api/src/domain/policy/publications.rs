//! Actions on publications: akimats publish results and progress (p. 3.5), bodies their lists (p. 5.3), the Government its own (p. 5.2).

use super::{Denied, HostScope, actions, has_role_over};
use crate::domain::viewer::{Role, Viewer};

/// Who has to publish something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publisher {
    /// The akimat of a unit, with the units above it.
    Akimat(HostScope),
    /// A body, by its code.
    Agency(String),
    /// The Government.
    Government,
}

actions! {
    ROWS on<'a> Publisher:
    /// Sees what would be published, publishes it, and records where else it was placed.
    Publish = "publication.publish": |viewer, publisher| match publisher {
        Publisher::Akimat(scope) => has_role_over(viewer, Role::Akimat, scope),
        Publisher::Agency(code) => viewer.grants().iter().any(|grant| {
            grant.role == Role::Admin || (grant.role == Role::Agency && grant.agency.as_ref() == Some(code))
        }),
        Publisher::Government => viewer.has_role(Role::Government) || viewer.has_role(Role::Admin),
    };
}

/// The roles that publish something somewhere.
const PUBLISHERS: [Role; 4] = [Role::Akimat, Role::Agency, Role::Government, Role::Admin];

/// Checks that the viewer may publish something, so that nobody else learns what an input lacks.
///
/// # Errors
/// When the viewer may publish nothing.
pub fn check_publishes_anything(viewer: &Viewer) -> Result<(), Denied> {
    if viewer.person().is_none() {
        return Err(Denied::Anonymous);
    }
    if PUBLISHERS.into_iter().any(|role| viewer.has_role(role)) { Ok(()) } else { Err(Denied::Forbidden) }
}
