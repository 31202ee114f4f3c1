//! The fields of a meeting and a broadcast, and lists of meetings.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Datelike as _, Utc};
use entities::ids::MeetingId;

use crate::{
    app::{
        parse_code,
        reads::{IssueFilter, MeetingCursor, MeetingFilter},
    },
    connection,
    domain::{
        announcement,
        policy::{self, HostAction},
    },
    graphql::{
        context::ContextExt,
        entity::Entity as _,
        enums::{MeetingOrigin, MeetingPhase, ModerationMode, OutreachChannel, Platform},
        error::{ApiError, ApiResult},
        feed_heads::FeedHeads,
        issues::{IssueConnection, list_issues},
        loaders::{BlockedWordsOf, BroadcastsOf, MutedAt, SegmentsOf},
        localized::LocalizedText,
        meetings::entity::{Broadcast, Meeting},
        meter::meeting_bytes,
        page::{Cursor, Page, PageArgs, STATEMENT_COST, connection_cost},
        publications::{Publication, PublicationsOf},
        questions::{CommentConnection, CommentFilterInput, list_comments},
        receptions::{Reception, receptions_of},
        regions::Region,
        time_split::TimeSplit,
    },
};

connection!(
    MeetingConnection,
    MeetingEdge,
    Meeting,
    MeetingCounter,
    "meetings",
    "STATEMENT_COST",
    "Number of items in the whole list, or 10,000 if there are more. Counted only if selected."
);

/// Counts the meetings of a list.
pub struct MeetingCounter(MeetingFilter);

impl MeetingCounter {
    /// Returns the count.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn count(&self, ctx: &Context<'_>) -> ApiResult<i32> {
        ctx.meter().statement()?;
        let count = ctx.reads().count_meetings(&self.0).await?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

impl Cursor for MeetingCursor {
    fn write(&self) -> String {
        format!("{}.{}", self.0.timestamp_millis(), self.1.0.simple())
    }

    fn read(text: &str) -> Option<Self> {
        let (start, id) = text.split_once('.')?;
        let start = DateTime::from_timestamp_millis(start.parse().ok()?)?;
        // Reject earlier years, which some databases do not support.
        Some((start, MeetingId(id.parse().ok()?))).filter(|_| start.year() > 0)
    }
}

/// Returns a page of the meetings that a filter selects.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid.
pub async fn list_meetings(ctx: &Context<'_>, filter: MeetingFilter, page: PageArgs) -> ApiResult<MeetingConnection> {
    let request = page.request()?;
    ctx.meter().statement()?;
    let slice = ctx.reads().meetings(&filter, &request).await?;
    ctx.meter().rows(slice.rows.iter().map(meeting_bytes).sum())?;
    let page = Page::new(slice, |row| (row.planned_start, row.id), |row| Meeting(Arc::new(row)));
    Ok(MeetingConnection::new(page, MeetingCounter(filter)))
}

/// An online broadcast of a meeting (p. 3.2).
#[Object]
impl Broadcast {
    /// Global id, opaque.
    pub async fn id(&self) -> ID {
        Self::global_id(self.0.id)
    }

    /// The platform.
    async fn platform(&self) -> Platform {
        self.0.platform.into()
    }

    /// URL of the broadcast.
    async fn url(&self, ctx: &Context<'_>) -> ApiResult<&str> {
        ctx.text(self.0.url.as_str())
    }

    /// Id on the platform.
    async fn external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// Whether comments are enabled on the platform.
    async fn comments_enabled(&self) -> bool {
        self.0.comments_enabled
    }

    /// When it went on air.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it went off air.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.0.ended_at
    }
}

/// Moderation settings of a meeting.
#[derive(SimpleObject)]
pub struct ModerationSettings {
    /// When comments become public.
    pub mode: ModerationMode,
    /// Minimum seconds between two comments of one author; 0 for no limit.
    pub slow_mode_seconds: i32,
    /// Whether the meeting accepts comments.
    pub accepting_comments: bool,
    /// Words that block a comment; null unless the viewer is staff of the meeting.
    #[graphql(tag = "internal")]
    pub blocked_words: Option<Vec<String>>,
}

