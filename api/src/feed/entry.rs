//! The entries of a feed: events with their subjects.

use std::{any::Any, sync::Arc};

use chrono::{DateTime, Utc};

use crate::domain::feed::Event;

/// A value whose type only the topic knows.
pub(in crate::feed) type Opaque = Arc<dyn Any + Send + Sync>;

/// An event with its subject.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The event.
    pub event: Arc<Event>,
    /// Its subject as last read; `None` if it no longer exists.
    pub(in crate::feed) subject: Option<Opaque>,
    /// The version of the rendering: followers with the same version share it.
    pub version: RenderVersion,
}

impl Entry {
    /// Creates an entry of an event whose subject no longer exists.
    #[cfg(test)]
    pub(crate) fn without_subject(event: Event) -> Self {
        Self { event: Arc::new(event), subject: None, version: RenderVersion::default() }
    }

    /// Returns when the event happened.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.event.at
    }

    /// Borrows the subject, like [`Self::subject`].
    pub(in crate::feed) fn subject_ref<S: 'static>(&self) -> Option<&S> {
        self.subject.as_ref()?.downcast_ref()
    }

    /// Returns the subject as the topic loaded it, or `None` if it no longer exists.
    #[must_use]
    pub fn subject<S: Send + Sync + 'static>(&self) -> Option<Arc<S>> {
        Arc::clone(self.subject.as_ref()?).downcast().ok()
    }
}

/// The state of a feed at which an event is rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RenderVersion {
    /// The number of the tail. Another tail may show another epoch at the same positions.
    pub tail: u64,
    /// Position up to which the feed was read when the subject was loaded.
    pub read_at: i64,
    /// Number of removals since the tail started.
    pub removals: u64,
}
