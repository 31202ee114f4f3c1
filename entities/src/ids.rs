//! Primary keys as distinct types, so that ids of different tables cannot be confused.

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

ids! {
    /// A meeting of an akim with the population.
    MeetingId,
    /// An online broadcast of a meeting.
    BroadcastId,
    /// A question, proposal or remark at a meeting.
    CommentId,
    /// An uninterrupted period of one stage.
    SegmentId,
    /// A personal reception after a meeting.
    ReceptionId,
    /// A person's registration for a reception.
    RegistrationId,
    /// A body to which issues are assigned; derived from its code.
    AgencyId,
    /// A problem issue.
    IssueId,
    /// A step of an issue's plan.
    PlanStepId,
    /// A request sent in before a meeting.
    RequestId,
    /// A receiver of events about issues.
    WebhookId,
    /// An edition of a publication.
    PublicationId,
}
