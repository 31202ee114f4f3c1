//! What the unit tests share: a clock that stands still, and a register in a directory that goes with the test.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use tempfile::TempDir;

use crate::{
    auth::Viewer,
    case::{Case, CaseState},
    register::{ActError, MoveCase, OpenCase, Register},
    sources::Clock,
    store::Store,
};

/// A clock that stands still until it is moved.
pub struct StandingClock(Mutex<DateTime<Utc>>);

impl StandingClock {
    pub fn at(moment: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(moment.parse().unwrap())))
    }

    pub fn advance(&self, span: TimeDelta) {
        *self.0.lock() += span;
    }
}

impl Clock for StandingClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock()
    }
}

/// A register with an officer at its desk.
pub struct Office {
    pub clock: Arc<StandingClock>,
    pub store: Store,
    pub register: Arc<Register>,
    pub dir: TempDir,
}

pub fn officer() -> Viewer {
    Viewer::Officer { subject: "officer".to_owned() }
}

/// A wish to open a case about a comment.
pub fn about(comment: Option<&str>, key: &str) -> OpenCase {
    OpenCase {
        region: "751110000".parse().unwrap(),
        comment: comment.map(str::to_owned),
        issue: None,
        title: "Мост".to_owned(),
        key: key.to_owned(),
    }
}

/// A wish to open a case about an issue.
pub fn about_issue(issue: &str, key: &str) -> OpenCase {
    OpenCase { issue: Some(issue.to_owned()), ..about(None, key) }
}

impl Office {
    pub async fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap()).await
    }

    /// A register over the data of a directory.
    pub async fn at(dir: TempDir) -> Self {
        let clock = StandingClock::at("2026-06-01T06:00:00Z");
        let store = Store::open(dir.path()).await.unwrap();
        let register = Arc::new(Register::new(store.clone(), clock.clone()));
        Self { clock, store, register, dir }
    }

    pub async fn open(&self, wish: OpenCase) -> Case {
        self.register.open(&officer(), wish).await.unwrap()
    }

    pub async fn move_to(&self, case: &Case, to: CaseState, note: Option<&str>) -> Result<Case, ActError> {
        let wish = MoveCase { id: case.id.to_string(), to, note: note.map(str::to_owned) };
        self.register.move_case(&officer(), wish).await
    }
}