impl Meeting {
    /// Returns a unit as of the date of the meeting.
    fn unit(&self, ctx: &Context<'_>, code: &str) -> ApiResult<Region> {
        let date = announcement::date(self.0.planned_start);
        let unit = ctx.app().region_history.load().unit_on(parse_code(code)?, date);
        unit.and_then(|(tree, node)| Region::at(tree, node)).ok_or(ApiError::NotFound)
    }

    fn permits<A: HostAction>(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        Ok(A::permits(ctx.viewer(), &ctx.app().host_scope_of(&self.0)?))
    }
}

/// A meeting of an akim with the population.
#[Object]
impl Meeting {
    /// Global id, opaque.
    pub async fn id(&self) -> ID {
        Self::global_id(self.0.id)
    }

    /// The unit where the meeting is held and for whose coverage it counts, as of its date.
    async fn region(&self, ctx: &Context<'_>) -> ApiResult<Region> {
        self.unit(ctx, &self.0.region_code)
    }

    /// The unit whose akim holds the meeting, as of its date.
    async fn host(&self, ctx: &Context<'_>) -> ApiResult<Region> {
        self.unit(ctx, &self.0.host_code)
    }

    /// Title.
    async fn title(&self, ctx: &Context<'_>) -> ApiResult<LocalizedText> {
        LocalizedText { kk: self.0.title_kk.clone(), ru: self.0.title_ru.clone(), en: self.0.title_en.clone() }
            .metered(ctx)
    }

    /// From the calendar or outside it.
    async fn origin(&self) -> MeetingOrigin {
        self.0.origin.into()
    }

    /// Why it is held outside the calendar (p. 3.1).
    async fn off_calendar_reason(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        self.0.off_calendar_reason.as_deref().map(|reason| ctx.text(reason)).transpose()
    }

    /// Venue.
    async fn venue(&self, ctx: &Context<'_>) -> ApiResult<Option<LocalizedText>> {
        let venue = LocalizedText::of(self.0.venue_kk.as_ref(), self.0.venue_ru.as_ref(), self.0.venue_en.as_ref());
        venue.map(|venue| venue.metered(ctx)).transpose()
    }

    /// Planned start.
    async fn planned_start(&self) -> DateTime<Utc> {
        self.0.planned_start
    }

    /// Planned duration in minutes.
    async fn planned_minutes(&self) -> i32 {
        self.0.planned_minutes
    }

    /// The phase.
    async fn phase(&self) -> MeetingPhase {
        self.0.phase.into()
    }

    /// When it was first announced.
    async fn announced_at(&self) -> Option<DateTime<Utc>> {
        self.0.announced_at
    }

    /// Whether the current date was announced 14 or 7 days in advance, by the kind of host (p. 3.4); null
    /// before the announcement. Rescheduling announces the new date.
    async fn announced_in_time(&self, ctx: &Context<'_>) -> Option<bool> {
        ctx.app().announced_in_time(&self.0)
    }

    /// Channels of the announcement (p. 3.4).
    async fn outreach_channels(&self) -> Vec<OutreachChannel> {
        let channels: Vec<String> = serde_json::from_str(&self.0.channels).unwrap_or_default();
        // Omit channels of a later version.
        let known = channels.iter().filter_map(|name| name.parse::<entities::enums::OutreachChannel>().ok());
        known.map(Into::into).collect()
    }

