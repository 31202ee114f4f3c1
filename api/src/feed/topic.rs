//! The trait that a feature implements to have a feed.
//!
//! Tails, resuming, heartbeats, retention and the render cache know topics only by this trait.

use std::{collections::HashMap, fmt, future::Future, pin::Pin, sync::Arc};

use uuid::Uuid;

use crate::{
    domain::{
        feed::{Event, EventFilter, EventKind, FeedName, FeedScope, FilterValues, Retention},
        policy::Denied,
        viewer::Viewer,
    },
    feed::entry::{Entry, Opaque},
    store::StoreError,
};

/// A kind of feed.
pub trait Topic: Send + Sync + Sized + 'static {
    /// The first part of the names of its feeds.
    const NAME: &'static str;
    /// The kinds of its events. Any other kind is read as [`EventKind::UNKNOWN`].
    const KINDS: &'static [EventKind];
    /// The kinds that make a subject private. Earlier renderings are not shown after such an event.
    const REMOVALS: &'static [EventKind] = &[];
    /// How long its events are kept.
    const RETENTION: Retention = Retention { events: None, age: None };
    /// Selects one of its feeds; `()` if there is only one.
    type Scope: FeedScope;
    /// The owner of a feed. Loaded once per tail, so it holds only what never changes.
    type Parent: Send + Sync + 'static;
    /// The subject of its events.
    type Subject: fmt::Debug + Send + Sync + 'static;
    /// The subscriber's filter.
    type Filter: Send;

    /// Loads the owner of a feed, or `None` if the feed does not exist.
    fn parent(&self, scope: Self::Scope) -> impl Future<Output = Result<Option<Self::Parent>, StoreError>> + Send;

    /// Loads the subjects of a page of events in one query. Omits those that no longer exist.
    fn subjects(&self, ids: Vec<Uuid>) -> impl Future<Output = Result<Vec<Self::Subject>, StoreError>> + Send;

    /// Returns the id by which events name a subject.
    fn subject_id(subject: &Self::Subject) -> Uuid;

    /// Returns the values by which followers filter the events of a subject. They are recorded with each event, so
    /// they must never change. The agency is that of the event, not of the subject.
    fn filter_values(_subject: &Self::Subject) -> FilterValues {
        FilterValues::default()
    }

    /// Returns the filter on these values; `None` selects every event. A follower is shown no event that it does not
    /// select, and one that catches up does not read them.
    fn event_filter(_filter: &Self::Filter) -> Option<EventFilter> {
        None
    }

    /// Returns the function that decides what a viewer is shown of the events that the filter selects.
    ///
    /// # Errors
    /// If the viewer may not follow the feed with this filter.
    fn visibility(
        self: Arc<Self>,
        viewer: &Viewer,
        parent: Arc<Self::Parent>,
        filter: Self::Filter,
    ) -> Result<VisibilityOf<Self>, Denied>;
}

/// What one follower is shown of an event. Asked at every event, so that a right that is gone takes effect at the next.
pub type VisibilityOf<T> = Box<dyn Fn(&Event, Option<&<T as Topic>::Subject>) -> Visibility + Send + Sync>;

/// What a follower is shown of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// The event, as this kind. The rendering is shared with other followers.
    Shared(EventKind),
    /// The event, as this kind, rendered for this follower only.
    Personal(EventKind),
    /// Nothing.
    Hidden,
    /// The follower has lost permission to follow the feed.
    Ended,
}

