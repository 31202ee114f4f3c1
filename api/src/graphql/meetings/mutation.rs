//! The mutations of meetings. They only translate.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};
use entities::meeting;

use crate::{
    app::CommandError,
    graphql::{
        context::ContextExt,
        entity::parse_id,
        enums::Stage,
        error::ApiResult,
        meetings::{
            Meeting,
            input::{
                AddBroadcastInput, AnnounceMeetingInput, CancelMeetingInput, EndMeetingInput, PlanMeetingInput,
                RescheduleMeetingInput, SetModerationInput, SetStageInput, StartMeetingInput,
            },
        },
        mutation::{payload, run_with_retry},
        refusal::{Refusal, outcome},
        time_split::TimeSplit,
    },
};

/// A meeting or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct MeetingPayload {
    /// The meeting after the change.
    pub meeting: Option<Meeting>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

/// A time split or a refusal: exactly one of the two is set.
#[derive(SimpleObject)]
pub struct TimeSplitPayload {
    /// The time split after the change.
    pub time_split: Option<TimeSplit>,
    /// Why nothing was changed.
    pub refusal: Option<Refusal>,
}

/// Converts the result of a command on a meeting.
///
/// # Errors
/// If the error is not a refusal.
pub fn meeting_payload(ctx: &Context<'_>, result: Result<meeting::Model, CommandError>) -> ApiResult<MeetingPayload> {
    payload(ctx, result, |row, refusal| MeetingPayload { meeting: row.map(|row| Meeting(Arc::new(row))), refusal })
}

/// Mutations of a meeting's life.
#[derive(Default)]
pub struct MeetingMutation;

/// Mutations of a meeting's life.
#[Object]
impl MeetingMutation {
    /// Plans a meeting. For akimat staff of the host or above it.
    #[graphql(tag = "internal")]
    async fn plan_meeting(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The plan.")] input: PlanMeetingInput,
    ) -> ApiResult<MeetingPayload> {
        let (plan, key) = input.parse();
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        meeting_payload(ctx, run_with_retry(|| app.plan_meeting(viewer, plan.clone(), key)).await)
    }

    /// Announces a meeting (p. 3.4). For akimat staff. Late announcements are accepted and visible in
    /// `announcedInTime`.
    #[graphql(tag = "internal")]
    async fn announce_meeting(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The announcement.")] input: AnnounceMeetingInput,
    ) -> ApiResult<MeetingPayload> {
        let (app, viewer, command) = (ctx.app(), ctx.viewer(), input.parse()?);
        meeting_payload(ctx, run_with_retry(|| app.announce_meeting(viewer, command.clone())).await)
    }

    /// Reschedules a meeting that has not started. For akimat staff.
    #[graphql(tag = "internal")]
    async fn reschedule_meeting(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The move.")] input: RescheduleMeetingInput,
    ) -> ApiResult<MeetingPayload> {
        let (app, viewer, command) = (ctx.app(), ctx.viewer(), input.parse()?);
        meeting_payload(ctx, run_with_retry(|| app.reschedule_meeting(viewer, command.clone())).await)
    }

    /// Cancels a meeting that has not started. For akimat staff.
    #[graphql(tag = "internal")]
    async fn cancel_meeting(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The cancellation.")] input: CancelMeetingInput,
    ) -> ApiResult<MeetingPayload> {
        let (app, viewer, command) = (ctx.app(), ctx.viewer(), input.parse()?);
        meeting_payload(ctx, run_with_retry(|| app.cancel_meeting(viewer, command.clone())).await)
    }

    /// Adds an online broadcast (p. 3.2) to a meeting that has not ended. For akimat staff.
    #[graphql(tag = "internal")]
    async fn add_broadcast(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The broadcast.")] input: AddBroadcastInput,
    ) -> ApiResult<MeetingPayload> {
        let (add, key) = input.parse()?;
        let (app, viewer, key) = (ctx.app(), ctx.viewer(), key.as_deref());
        meeting_payload(ctx, run_with_retry(|| app.add_broadcast(viewer, add.clone(), key)).await)
    }

    /// Starts an announced meeting. For akimat staff and moderators.
    #[graphql(tag = "internal")]
    async fn start_meeting(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The meeting and its first stage.")] input: StartMeetingInput,
    ) -> ApiResult<MeetingPayload> {
        let id = parse_id::<Meeting>(&input.meeting_id, "input.meetingId")?;
        let (app, viewer, stage) = (ctx.app(), ctx.viewer(), input.stage.unwrap_or(Stage::Presentation).into());
        meeting_payload(ctx, run_with_retry(|| app.start_meeting(viewer, id, stage)).await)
    }

    /// Switches a live meeting to a stage (p. 3.3). For akimat staff and moderators. Setting the current
    /// stage changes nothing.
    #[graphql(tag = "internal")]
    async fn set_stage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The meeting and the stage.")] input: SetStageInput,
    ) -> ApiResult<TimeSplitPayload> {
        let id = parse_id::<Meeting>(&input.meeting_id, "input.meetingId")?;
        let (app, viewer, stage) = (ctx.app(), ctx.viewer(), input.stage.into());
        let result = run_with_retry(|| app.set_stage(viewer, id, stage)).await;
        let (row, refusal) = outcome(result, ctx.language())?;
        let split = row.map(|(row, segments)| TimeSplit::now(ctx.app(), Arc::new(row), Arc::new(segments)));
        Ok(TimeSplitPayload { time_split: split, refusal })
    }

    /// Ends a live meeting. For akimat staff and moderators.
    #[graphql(tag = "internal")]
    async fn end_meeting(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The meeting.")] input: EndMeetingInput,
    ) -> ApiResult<MeetingPayload> {
        let id = parse_id::<Meeting>(&input.meeting_id, "input.meetingId")?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        meeting_payload(ctx, run_with_retry(|| app.end_meeting(viewer, id)).await)
    }

    /// Changes the moderation settings of a meeting. For moderators.
    #[graphql(tag = "internal")]
    async fn set_moderation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The settings.")] input: SetModerationInput,
    ) -> ApiResult<MeetingPayload> {
        let (app, viewer, command) = (ctx.app(), ctx.viewer(), input.parse()?);
        meeting_payload(ctx, run_with_retry(|| app.set_moderation(viewer, command.clone())).await)
    }
}
