//! The meeting and the broadcast: their rows, and how they are loaded.

use std::sync::Arc;

use async_graphql::Context;
use entities::{
    broadcast,
    ids::{BroadcastId, MeetingId},
    meeting,
};

use crate::graphql::{
    context::ContextExt,
    entity::{Entity, UuidFormat},
    error::ApiResult,
};

/// A meeting of an akim with the population.
#[derive(Clone)]
pub struct Meeting(pub Arc<meeting::Model>);

impl Entity for Meeting {
    const PREFIX: &'static str = "mtg";
    type Id = MeetingId;
    type Format = UuidFormat;

    async fn load(ctx: &Context<'_>, id: MeetingId) -> ApiResult<Option<Self>> {
        Ok(ctx.loaders().load_one(id).await?.map(Self))
    }
}

/// An online broadcast of a meeting (p. 3.2).
pub struct Broadcast(pub broadcast::Model);

impl Entity for Broadcast {
    const PREFIX: &'static str = "brd";
    type Id = BroadcastId;
    type Format = UuidFormat;

    async fn load(ctx: &Context<'_>, id: BroadcastId) -> ApiResult<Option<Self>> {
        Ok(ctx.loaders().load_one(id).await?.map(Self))
    }
}