/// Returns the name of a topic's feed.
#[must_use]
pub(in crate::feed) fn feed_name<T: Topic>(scope: &T::Scope) -> FeedName {
    FeedName::new(T::NAME, scope)
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// Decides what a follower is shown of an entry.
pub type EntryVisibility = Arc<dyn Fn(&Entry) -> Visibility + Send + Sync>;

/// A topic with its types erased.
pub(in crate::feed) trait AnyTopic: Send + Sync {
    fn kinds(&self) -> &'static [EventKind];
    fn removals(&self) -> &'static [EventKind];
    fn retention(&self) -> Retention;
    fn has_valid_scope(&self, feed: &FeedName) -> bool;
    fn parent<'a>(&'a self, feed: &'a FeedName) -> Boxed<'a, Result<Option<Opaque>, StoreError>>;
    fn subjects(&self, ids: Vec<Uuid>) -> Boxed<'_, Result<HashMap<Uuid, Opaque>, StoreError>>;
    fn into_any(self: Arc<Self>) -> Opaque;
}

impl<T: Topic> AnyTopic for T {
    fn kinds(&self) -> &'static [EventKind] {
        T::KINDS
    }

    fn removals(&self) -> &'static [EventKind] {
        T::REMOVALS
    }

    fn retention(&self) -> Retention {
        T::RETENTION
    }

    fn has_valid_scope(&self, feed: &FeedName) -> bool {
        T::Scope::parse(feed.scope()).is_some()
    }

    fn parent<'a>(&'a self, feed: &'a FeedName) -> Boxed<'a, Result<Option<Opaque>, StoreError>> {
        Box::pin(async move {
            let Some(scope) = T::Scope::parse(feed.scope()) else { return Ok(None) };
            let Some(parent) = Topic::parent(self, scope).await? else { return Ok(None) };
            let parent: Opaque = Arc::new(parent);
            Ok(Some(parent))
        })
    }

    fn subjects(&self, ids: Vec<Uuid>) -> Boxed<'_, Result<HashMap<Uuid, Opaque>, StoreError>> {
        Box::pin(async move {
            let mut subjects: HashMap<Uuid, Opaque> = HashMap::new();
            for subject in Topic::subjects(self, ids).await? {
                subjects.insert(T::subject_id(&subject), Arc::new(subject));
            }
            Ok(subjects)
        })
    }

    fn into_any(self: Arc<Self>) -> Opaque {
        self
    }
}

/// The topics of the service.
#[derive(Clone, Default)]
pub struct Topics(Arc<HashMap<&'static str, Arc<dyn AnyTopic>>>);

impl Topics {
    /// Registers a topic.
    #[must_use]
    pub fn with<T: Topic>(mut self, topic: T) -> Self {
        Arc::make_mut(&mut self.0).insert(T::NAME, Arc::new(topic));
        self
    }

    /// Lists the names of the topics and how long their events are kept.
    pub fn retention(&self) -> impl Iterator<Item = (&'static str, Retention)> {
        self.0.iter().map(|(name, topic)| (*name, topic.retention()))
    }

    /// Returns whether the feed belongs to a registered topic. Others belong to a later version.
    #[must_use]
    pub fn contains(&self, feed: &FeedName) -> bool {
        self.of(feed).is_some_and(|topic| topic.has_valid_scope(feed))
    }

    pub(in crate::feed) fn of(&self, feed: &FeedName) -> Option<Arc<dyn AnyTopic>> {
        self.0.get(feed.topic()).cloned()
    }
}

/// Adapts a topic's visibility function to entries of erased types, and hides what the filter does not select. Events
/// from the ring are not filtered yet, nor are those of versions that recorded no values.
pub(in crate::feed) fn by_entry<T: Topic>(visibility: VisibilityOf<T>, filter: Option<EventFilter>) -> EntryVisibility {
    Arc::new(move |entry| {
        let subject = entry.subject_ref::<T::Subject>();
        let is_selected = |filter: EventFilter| {
            let values = |found| FilterValues { agency: entry.event.agency, ..T::filter_values(found) };
            subject.is_some_and(|found| filter.selects(values(found)))
        };
        match visibility(&entry.event, subject) {
            Visibility::Shared(_) | Visibility::Personal(_) if !filter.is_none_or(is_selected) => Visibility::Hidden,
            shown => shown,
        }
    })
}
