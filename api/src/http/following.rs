//! One run of an operation over a door that stays open. Says how it ended, however it did.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use crate::{
    clock::Clock,
    domain::viewer::Viewer,
    http::{Door, lines},
};

/// Why an operation is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) enum Reason {
    /// It had nothing more to say.
    Complete,
    /// The client has hung up, or wants no more of it.
    #[default]
    Client,
    /// The client's token has ended or was withdrawn.
    Token,
    /// The service stops.
    Draining,
    /// The client took nothing for too long.
    SlowReader,
    /// What comes next is no longer kept.
    Behind,
    /// It could not be begun.
    Error,
}

impl Reason {
    const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Client => "client",
            Self::Token => "token",
            Self::Draining => "draining",
            Self::SlowReader => "slow_reader",
            Self::Behind => "behind",
            Self::Error => "error",
        }
    }
}

/// Why everything that runs over a connection ends when the connection does. The client hung up, unless something else was
/// decided first.
#[derive(Clone, Default)]
pub(in crate::http) struct Fate(Arc<Mutex<Reason>>);

impl Fate {
    pub(in crate::http) fn decide(&self, reason: Reason) {
        let mut decided = self.0.lock();
        if *decided == Reason::Client {
            *decided = reason;
        }
    }
}

/// What is logged of an operation once it has ended.
pub(in crate::http) struct Following {
    name: Option<String>,
    door: &'static str,
    viewer: &'static str,
    code: Option<String>,
    began: DateTime<Utc>,
    clock: Arc<dyn Clock>,
    fate: Fate,
    pub(in crate::http) events: u64,
    ended: Option<Reason>,
}

impl Following {
    pub(in crate::http) fn begin(
        door: &Door,
        through: &'static str,
        name: Option<String>,
        viewer: &Viewer,
        fate: Fate,
    ) -> Self {
        Self {
            name,
            door: through,
            viewer: lines::kind(viewer),
            code: None,
            began: door.clock.now(),
            clock: Arc::clone(&door.clock),
            fate,
            events: 0,
            ended: None,
        }
    }

    /// It has ended, not its connection.
    pub(in crate::http) fn end(&mut self, reason: Reason) {
        self.ended.get_or_insert(reason);
    }

    /// It could not be begun.
    pub(in crate::http) fn refuse(&mut self, code: String) {
        self.code = Some(code);
        self.ended = Some(Reason::Error);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let ms = (self.clock.now() - self.began).num_milliseconds();
        let reason = self.ended.unwrap_or_else(|| *self.fate.0.lock()).name();
        let Self { name, door, viewer, events, .. } = self;
        let code = self.code.as_deref().unwrap_or("OK");
        tracing::info!(door, name, viewer, code, events, ms, reason, "graphql.subscription");
    }
}
