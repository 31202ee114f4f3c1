//! Actions on webhooks: agencies have their own, akimats those of the units in their scope.

use entities::kato::KatoCode;

use super::{Denied, HostScope, actions, has_role_over};
use crate::domain::viewer::{Role, Viewer};

/// The owner of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookOwner {
    /// A central agency, by its code.
    Agency(String),
    /// The akimat of a unit, with the units above it.
    Akimat(HostScope),
}

actions! {
    ROWS on<'a> WebhookOwner:
    /// Registers, sees, changes, tests, replays and removes a webhook.
    ManageWebhook = "webhook.manage": |viewer, owner| match owner {
        WebhookOwner::Agency(code) => viewer.grants().iter().any(|grant| {
            grant.role == Role::Admin || (grant.role == Role::Agency && grant.agency.as_ref() == Some(code))
        }),
        WebhookOwner::Akimat(scope) => has_role_over(viewer, Role::Akimat, scope),
    };
}

/// Which webhooks a viewer may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookScope {
    /// All webhooks.
    Everything,
    /// Those of these agencies, and of akimats in or below these units.
    Own {
        /// Codes of agencies.
        agencies: Vec<String>,
        /// Units.
        regions: Vec<KatoCode>,
    },
}

/// Returns which webhooks the viewer may see: all of [`ManageWebhook`], as a condition.
///
/// # Errors
/// When the viewer may see none.
pub fn webhook_scope(viewer: &Viewer) -> Result<WebhookScope, Denied> {
    let person = viewer.person().ok_or(Denied::Anonymous)?;
    if viewer.has_role(Role::Admin) {
        return Ok(WebhookScope::Everything);
    }
    let of = |role: Role| person.grants.iter().filter(move |grant| grant.role == role);
    let mut agencies: Vec<String> = of(Role::Agency).filter_map(|grant| grant.agency.clone()).collect();
    let mut regions: Vec<KatoCode> = of(Role::Akimat).filter_map(|grant| grant.region).collect();
    agencies.sort_unstable();
    agencies.dedup();
    regions.sort_unstable();
    regions.dedup();
    if agencies.is_empty() && regions.is_empty() {
        return Err(Denied::Forbidden);
    }
    Ok(WebhookScope::Own { agencies, regions })
}
