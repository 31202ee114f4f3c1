//! The enums of issues and requests.

use async_graphql::Enum;

use crate::graphql::enums::{open_enum, remote_enum};

/// Declares an enum of names that are stored as text.
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }

        impl $name {
            /// Returns the stored name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Parses a stored name, or returns `None` if it is one of a later version.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

open_enum! {
    /// Which bodies an issue needs (p. 5.2).
    IssueLevel {
        /// Local bodies can solve it.
        Local,
        /// It needs central bodies, national holdings or companies.
        Central,
    } unknown Local
}

open_enum! {
    /// State of an issue.
    IssueState {
        /// Raised, without a responsible body.
        Registered,
        /// A body is responsible, with a deadline.
        Assigned,
        /// It has a plan or a report.
        InProgress,
        /// Solved.
        Resolved,
        /// Declined with a reason.
        Declined,
    } unknown Registered
}

open_enum! {
    /// What a maslikhat session decided about the money for an issue.
    FundingDecision {
        /// No money is needed.
        NotNeeded,
        /// Not decided yet.
        Pending,
        /// Granted.
        Funded,
        /// Refused.
        Refused,
    } unknown Pending
}

remote_enum! {
    /// Channel by which a request came (p. 3.4).
    "entities::enums::RequestChannel" RequestChannel {
        /// The open-data portal.
        OpenDataPortal,
        /// The blog platform of state bodies, which closed in January 2023.
        BlogPlatform,
        /// The system of electronic appeals.
        EOtinish,
        /// A call centre.
        CallCentre,
        /// The form of a meeting, or this API.
        MeetingForm,
        /// A letter.
        Letter,
        /// A messenger.
        Messenger,
        /// A social network.
        SocialNetwork,
        /// Another channel.
        Other,
    }
}

/// Order of a list of issues.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueOrder {
    /// Newest first.
    Newest,
    /// Open ones by their deadlines, then the others.
    MostUrgent,
    /// Last changed first.
    LastChanged,
}

named_enum! {
    /// The kind of an event about issues.
    IssueEventKind {
        /// The stream has begun.
        Subscribed = "SUBSCRIBED",
        /// Nothing has happened that the stream is about.
        Heartbeat = "HEARTBEAT",
        /// An issue was raised.
        Raised = "RAISED",
        /// An issue was assigned to bodies.
        Assigned = "ASSIGNED",
        /// An issue changed in another way.
        Changed = "CHANGED",
        /// A plan was made.
        Planned = "PLANNED",
        /// Progress was reported.
        Progress = "PROGRESS",
        /// An issue was resolved.
        Resolved = "RESOLVED",
        /// An issue was declined.
        Declined = "DECLINED",
        /// An issue was reopened.
        Reopened = "REOPENED",
    }
}
