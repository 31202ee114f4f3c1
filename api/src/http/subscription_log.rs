//! The log record of a subscription, written when it ends for whatever reason.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::{
    clock::Clock,
    domain::viewer::Viewer,
    http::{HttpState, access_log},
};

/// Why a subscription ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) enum EndReason {
    /// The stream is complete.
    Complete,
    /// The client disconnected or unsubscribed.
    #[default]
    ClientClosed,
    /// The client's token expired or was revoked.
    TokenEnded,
    /// The service is draining.
    Draining,
    /// The client accepted no bytes for too long.
    SlowReader,
    /// The follower fell behind and the next events are no longer stored.
    EventsExpired,
    /// The subscription was rejected.
    Rejected,
}

impl EndReason {
    const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientClosed => "client",
            Self::TokenEnded => "token",
            Self::Draining => "draining",
            Self::SlowReader => "slow_reader",
            Self::EventsExpired => "behind",
            Self::Rejected => "error",
        }
    }
}

/// The end reason of all subscriptions still running when their connection ends. [`EndReason::ClientClosed`]
/// unless set; the first reason wins.
#[derive(Clone, Default)]
pub(in crate::http) struct ConnectionEnd(Arc<Mutex<EndReason>>);

impl ConnectionEnd {
    pub(in crate::http) fn set(&self, reason: EndReason) {
        let mut current = self.0.lock();
        if *current == EndReason::ClientClosed {
            *current = reason;
        }
    }
}

/// Collects what is logged about a subscription. Dropping it writes the record.
pub(in crate::http) struct SubscriptionLog {
    name: Option<String>,
    transport: &'static str,
    viewer: &'static str,
    code: Option<String>,
    started: DateTime<Utc>,
    clock: Arc<dyn Clock>,
    connection_end: ConnectionEnd,
    events: Arc<AtomicU64>,
    end_reason: Option<EndReason>,
}

impl SubscriptionLog {
    pub(in crate::http) fn start(
        state: &HttpState,
        transport: &'static str,
        name: Option<String>,
        viewer: &Viewer,
        connection_end: ConnectionEnd,
    ) -> Self {
        Self {
            name,
            transport,
            viewer: access_log::viewer_kind(viewer),
            code: None,
            started: state.clock.now(),
            clock: Arc::clone(&state.clock),
            connection_end,
            events: Arc::default(),
            end_reason: None,
        }
    }

    /// Returns the counter of sent events.
    pub(in crate::http) const fn events(&self) -> &Arc<AtomicU64> {
        &self.events
    }

    /// Counts a sent event.
    pub(in crate::http) fn count_event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// Sets the end reason of this subscription, while its connection stays open.
    pub(in crate::http) fn end(&mut self, reason: EndReason) {
        self.end_reason.get_or_insert(reason);
    }

    /// Records that the subscription was rejected.
    pub(in crate::http) fn reject(&mut self, code: String) {
        self.code = Some(code);
        self.end_reason = Some(EndReason::Rejected);
    }
}

impl Drop for SubscriptionLog {
    fn drop(&mut self) {
        let ms = (self.clock.now() - self.started).num_milliseconds();
        let reason = self.end_reason.unwrap_or_else(|| *self.connection_end.0.lock()).name();
        let Self { name, transport, viewer, events, .. } = self;
        let events = events.load(Ordering::Relaxed);
        let code = self.code.as_deref().unwrap_or("OK");
        tracing::info!(door = transport, name, viewer, code, events, ms, reason, "graphql.subscription");
    }
}
