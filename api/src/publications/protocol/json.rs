//! A protocol as JSON, and the JSON Schema of its form.
//!
//! The form is open: a later version may add fields, and values to the texts that name one of several. What is in it stays, with
//! the same meaning, until the number in the address of the schema changes.

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    domain::{
        global_id::{MEETING, typed_id},
        localized_name::LocalizedName,
        norms::paragraph,
        protocol::{ModerationDecision, Protocol, ProtocolMeeting, ProtocolQuestion, ProtocolScope, platform_name},
        regions::Names,
        time_split::{Segment, SplitStatus},
    },
    publications::RenderError,
};

/// The path of the schema.
pub const SCHEMA_PATH: &str = "/schemas/protocol-1.json";

/// The protocol of a meeting of an akim with the population.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Protocol of a meeting")]
struct ProtocolDocument<'a> {
    /// Address of the schema of this document.
    #[serde(rename = "$schema")]
    #[schemars(url)]
    schema: String,
    /// `PUBLIC`: public questions only. `STAFF`: all questions, and why they were taken down.
    view: &'static str,
    /// When the protocol was read.
    as_of: DateTime<Utc>,
    /// The meeting.
    meeting: MeetingPart<'a>,
    /// How the time was split between presentation and questions.
    time_split: TimeSplitPart,
    /// Numbers of questions.
    counts: CountsPart,
    /// Whether `questions` has all of them.
    complete: bool,
    /// Questions, proposals and remarks in order of receipt.
    questions: Vec<QuestionPart<'a>>,
}

/// A text in Kazakh, and in other languages where there is one.
#[derive(Serialize, JsonSchema)]
struct TextPart<'a> {
    /// In Kazakh.
    kk: &'a str,
    /// In Russian.
    ru: Option<&'a str>,
}

/// The meeting.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MeetingPart<'a> {
    /// Global id.
    id: String,
    /// Title.
    title: TextPart<'a>,
    /// The unit whose akim holds the meeting, after the units above it.
    host: Vec<TextPart<'a>>,
    /// The unit where the meeting is held, after the units above it.
    region: Vec<TextPart<'a>>,
    /// Venue.
    venue: Option<TextPart<'a>>,
    /// A value of `MeetingPhase` of the API.
    phase: &'static str,
    /// Planned start.
    planned_start: DateTime<Utc>,
    /// Planned duration in minutes.
    planned_minutes: i32,
    /// When it started.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    ended_at: Option<DateTime<Utc>>,
    /// When comments became public: a value of `ModerationMode` of the API.
    moderation: &'static str,
    /// Minimum seconds between two comments of one author; 0 for no limit.
    slow_mode_seconds: i32,
    /// Online broadcasts.
    broadcasts: Vec<BroadcastPart<'a>>,
}

/// An online broadcast.
#[derive(Serialize, JsonSchema)]
struct BroadcastPart<'a> {
    /// A value of `Platform` of the API.
    platform: &'static str,
    /// Address.
    url: &'a str,
}

/// The time split between presentation and questions.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TimeSplitPart {
    /// The norm that limits the presentation.
    norm: NormPart,
    /// The planned time in milliseconds.
    planned_ms: i64,
    /// The most that the presentation may take, in milliseconds.
    budget_ms: i64,
    /// Time of the presentation in milliseconds.
    presentation_ms: i64,
    /// Time of questions and answers in milliseconds.
    questions_ms: i64,
    /// Time of breaks in milliseconds.
    break_ms: i64,
    /// Whether the presentation kept to its share of the planned time.
    kept: bool,
    /// When the presentation used up its share.
    exceeded_at: Option<DateTime<Utc>>,
    /// Uninterrupted segments of one stage, in order.
    segments: Vec<SegmentPart>,
}

/// A norm of the decree.
#[derive(Serialize, JsonSchema)]
struct NormPart {
    /// The paragraph.
    paragraph: &'static str,
    /// Citation of the decree.
    citation: TextPart<'static>,
}

/// A segment of one stage.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SegmentPart {
    /// A value of `Stage` of the API.
    stage: &'static str,
    /// When it started.
    started_at: DateTime<Utc>,
    /// When it ended; null while it runs.
    ended_at: Option<DateTime<Utc>>,
}

/// Numbers of questions, also of those that are not in the document.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CountsPart {
    /// All.
    total: u64,
    /// By state.
    by_state: Vec<StateCountPart>,
    /// By platform.
    by_platform: Vec<PlatformCountPart>,
}

/// The number of questions in a state.
#[derive(Serialize, JsonSchema)]
struct StateCountPart {
    /// A value of `CommentState` of the API.
    state: &'static str,
    /// The number.
    count: u64,
}

/// The number of questions of a platform.
#[derive(Serialize, JsonSchema)]
struct PlatformCountPart {
    /// A value of `Platform` of the API; null for this service.
    platform: Option<&'static str>,
    /// The number.
    count: u64,
}

