//! The mutations of publications. They only translate.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entities::publication;

use crate::{
    app::CommandError,
    graphql::{
        context::ContextExt,
        error::ApiResult,
        mutation::{payload, run_with_retry},
        publications::{
            entity::Publication,
            input::{PublishInput, RecordPlacementInput},
        },
        refusal::Refusal,
    },
};

/// A publication or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct PublicationPayload {
    /// The edition.
    pub publication: Option<Publication>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

fn published(ctx: &Context<'_>, result: Result<publication::Model, CommandError>) -> ApiResult<PublicationPayload> {
    payload(ctx, result, |row, refusal| PublicationPayload {
        publication: row.map(|row| Publication(Arc::new(row))),
        refusal,
    })
}

/// Mutations of publications.
#[derive(Default)]
pub struct PublicationMutation;

/// Mutations of publications.
#[Object]
impl PublicationMutation {
    /// Publishes an edition, which never changes afterwards. Refused as DECREE with `missing` until nothing is missing, and as DUPLICATE if
    /// nothing has changed since the last edition. For akimat staff, agencies and the Government, by kind.
    #[graphql(tag = "internal")]
    async fn publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to publish.")] input: PublishInput,
    ) -> ApiResult<PublicationPayload> {
        let (command, key) = input.parse()?;
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        published(ctx, run_with_retry(|| app.publish(viewer, &command, key)).await)
    }

    /// Records where else an edition was placed, with address and time; the same again changes nothing. For those who may publish it.
    #[graphql(tag = "internal")]
    async fn record_placement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The edition and the place.")] input: RecordPlacementInput,
    ) -> ApiResult<PublicationPayload> {
        let (id, placement) = input.parse()?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        published(ctx, run_with_retry(|| app.record_placement(viewer, id, &placement)).await)
    }
}
