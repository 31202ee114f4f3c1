//! Time and fresh identities. They come from nowhere else, so that tests can say what time it is.

use chrono::{DateTime, SubsecRound, Utc};
use parking_lot::Mutex;
use uuid::{ContextV7, Timestamp, Uuid};

use crate::case::CaseId;

/// Says what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The present moment, in whole milliseconds.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the clock itself")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }
}

/// Makes identities that sort by the time they were made, and rise within one millisecond.
#[derive(Debug, Default)]
pub struct FreshIds(Mutex<ContextV7>);

impl FreshIds {
    /// A fresh identity, made at `now`.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> CaseId {
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        let uuid = Uuid::new_v7(Timestamp::from_unix(&*self.0.lock(), seconds, now.timestamp_subsec_nanos()));
        CaseId::from_uuid(uuid)
    }
}
