//! The agency: how it is found.

use std::sync::Arc;

use async_graphql::Context;
use entities::{enums::Language, ids::AgencyId};

use crate::{
    domain::{agencies, global_id::AGENCY},
    graphql::{
        context::ContextExt,
        entity::{Entity, UuidFormat},
        error::ApiResult,
    },
};

/// A body to which issues are assigned.
#[derive(Clone)]
pub struct Agency(pub(in crate::graphql::agencies) Arc<agencies::Agency>);

impl Agency {
    /// Creates the object.
    #[must_use]
    pub const fn new(agency: Arc<agencies::Agency>) -> Self {
        Self(agency)
    }

    /// Returns the agency with this code, whether it still exists or not.
    #[must_use]
    pub fn by_code(ctx: &Context<'_>, code: &str) -> Option<Self> {
        ctx.app().agencies().get(code).cloned().map(Self)
    }

    /// Returns the agency with a stored code. One that only a later version knows is named by its code.
    #[must_use]
    pub fn by_stored_code(ctx: &Context<'_>, code: &str) -> Self {
        Self::by_code(ctx, code).unwrap_or_else(|| Self(Arc::new(agencies::Agency::unknown(code))))
    }

    /// Returns the name in a language.
    #[must_use]
    pub fn name_in(&self, language: Language) -> String {
        self.0.names.in_language(language).to_owned()
    }
}

impl Entity for Agency {
    const PREFIX: &'static str = AGENCY;
    type Id = AgencyId;
    type Format = UuidFormat;

    async fn load(ctx: &Context<'_>, id: AgencyId) -> ApiResult<Option<Self>> {
        Ok(ctx.app().agencies().by_id(id).cloned().map(Self))
    }
}
