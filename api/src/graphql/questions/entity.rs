//! The comment: its row, and how it is loaded.

use std::sync::Arc;

use async_graphql::Context;
use entities::{comment, ids::CommentId};

use crate::{
    domain::global_id::COMMENT,
    graphql::{
        context::ContextExt,
        entity::{Entity, UuidFormat},
        error::ApiResult,
    },
};

/// A comment. Created only from rows that the viewer may see.
#[derive(Clone)]
pub struct Comment(pub Arc<comment::Model>);

impl Entity for Comment {
    const PREFIX: &'static str = COMMENT;
    type Id = CommentId;
    type Format = UuidFormat;

    async fn load(ctx: &Context<'_>, id: CommentId) -> ApiResult<Option<Self>> {
        Ok(ctx.loaders().load_one(id).await?.map(Self))
    }
}
