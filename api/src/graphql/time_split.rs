//! The split of a meeting's time between presentation and questions (p. 3.3).

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject, Subscription};
use chrono::{DateTime, Utc};
use entities::{meeting, stage_segment};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};

use crate::{
    app::{
        App,
        time_split::{SplitFollower, SplitState},
    },
    domain::time_split::SplitTotals,
    graphql::{
        context::ContextExt,
        entity::parse_id,
        enums::Stage,
        error::ApiError,
        meetings::Meeting,
        stream_item::StreamItem,
        subscription_stream::{ItemSource, publish_stream, render_requested},
    },
};

/// The presentation's time compared with its budget.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "crate::domain::time_split::SplitStatus")]
pub enum SplitStatus {
    /// Below 80 % of the budget.
    Within,
    /// 80 % of the budget or more, but not over it.
    Warning,
    /// Over the budget.
    Exceeded,
}

/// An uninterrupted segment of one stage.
#[derive(SimpleObject, Clone)]
pub struct StageSegment {
    /// The stage.
    pub stage: Stage,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended; null while it is running.
    pub ended_at: Option<DateTime<Utc>>,
}

/// How the time of a meeting is split between presentation and questions, at one moment of server time.
pub struct TimeSplit {
    meeting: Arc<meeting::Model>,
    segments: Arc<Vec<stage_segment::Model>>,
    as_of: DateTime<Utc>,
    totals: SplitTotals,
}

impl TimeSplit {
    /// Computes the split at the current time.
    #[must_use]
    pub fn now(app: &App, meeting: Arc<meeting::Model>, segments: Arc<Vec<stage_segment::Model>>) -> Self {
        let as_of = app.clock.now();
        let totals = app.split_totals(&meeting, &segments, as_of);
        Self { meeting, segments, as_of, totals }
    }
}

/// Clamps milliseconds to the 32 bits of an `Int`: a meeting left live stops at 24.8 days instead of being
/// unreadable.
fn clamp_ms(span: i64) -> i32 {
    i32::try_from(span).unwrap_or(if span < 0 { i32::MIN } else { i32::MAX })
}

/// The time split of a meeting between presentation and questions (p. 3.3) at one point in time.
#[Object]
impl TimeSplit {
    /// The meeting.
    async fn meeting(&self) -> Meeting {
        Meeting(Arc::clone(&self.meeting))
    }

    /// The server time of these totals.
    async fn as_of(&self) -> DateTime<Utc> {
        self.as_of
    }

    /// The current stage; null if none is running.
    async fn stage(&self) -> Option<Stage> {
        self.totals.stage.map(Into::into)
    }

    /// When the current stage started.
    async fn stage_started_at(&self) -> Option<DateTime<Utc>> {
        self.totals.stage_started_at
    }

    /// The planned time in milliseconds.
    async fn planned_ms(&self) -> i32 {
        clamp_ms(self.totals.planned_ms)
    }

    /// The presentation's share of the planned time in milliseconds, by the norms in force on the meeting's date.
    async fn budget_ms(&self) -> i32 {
        clamp_ms(self.totals.budget_ms)
    }

    /// Time spent on the presentation, in milliseconds.
    async fn presentation_ms(&self) -> i32 {
        clamp_ms(self.totals.presentation_ms)
    }

    /// Time spent on questions and answers, in milliseconds.
    async fn questions_ms(&self) -> i32 {
        clamp_ms(self.totals.questions_ms)
    }

    /// Time spent on breaks, in milliseconds.
    async fn break_ms(&self) -> i32 {
        clamp_ms(self.totals.break_ms)
    }

    /// Milliseconds left of the budget; negative once it is exceeded.
    async fn budget_left_ms(&self) -> i32 {
        clamp_ms(self.totals.budget_left_ms())
    }

    /// The share of the planned time that the presentation has taken: 0.25 is one quarter.
    async fn presentation_share(&self) -> f64 {
        self.totals.presentation_share()
    }

    /// The presentation's time compared with its budget.
    async fn status(&self) -> SplitStatus {
        self.totals.status().into()
    }

    /// When the presentation exceeded its budget.
    async fn exceeded_at(&self) -> Option<DateTime<Utc>> {
        self.totals.exceeded_at
    }

    /// The segments in order. They never overlap.
    async fn segments(&self) -> Vec<StageSegment> {
        let segment = |row: &stage_segment::Model| StageSegment {
            stage: row.stage.into(),
            started_at: row.started_at,
            ended_at: row.ended_at,
        };
        self.segments.iter().map(segment).collect()
    }
}

/// Following a meeting's time split.
#[derive(Default)]
pub struct TimeSplitSubscription;

/// Following a meeting's time split.
#[Subscription]
impl TimeSplitSubscription {
    /// Follows the time split of a meeting: sends the current state, each change, and periodic updates while
    /// a stage runs.
    async fn time_split(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The meeting.")] meeting_id: ID,
        #[graphql(desc = "Seconds between updates while a stage runs, 1 to 60.", default_with = "Some(1)")]
        every_seconds: Option<i32>,
    ) -> Result<BoxStream<'static, TimeSplit>, ApiError> {
        let app = Arc::clone(ctx.app());
        let convert = move |item| match item {
            StreamItem::Split(state, _) => Some(TimeSplit::now(&app, state.meeting, state.segments)),
            StreamItem::Feed(_) | StreamItem::EventsExpired => None,
        };
        if let Some(rendered) = render_requested(ctx, &convert) {
            return Ok(rendered);
        }
        let id = parse_id::<Meeting>(&meeting_id, "meetingId")?;
        let period = u64::try_from(every_seconds.unwrap_or(1)).ok().filter(|period| (1..=60).contains(period));
        let period = period.ok_or_else(|| ApiError::bad("everySeconds"))?;
        let follower = ctx.schema_data().splits.follow(id).await?;
        let state = SplitStream { follower, period, last_shown: None };
        let items = stream::unfold(state, |mut state| async move {
            let first = state.last_shown.is_none();
            let split = state.next().await?;
            Some((StreamItem::Split(split, first), state))
        });
        Ok(publish_stream(ctx, ItemSource::Stream(items.boxed()), convert))
    }
}

struct SplitStream {
    follower: SplitFollower,
    period: u64,
    /// The change and tick that were sent last.
    last_shown: Option<(u64, u64)>,
}

impl SplitStream {
    async fn next(&mut self) -> Option<SplitState> {
        let mut state = match self.last_shown {
            None => self.follower.now(),
            Some(_) => self.follower.next().await?,
        };
        loop {
            let is_due =
                self.last_shown.is_none_or(|(change, tick)| state.change != change || state.tick >= tick + self.period);
            if is_due {
                self.last_shown = Some((state.change, state.tick));
                return Some(state);
            }
            state = self.follower.next().await?;
        }
    }
}
