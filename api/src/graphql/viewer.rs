//! Who is asking.

use async_graphql::{Context, Object};

use crate::{
    domain::viewer::Person,
    graphql::{enums::Role, regions::Region},
};

/// The signed-in caller, as the token says.
pub struct Viewer(pub Person);

/// The signed-in caller, as the token says.
#[Object]
impl Viewer {
    /// The token's subject: one person, whatever their roles.
    async fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The name shown beside what the caller writes.
    async fn display_name(&self) -> Option<&str> {
        Some(&self.0.name)
    }

    /// What the caller may be.
    async fn roles(&self) -> Vec<Role> {
        self.0.roles.iter().copied().map(Into::into).collect()
    }

    /// The unit over whose subtree the caller has authority.
    async fn region(&self, ctx: &Context<'_>) -> Option<Region> {
        Region::today(ctx, self.0.region?)
    }
}
