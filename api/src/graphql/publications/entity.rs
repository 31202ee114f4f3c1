//! The publication: its row, and how it is loaded.

use std::sync::Arc;

use async_graphql::Context;
use entities::{ids::PublicationId, publication};

use crate::{
    domain::global_id::PUBLICATION,
    graphql::{
        context::ContextExt,
        entity::{Entity, UuidFormat},
        error::ApiResult,
    },
};

/// An edition of a publication.
#[derive(Clone)]
pub struct Publication(pub Arc<publication::Model>);

impl Entity for Publication {
    const PREFIX: &'static str = PUBLICATION;
    type Id = PublicationId;
    type Format = UuidFormat;

    async fn load(ctx: &Context<'_>, id: PublicationId) -> ApiResult<Option<Self>> {
        Ok(ctx.load(id).await?.map(Self))
    }
}
