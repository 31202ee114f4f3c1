//! The mutations of receptions. They only translate.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entities::{reception, registration};

use crate::{
    app::CommandError,
    graphql::{
        context::ContextExt,
        entity::parse_id,
        error::ApiResult,
        feed_heads::FeedHeads,
        mutation::{payload, run_with_retry},
        receptions::{
            Reception, Registration,
            input::{
                AcceptOfferInput, CallNextInput, CancelRegistrationInput, CloseReceptionInput, CloseRegistrationInput,
                EraseApplicantInput, OpenReceptionInput, RecallRegistrationInput, RegisterInput, RegisterWalkInInput,
                UpdateReceptionInput,
            },
        },
        refusal::Refusal,
    },
};

/// A reception or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct ReceptionPayload {
    /// The reception after the change.
    pub reception: Option<Reception>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

/// A registration or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct RegistrationPayload {
    /// The registration after the change.
    pub registration: Option<Registration>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

fn reception(ctx: &Context<'_>, result: Result<reception::Model, CommandError>) -> ApiResult<ReceptionPayload> {
    payload(ctx, result, |row, refusal| ReceptionPayload {
        reception: row.map(|row| Reception::new(Arc::new(row))),
        refusal,
    })
}

fn registration(
    ctx: &Context<'_>,
    result: Result<registration::Model, CommandError>,
) -> ApiResult<RegistrationPayload> {
    payload(ctx, result, |row, refusal| RegistrationPayload {
        registration: row.map(|row| Registration::new(Arc::new(row))),
        refusal,
    })
}

/// Mutations of personal receptions.
#[derive(Default)]
pub struct ReceptionMutation;

/// Mutations of personal receptions.
#[Object]
impl ReceptionMutation {
    /// Creates a reception after a meeting and opens it for registration, or prepares a draft. For akimat staff and
    /// moderators.
    #[graphql(tag = "internal")]
    async fn open_reception(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reception.")] input: OpenReceptionInput,
    ) -> ApiResult<ReceptionPayload> {
        let (open, key) = input.parse()?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        reception(ctx, run_with_retry(|| app.open_reception(viewer, open.clone(), key)).await)
    }

    /// Changes, opens or cancels a reception. If times or desks change, people keep their slots where possible; the
    /// others are offered the nearest free ones. For akimat staff and moderators.
    #[graphql(tag = "internal")]
    async fn update_reception(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateReceptionInput,
    ) -> ApiResult<ReceptionPayload> {
        let command = input.parse()?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        reception(ctx, run_with_retry(|| app.update_reception(viewer, command.clone())).await)
    }

    /// Closes a reception. For akimat staff and moderators.
    #[graphql(tag = "internal")]
    async fn close_reception(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reception.")] input: CloseReceptionInput,
    ) -> ApiResult<ReceptionPayload> {
        let id = parse_id::<Reception>(&input.reception_id, "input.receptionId")?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer, version) = (ctx.app(), ctx.viewer(), input.version);
        reception(ctx, run_with_retry(|| app.close_reception(viewer, id, version)).await)
    }

    /// Registers the viewer for an open reception: in the chosen slot, the next free one, or the waiting line. Each
    /// person has one active registration at a reception. For citizens.
    #[graphql(tag = "public")]
    async fn register(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The registration.")] input: RegisterInput,
    ) -> ApiResult<RegistrationPayload> {
        let (register, key) = input.parse()?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        registration(ctx, run_with_retry(|| app.register(viewer, register.clone(), key)).await)
    }

    /// Cancels a registration. A freed slot is offered to the first in the waiting line. For the person, and staff of
    /// the reception.
    #[graphql(tag = "public")]
    async fn cancel_registration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The registration.")] input: CancelRegistrationInput,
    ) -> ApiResult<RegistrationPayload> {
        let id = parse_id::<Registration>(&input.registration_id, "input.registrationId")?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        registration(ctx, run_with_retry(|| app.cancel_registration(viewer, id)).await)
    }

    /// Accepts the offer of a freed slot before it expires. Accepting it again changes nothing. For the person.
    #[graphql(tag = "public")]
    async fn accept_offer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The registration.")] input: AcceptOfferInput,
    ) -> ApiResult<RegistrationPayload> {
        let id = parse_id::<Registration>(&input.registration_id, "input.registrationId")?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        registration(ctx, run_with_retry(|| app.accept_offer(viewer, id)).await)
    }

    /// Calls the next person to a desk. A desk with an open call gets the same person again. Refused with NOT_FOUND
    /// if nobody is due. For akimat staff and moderators.
    #[graphql(tag = "internal")]
    async fn call_next(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reception and the desk.")] input: CallNextInput,
    ) -> ApiResult<RegistrationPayload> {
        let id = parse_id::<Reception>(&input.reception_id, "input.receptionId")?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer, desk) = (ctx.app(), ctx.viewer(), input.desk);
        registration(ctx, run_with_retry(|| app.call_next(viewer, id, desk)).await)
    }

    /// Calls a person who has been called and has not come. For akimat staff and moderators.
    #[graphql(tag = "internal")]
    async fn recall_registration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The registration.")] input: RecallRegistrationInput,
    ) -> ApiResult<RegistrationPayload> {
        let id = parse_id::<Registration>(&input.registration_id, "input.registrationId")?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        registration(ctx, run_with_retry(|| app.recall_registration(viewer, id)).await)
    }

    /// Ends a visit with its outcome and perhaps an issue, or records that the person did not come: after three calls or five
    /// minutes. For akimat staff and moderators.
    #[graphql(tag = "internal")]
    async fn close_registration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The registration and its outcome.")] input: CloseRegistrationInput,
    ) -> ApiResult<RegistrationPayload> {
        let (id, visit) = input.parse()?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        registration(ctx, run_with_retry(|| app.close_registration(viewer, id, &visit)).await)
    }

    /// Registers a person who came without a registration. For akimat staff and moderators.
    #[graphql(tag = "internal")]
    async fn register_walk_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The person.")] input: RegisterWalkInInput,
    ) -> ApiResult<RegistrationPayload> {
        let (register, key) = input.parse()?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        registration(ctx, run_with_retry(|| app.register_walk_in(viewer, register.clone(), key)).await)
    }

    /// Erases the name, phone number and IIN of a registration. The ticket stays; an active registration is cancelled
    /// first. For the person, and staff of the reception.
    #[graphql(tag = "public")]
    async fn erase_applicant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The registration.")] input: EraseApplicantInput,
    ) -> ApiResult<RegistrationPayload> {
        let id = parse_id::<Registration>(&input.registration_id, "input.registrationId")?;
        FeedHeads::before_receptions(ctx).await?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        registration(ctx, run_with_retry(|| app.erase_applicant(viewer, id)).await)
    }
}
