//! What a subscription gives before it is rendered: the envelope of every feed, and the moments of a time split.
//!
//! A subscription field does not render. It hands over a stream of moments, each of which says what it is the same as, and
//! [`crate::graphql::groups`] renders each once for all who are shown the same.

use std::sync::Arc;

use async_graphql::{Context, OutputType, SimpleObject};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use futures_util::{StreamExt, stream, stream::BoxStream};
use parking_lot::Mutex;

use crate::{
    app::time_split::SplitState,
    clock::{Clock, Sleep, sleep},
    domain::feed::EventKind,
    feed::{Entry, Follower, RenderVersion, Resume, Topic, Visibility},
    graphql::{context::Scene as _, error::ApiError},
};

/// How often a stream says that it is alive.
const HEARTBEAT: TimeDelta = TimeDelta::seconds(20);

/// What an envelope is.
#[derive(Clone, Debug)]
pub enum Signal {
    /// The beginning of the stream; whether a wished resume was whole.
    Subscribed(Option<bool>),
    /// Nothing happened that is shown. The position is how far the feed was looked through.
    Heartbeat,
    /// Something happened to a subject.
    Event(EventKind, Entry),
    /// Something happened to a subject that is the subscriber's own, and that others may not see so.
    Own(EventKind, Entry),
}

/// One message of a feed.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Position in the feed.
    pub seq: i64,
    /// Position of the message before it, of those this subscriber may see.
    pub prev: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The generation of the feed.
    pub epoch: Arc<str>,
    /// What it is.
    pub signal: Signal,
}

/// What a stream shows next.
#[derive(Clone, Debug)]
pub enum Moment {
    /// A message of a feed.
    Feed(Envelope),
    /// A time split as it stands; whether it is the first of its stream, which nobody else is shown.
    Split(SplitState, bool),
    /// The end of the stream: what comes next is no longer kept, or of another generation. It is not shown.
    Behind,
}

/// Where a stream that was cut goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The generation of the feed.
    pub epoch: Arc<str>,
    /// The position in it.
    pub seq: i64,
}

/// What two moments of one group must have in common to be rendered once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Same {
    /// The beginning of a stream or a heartbeat: at which positions, as what, when, of which generation.
    Mark(i64, i64, Option<Option<bool>>, DateTime<Utc>, Arc<str>),
    /// An event: between which positions, as of which kind, in which state of the feed.
    Event(i64, i64, EventKind, RenderVersion),
    /// A time split after so many changes and ticks.
    Split(u64, u64),
}

impl Moment {
    /// What it is the same as; none: nothing else.
    #[must_use]
    pub fn same(&self) -> Option<Same> {
        match self {
            Self::Feed(Envelope { signal: Signal::Own(..), .. }) => None,
            Self::Feed(Envelope { seq, prev, at, epoch, signal }) => Some(match signal {
                Signal::Subscribed(recovered) => Same::Mark(*seq, *prev, Some(*recovered), *at, Arc::clone(epoch)),
                Signal::Heartbeat => Same::Mark(*seq, *prev, None, *at, Arc::clone(epoch)),
                Signal::Event(kind, entry) | Signal::Own(kind, entry) => Same::Event(*prev, *seq, *kind, entry.version),
            }),
            Self::Split(_, true) | Self::Behind => None,
            Self::Split(state, false) => Some(Same::Split(state.change, state.tick)),
        }
    }

    /// The position after which a stream that was cut here goes on.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Feed(Envelope { seq, epoch, .. }) => Some(Position { epoch: Arc::clone(epoch), seq: *seq }),
            Self::Split(..) | Self::Behind => None,
        }
    }
}

/// Why a subscription is executed.
#[derive(Clone)]
pub enum Turn {
    /// To begin: the field leaves its moments here.
    Begin(Arc<Mutex<Option<BoxStream<'static, Moment>>>>),
    /// To render one moment.
    Render(Moment),
}

/// A position that takes the place of what the field's arguments say.
#[derive(Clone, Debug)]
pub struct ResumeAfter(pub Resume);

/// The moment that is being rendered, if this is what the field is executed for.
pub fn rendered<T: OutputType + Send + 'static>(
    ctx: &Context<'_>,
    show: impl FnOnce(Moment) -> Option<T>,
) -> Option<BoxStream<'static, T>> {
    match ctx.data_opt::<Turn>() {
        Some(Turn::Render(moment)) => Some(stream::iter(show(moment.clone())).boxed()),
        _ => None,
    }
}

/// Hands moments over to whoever renders them. Executed without such a one, the field renders them itself.
pub fn hand_over<T: OutputType + Send + 'static>(
    ctx: &Context<'_>,
    moments: BoxStream<'static, Moment>,
    show: impl Fn(Moment) -> Option<T> + Send + Sync + 'static,
) -> BoxStream<'static, T> {
    match ctx.data_opt::<Turn>() {
        Some(Turn::Begin(place)) => {
            *place.lock() = Some(moments);
            stream::empty().boxed()
        }
        _ => moments.filter_map(move |moment| std::future::ready(show(moment))).boxed(),
    }
}