/// A question, proposal or remark.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct QuestionPart<'a> {
    /// Short number that the author can quote.
    receipt: &'a str,
    /// A value of `CommentKind` of the API.
    kind: &'static str,
    /// The text.
    body: &'a str,
    /// Name of the author, as shown.
    author: &'a str,
    /// The platform where it was posted: a value of `Platform` of the API; null for this service.
    platform: Option<&'static str>,
    /// When it was received.
    received_at: DateTime<Utc>,
    /// A value of `CommentState` of the API.
    state: &'static str,
    /// Number of votes.
    votes: i32,
    /// The written answer; null if it was only given orally, or not at all.
    answer: Option<&'a str>,
    /// When it was answered.
    answered_at: Option<DateTime<Utc>>,
    /// Number of the issue that was raised from it.
    issue: Option<&'a str>,
    /// Why it was taken down; only for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionPart<'a>>,
}

/// Why a question was rejected, hidden or merged.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DecisionPart<'a> {
    /// The reason.
    reason: Option<&'a str>,
    /// The unit whose moderator decided; null if it is not recorded, or an operator of the service decided.
    body: Option<TextPart<'a>>,
    /// Receipt of the question that it was merged into.
    merged_into: Option<&'a str>,
}

/// Renders a protocol as JSON. `link_base` is what links to the service begin with.
///
/// # Errors
/// When it cannot be written.
pub fn json(protocol: &Protocol, link_base: &str) -> Result<Vec<u8>, RenderError> {
    Ok(serde_json::to_vec(&document(protocol, link_base))?)
}

/// Returns the JSON Schema of protocols.
#[must_use]
pub fn json_schema(link_base: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<ProtocolDocument<'static>>();
    schema.insert("$id".to_owned(), json!(format!("{link_base}{SCHEMA_PATH}")));
    schema.to_value()
}

fn document<'a>(protocol: &'a Protocol, link_base: &str) -> ProtocolDocument<'a> {
    ProtocolDocument {
        schema: format!("{link_base}{SCHEMA_PATH}"),
        view: match protocol.scope {
            ProtocolScope::Public => "PUBLIC",
            ProtocolScope::Staff => "STAFF",
        },
        as_of: protocol.as_of,
        meeting: meeting(&protocol.meeting),
        time_split: time_split(protocol),
        counts: counts(protocol),
        complete: protocol.is_complete,
        questions: protocol.questions.iter().map(question).collect(),
    }
}

fn text(name: &LocalizedName) -> TextPart<'_> {
    TextPart { kk: &name.kk, ru: name.ru.as_deref() }
}

fn unit(names: &Names) -> TextPart<'_> {
    TextPart { kk: &names.kk, ru: Some(&names.ru) }
}

fn meeting(meeting: &ProtocolMeeting) -> MeetingPart<'_> {
    let broadcasts = meeting.broadcasts.iter();
    MeetingPart {
        id: typed_id(MEETING, meeting.id.0),
        title: text(&meeting.title),
        host: meeting.host.iter().map(unit).collect(),
        region: meeting.region.iter().map(unit).collect(),
        venue: meeting.venue.as_ref().map(text),
        phase: meeting.phase.as_str(),
        planned_start: meeting.planned_start,
        planned_minutes: meeting.planned_minutes,
        started_at: meeting.started_at,
        ended_at: meeting.ended_at,
        moderation: meeting.moderation.as_str(),
        slow_mode_seconds: meeting.slow_mode_seconds,
        broadcasts: broadcasts
            .map(|one| BroadcastPart { platform: platform_name(one.platform), url: &one.url })
            .collect(),
    }
}

fn time_split(protocol: &Protocol) -> TimeSplitPart {
    let (split, norms) = (&protocol.split, protocol.norms);
    let segment = |segment: &Segment| SegmentPart {
        stage: segment.stage.as_str(),
        started_at: segment.started_at,
        ended_at: segment.ended_at,
    };
    TimeSplitPart {
        norm: NormPart {
            paragraph: paragraph::TIME_SPLIT,
            citation: TextPart { kk: norms.citation_kk, ru: Some(norms.citation_ru) },
        },
        planned_ms: split.planned_ms,
        budget_ms: split.budget_ms,
        presentation_ms: split.presentation_ms,
        questions_ms: split.questions_ms,
        break_ms: split.break_ms,
        kept: split.status() != SplitStatus::Exceeded,
        exceeded_at: split.exceeded_at,
        segments: protocol.segments.iter().map(segment).collect(),
    }
}

fn counts(protocol: &Protocol) -> CountsPart {
    let (by_state, by_platform) = (&protocol.counts.by_state, &protocol.counts.by_platform);
    CountsPart {
        total: protocol.counts.total,
        by_state: by_state.iter().map(|(state, count)| StateCountPart { state, count: *count }).collect(),
        by_platform: by_platform
            .iter()
            .map(|(platform, count)| PlatformCountPart { platform: *platform, count: *count })
            .collect(),
    }
}

fn question(question: &ProtocolQuestion) -> QuestionPart<'_> {
    QuestionPart {
        receipt: &question.receipt,
        kind: question.kind.as_str(),
        body: &question.body,
        author: &question.author,
        platform: question.platform.map(platform_name),
        received_at: question.received_at,
        state: question.state.as_str(),
        votes: question.votes,
        answer: question.answer.as_deref(),
        answered_at: question.answered_at,
        issue: question.issue.as_deref(),
        decision: question.decision.as_ref().map(decision),
    }
}

fn decision(decision: &ModerationDecision) -> DecisionPart<'_> {
    DecisionPart {
        reason: decision.reason.as_deref(),
        body: decision.body.as_ref().map(unit),
        merged_into: decision.merged_into.as_deref(),
    }
}
