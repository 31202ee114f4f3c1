//! The protocol of a meeting: what was asked and answered, and how its time was split (p. 3.3).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use entities::{
    enums::{CommentKind, CommentState, MeetingPhase, ModerationMode, Platform},
    ids::MeetingId,
};

use crate::domain::{
    localized_name::LocalizedName,
    norms::NormSet,
    regions::Names,
    time_split::{Segment, SplitTotals},
};

/// How long a ticket opens the protocol of a meeting as staff sees it.
pub const TICKET_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// Maximum number of questions in a protocol. It says so if there are more.
pub const MAX_QUESTIONS: usize = 10_000;

/// Who a protocol is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtocolScope {
    /// Everybody, after the end of the meeting: public questions only.
    Public,
    /// Staff of the host, at any moment: all questions, and why which body took them down.
    Staff,
}

/// Returns which protocol of a meeting somebody may read; `None` if there is none for them. `sees_all` is whether they see all
/// questions of the meeting.
#[must_use]
pub const fn protocol_scope(phase: MeetingPhase, sees_all: bool) -> Option<ProtocolScope> {
    match phase {
        MeetingPhase::Unknown => None,
        _ if sees_all => Some(ProtocolScope::Staff),
        MeetingPhase::Ended | MeetingPhase::Closed => Some(ProtocolScope::Public),
        MeetingPhase::Planned | MeetingPhase::Announced | MeetingPhase::Live | MeetingPhase::Cancelled => None,
    }
}

/// The protocol of a meeting as somebody sees it.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// Who it is for.
    pub scope: ProtocolScope,
    /// When it was read.
    pub as_of: DateTime<Utc>,
    /// The meeting.
    pub meeting: ProtocolMeeting,
    /// The norms in force on the meeting's date.
    pub norms: &'static NormSet,
    /// The totals of the time split.
    pub split: SplitTotals,
    /// The segments of the time split, in order.
    pub segments: Vec<Segment>,
    /// The questions in order of receipt, the first [`MAX_QUESTIONS`] at most.
    pub questions: Vec<ProtocolQuestion>,
    /// Whether these are all questions.
    pub is_complete: bool,
    /// The numbers of questions, also of those that are not in the protocol.
    pub counts: QuestionCounts,
}

/// What a protocol says of the meeting.
#[derive(Clone, Debug)]
pub struct ProtocolMeeting {
    /// The id.
    pub id: MeetingId,
    /// The title.
    pub title: LocalizedName,
    /// The unit whose akim holds it, below the units above it, as of its date.
    pub host: Vec<Names>,
    /// The unit where it is held, below the units above it, as of its date.
    pub region: Vec<Names>,
    /// The venue.
    pub venue: Option<LocalizedName>,
    /// The phase.
    pub phase: MeetingPhase,
    /// Planned start.
    pub planned_start: DateTime<Utc>,
    /// Planned length in minutes.
    pub planned_minutes: i32,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// When comments became public.
    pub moderation: ModerationMode,
    /// Minimum time between two comments of one author, in seconds.
    pub slow_mode_seconds: i32,
    /// The online broadcasts, in order.
    pub broadcasts: Vec<ProtocolBroadcast>,
}

/// An online broadcast of the meeting (p. 3.2).
#[derive(Clone, Debug)]
pub struct ProtocolBroadcast {
    /// The platform.
    pub platform: Platform,
    /// The address.
    pub url: String,
}

/// A question, proposal or remark.
#[derive(Clone, Debug)]
pub struct ProtocolQuestion {
    /// The number that the author can quote.
    pub receipt: String,
    /// Question, proposal or remark.
    pub kind: CommentKind,
    /// The text.
    pub body: String,
    /// Name of the author, as everybody sees it.
    pub author: String,
    /// The platform that it was imported from; `None` if it was posted through this service.
    pub platform: Option<Platform>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// The state.
    pub state: CommentState,
    /// Number of votes.
    pub votes: i32,
    /// The written answer.
    pub answer: Option<String>,
    /// When it was answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// Number of the issue that was raised from it.
    pub issue: Option<String>,
    /// Why it was taken down, for staff.
    pub decision: Option<ModerationDecision>,
}

/// Why a question was rejected, hidden or merged. Never names a person.
#[derive(Clone, Debug)]
pub struct ModerationDecision {
    /// The reason.
    pub reason: Option<String>,
    /// The unit whose moderator decided; `None` if it was not recorded, or decided by an operator of the service.
    pub body: Option<Names>,
    /// Number of the question that it was merged into.
    pub merged_into: Option<String>,
}

/// Returns whether a moderator has taken a question in this state down.
#[must_use]
pub const fn is_taken_down(state: CommentState) -> bool {
    matches!(state, CommentState::Rejected | CommentState::Hidden | CommentState::Merged)
}

/// Numbers of questions by state and by platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuestionCounts {
    /// By state.
    pub by_state: BTreeMap<&'static str, u64>,
    /// By platform; those of this service have none.
    pub by_platform: BTreeMap<Option<&'static str>, u64>,
    /// All.
    pub total: u64,
}

impl QuestionCounts {
    /// Counts questions with the same state and platform.
    pub fn add(&mut self, state: CommentState, platform: Option<Platform>, count: u64) {
        *self.by_state.entry(state.as_str()).or_default() += count;
        *self.by_platform.entry(platform.map(platform_name)).or_default() += count;
        self.total += count;
    }

    /// Counts questions.
    #[must_use]
    pub fn of(questions: &[ProtocolQuestion]) -> Self {
        let mut counts = Self::default();
        for question in questions {
            counts.add(question.state, question.platform, 1);
        }
        counts
    }
}

/// Returns the name of a platform; one of a later version counts as another platform.
#[must_use]
pub const fn platform_name(platform: Platform) -> &'static str {
    match platform {
        Platform::Unknown => Platform::Other.as_str(),
        known => known.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_reads_the_protocol_after_the_end_and_staff_at_any_moment() {
        use MeetingPhase::{Closed, Ended};
        for phase in MeetingPhase::ALL {
            assert_eq!(protocol_scope(*phase, true), Some(ProtocolScope::Staff));
            let public = matches!(phase, Ended | Closed).then_some(ProtocolScope::Public);
            assert_eq!(protocol_scope(*phase, false), public, "{phase:?}");
        }
        assert_eq!(protocol_scope(MeetingPhase::Unknown, true), None);
    }

    #[test]
    fn counts_by_state_and_platform() {
        let mut counts = QuestionCounts::default();
        counts.add(CommentState::Published, None, 3);
        counts.add(CommentState::Answered, Some(Platform::Vk), 2);
        counts.add(CommentState::Published, Some(Platform::Unknown), 1);
        assert_eq!(counts.by_state, [("ANSWERED", 2), ("PUBLISHED", 4)].into());
        assert_eq!(counts.by_platform, [(None, 3), (Some("OTHER"), 1), (Some("VK"), 2)].into());
        assert_eq!(counts.total, 6);
    }
}