/// What the events of all feeds have in common.
#[derive(Clone, Debug, SimpleObject)]
pub struct EventFrame {
    /// Position in the feed. It rises from event to event. With HEARTBEAT: the position up to which the feed was looked through; resume
    /// after it.
    pub seq: i64,
    /// Position of the previous event shown to this subscriber.
    pub prev: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// With SUBSCRIBED, when `after` was given: whether everything after it follows. If false, read the list again.
    pub recovered: Option<bool>,
    /// With SUBSCRIBED: the generation of the feed. Give it back beside `after`. After a restore of the database it is another, and
    /// `recovered` is false.
    pub epoch: Option<String>,
}

/// What an event of a feed shows beside its frame.
pub enum EventContent<'a> {
    /// The beginning of the stream.
    Subscribed,
    /// Nothing happened for a while.
    Heartbeat,
    /// An event of a kind.
    Event(EventKind, &'a Entry),
}

/// An event of a feed as the API shows it.
pub trait FeedEvent: OutputType + Send + Sized + 'static {
    /// The topic of the feed.
    type Topic: Topic;

    /// Shows an event.
    fn show(frame: EventFrame, content: EventContent<'_>) -> Self;
}

fn show_moment<E: FeedEvent>(moment: &Moment) -> Option<E> {
    let Moment::Feed(Envelope { seq, prev, at, epoch, signal }) = moment else { return None };
    let frame = EventFrame { seq: *seq, prev: *prev, at: *at, recovered: None, epoch: None };
    Some(match signal {
        Signal::Subscribed(recovered) => {
            let frame = EventFrame { recovered: *recovered, epoch: Some(epoch.as_ref().to_owned()), ..frame };
            E::show(frame, EventContent::Subscribed)
        }
        Signal::Heartbeat => E::show(frame, EventContent::Heartbeat),
        Signal::Event(kind, entry) | Signal::Own(kind, entry) => E::show(frame, EventContent::Event(*kind, entry)),
    })
}

/// Where a subscriber resumes.
pub struct ResumeArguments {
    /// The `after` argument.
    pub after: Option<i64>,
    /// The `epoch` argument.
    pub epoch: Option<String>,
}

/// Subscribes to a feed, or renders one of its events if the field is executed for that. `of` reads the arguments: which feed, and what
/// of it.
pub async fn subscribe<E: FeedEvent>(
    ctx: &Context<'_>,
    resume: ResumeArguments,
    of: impl FnOnce() -> Result<(<E::Topic as Topic>::Scope, <E::Topic as Topic>::Filter), ApiError> + Send,
) -> Result<BoxStream<'static, E>, ApiError> {
    let show = |moment: Moment| show_moment::<E>(&moment);
    if let Some(rendered) = rendered(ctx, show) {
        return Ok(rendered);
    }
    let (scope, filter) = of()?;
    let resume = ctx.resume(resume.after, resume.epoch);
    let follower = ctx.rooms().hub.follow::<E::Topic>(ctx.viewer(), &scope, filter, resume).await?;
    let clock = Arc::clone(&ctx.app().clock);
    Ok(hand_over(ctx, envelopes(follower, clock), show))
}

struct State {
    follower: Follower,
    clock: Arc<dyn Clock>,
    last: i64,
    heartbeat: Option<Sleep>,
}

/// Turns a follower into envelopes.
fn envelopes(follower: Follower, clock: Arc<dyn Clock>) -> BoxStream<'static, Moment> {
    let last = follower.start();
    let state = State { follower, clock, last, heartbeat: None };
    stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        let moment = state.next().await?;
        let goes_on = !matches!(moment, Moment::Behind);
        Some((moment, goes_on.then_some(state)))
    })
    .boxed()
}

impl State {
    async fn next(&mut self) -> Option<Moment> {
        let Some(heartbeat) = &mut self.heartbeat else {
            self.heartbeat = Some(sleep(self.clock.as_ref(), HEARTBEAT));
            return Some(self.mark(Signal::Subscribed(self.follower.recovered())));
        };
        loop {
            let entry = tokio::select! {
                biased;
                entry = self.follower.next() => match entry {
                    Some(entry) => entry,
                    None => return Some(Moment::Behind),
                },
                () = &mut *heartbeat => {
                    *heartbeat = sleep(self.clock.as_ref(), HEARTBEAT);
                    return Some(self.mark(Signal::Heartbeat));
                }
            };
            let (prev, seq, at) = (self.last, entry.event.seq, entry.at());
            let signal = match self.follower.visibility(&entry) {
                Visibility::Shared(kind) => Signal::Event(kind, entry),
                Visibility::Personal(kind) => Signal::Own(kind, entry),
                Visibility::Hidden => continue,
                Visibility::Ended => return None,
            };
            self.last = seq;
            return Some(Moment::Feed(Envelope { seq, prev, at, epoch: Arc::clone(self.follower.epoch()), signal }));
        }
    }

    /// A message of no event. Its moment is a whole second, so that all who are told the same are told it at once.
    fn mark(&self, signal: Signal) -> Moment {
        let at = self.clock.now().trunc_subsecs(0);
        let (seq, epoch) = (self.follower.position(), Arc::clone(self.follower.epoch()));
        Moment::Feed(Envelope { seq, prev: self.last, at, epoch, signal })
    }
}
