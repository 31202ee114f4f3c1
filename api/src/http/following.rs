//! One run of an operation over a door that stays open. Says how it ended, however it did.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    clock::Clock,
    graphql::engine::Caller,
    http::{Door, graphql::loggable},
};

/// What is logged of an operation once it has ended.
pub(in crate::http) struct Following {
    pub(in crate::http) name: Option<String>,
    viewer: &'static str,
    began: DateTime<Utc>,
    clock: Arc<dyn Clock>,
    pub(in crate::http) events: u64,
    pub(in crate::http) reason: &'static str,
}

impl Following {
    pub(in crate::http) fn begin(door: &Door, operation: Option<&str>, caller: &Caller) -> Self {
        Self {
            name: loggable(operation),
            viewer: if caller.viewer.person().is_some() { "person" } else { "anonymous" },
            began: door.clock.now(),
            clock: Arc::clone(&door.clock),
            events: 0,
            reason: "stopped",
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let ms = (self.clock.now() - self.began).num_milliseconds();
        let Self { name, viewer, events, reason, .. } = self;
        tracing::info!(name, viewer, events, ms, reason, "graphql.subscription");
    }
}