    /// When it started.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it ended.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.0.ended_at
    }

    /// Why it was cancelled.
    async fn cancel_reason(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        self.0.cancel_reason.as_deref().map(|reason| ctx.text(reason)).transpose()
    }

    /// Why it was last rescheduled.
    async fn reschedule_reason(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        self.0.reschedule_reason.as_deref().map(|reason| ctx.text(reason)).transpose()
    }

    /// Its online broadcasts (p. 3.2), in the order they were added.
    #[graphql(complexity = "5 * child_complexity + 1")]
    async fn broadcasts(&self, ctx: &Context<'_>) -> ApiResult<Vec<Broadcast>> {
        let rows = ctx.load(BroadcastsOf(self.0.id)).await?;
        Ok(rows.unwrap_or_default().into_iter().map(Broadcast).collect())
    }

    /// The current time split between presentation and questions (p. 3.3).
    async fn time_split(&self, ctx: &Context<'_>) -> ApiResult<TimeSplit> {
        let segments = ctx.load(SegmentsOf(self.0.id)).await?.unwrap_or_default();
        Ok(TimeSplit::now(ctx.app(), Arc::clone(&self.0), segments))
    }

    /// Moderation settings of the comments.
    async fn moderation(&self, ctx: &Context<'_>) -> ApiResult<ModerationSettings> {
        let is_selected = ctx.look_ahead().field("blockedWords").exists();
        let words = if is_selected && self.permits::<policy::SeeSettings>(ctx)? {
            let stored = match self.0.blocked_words.clone() {
                // The row of a mutation holds them.
                Some(written) => Some(written),
                None => ctx.load(BlockedWordsOf(self.0.id)).await?,
            };
            let stored = ctx.text(stored.unwrap_or_default())?;
            Some(serde_json::from_str(&stored).unwrap_or_default())
        } else {
            None
        };
        Ok(ModerationSettings {
            mode: self.0.moderation.into(),
            slow_mode_seconds: self.0.slow_mode_seconds,
            accepting_comments: self.0.accepting_comments,
            blocked_words: words,
        })
    }

    /// Comments that the viewer may see: public ones and the viewer's own, or all for staff of the meeting.
    #[graphql(
        complexity = "connection_cost(first, last, child_complexity).saturating_add(CommentFilterInput::cost(&filter))"
    )]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Filter and order.")] filter: Option<CommentFilterInput>,
        #[graphql(desc = "Number of items from the start, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> ApiResult<CommentConnection> {
        let filter = filter.unwrap_or_default().parse()?;
        FeedHeads::before_list(ctx, self.0.id).await?;
        list_comments(ctx, &self.0, filter, PageArgs { first, after, last, before }).await
    }

    /// Position of the newest event in the comment feed. Read it with the comments or before them, then
    /// subscribe after it. Within one operation, it is read before the comments.
    async fn comments_head(&self, ctx: &Context<'_>) -> ApiResult<i64> {
        FeedHeads::of(ctx, self.0.id).await
    }

    /// The personal receptions after the meeting (p. 3.5), by start. Drafts are for staff only.
    #[graphql(complexity = "5 * child_complexity + 1")]
    async fn receptions(&self, ctx: &Context<'_>) -> ApiResult<Vec<Reception>> {
        receptions_of(ctx, self.0.id).await
    }

    /// The issues that were raised at the meeting or its receptions, newest first.
    #[graphql(complexity = "connection_cost(first, None, child_complexity)")]
    async fn issues(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<IssueConnection> {
        let filter = IssueFilter { meeting: Some(self.0.id), ..IssueFilter::default() };
        list_issues(ctx, filter, PageArgs::forward(first, after)).await
    }

    /// What was published about the meeting, every edition, newest first (p. 3.5).
    #[graphql(complexity = "5 * child_complexity + STATEMENT_COST")]
    async fn publications(&self, ctx: &Context<'_>) -> ApiResult<Vec<Publication>> {
        let rows = ctx.load(PublicationsOf(self.0.id)).await?;
        Ok(rows.unwrap_or_default().into_iter().map(Publication).collect())
    }

    /// Address of its protocol, which prints well: questions, answers and the time split. Null for the public before its end. Staff
    /// of the meeting get an address that opens for 15 minutes at any moment, and shows what was rejected too.
    async fn protocol_url(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        Ok(ctx.app().protocol_url(ctx.viewer(), &self.0)?)
    }

    /// Version of the object, raised by every change. Send it with a change to detect conflicts.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Whether the viewer could post a comment now.
    async fn viewer_can_post(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        let (app, viewer) = (ctx.app(), ctx.viewer());
        // Check the cheap conditions first, and the mute only if they hold.
        Ok(app.can_post(viewer, &self.0, None) && app.can_post(viewer, &self.0, ctx.load(MutedAt(self.0.id)).await?))
    }

    /// Whether the viewer may moderate its comments.
    #[graphql(tag = "internal")]
    async fn viewer_can_moderate(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        self.permits::<policy::ModerateComments>(ctx)
    }

    /// Whether the viewer may plan, announce, move and cancel it.
    #[graphql(tag = "internal")]
    async fn viewer_can_manage(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        self.permits::<policy::PlanMeeting>(ctx)
    }
}
