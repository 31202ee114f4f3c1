//! Reads the protocol of a meeting with few statements, whatever its length.

use std::{collections::HashMap, sync::Arc};

use entities::{
    broadcast, comment,
    ids::{CommentId, MeetingId},
    meeting,
};

use crate::{
    app::{
        App,
        meetings::to_segments,
        parse_code,
        rate_limit::{LimitReached, Requester},
    },
    clock::almaty_date,
    domain::{
        comment::receipt_text,
        localized_name::LocalizedName,
        policy::CommentScope,
        protocol::{
            MAX_QUESTIONS, ModerationDecision, Protocol, ProtocolBroadcast, ProtocolMeeting, ProtocolQuestion,
            ProtocolScope, QuestionCounts, is_taken_down, protocol_scope,
        },
        regions::Names,
        viewer::Viewer,
    },
    store::{
        Store, StoreError,
        comments::{CommentCursor, CommentFilter},
        keyset::PageRequest,
    },
};

/// Cost units of asking for a protocol.
const BASE_COST: usize = 200;
/// Cost units of each question in it, about as much as in a query.
const QUESTION_COST: usize = 10;
/// Questions that are read at once.
const BATCH: usize = 1_000;
/// Maximum size of the texts of a protocol, in bytes. It is cut after the question that reaches it.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// Why a protocol is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// There is no such meeting, or no protocol for the viewer yet.
    #[error("there is no protocol for the viewer")]
    NotFound,
    /// The caller's budget is used up.
    #[error("the budget is used up")]
    Limited(LimitReached),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A request for the protocol of a meeting.
#[derive(Clone, Copy, Debug)]
pub struct ProtocolRequest<'a> {
    /// The meeting.
    pub meeting: MeetingId,
    /// Who asks.
    pub viewer: &'a Viewer,
    /// Whether a ticket of the meeting came with it, which makes the viewer staff.
    pub has_ticket: bool,
    /// Whose budget pays for it.
    pub requester: Requester<'a>,
}

/// Protocols, as they are read over HTTP.
#[derive(Clone)]
pub struct Protocols(Arc<App>);

impl Protocols {
    /// Creates the reads of protocols.
    #[must_use]
    pub const fn new(app: Arc<App>) -> Self {
        Self(app)
    }

    /// Returns whether a ticket opens the protocol of a meeting now.
    #[must_use]
    pub fn opens(&self, meeting: MeetingId, ticket: &str) -> bool {
        self.0.is_protocol_ticket(meeting, ticket)
    }

    /// Returns the address of a meeting's protocol without a ticket.
    #[must_use]
    pub fn address(&self, meeting: MeetingId) -> String {
        self.0.protocol_address(meeting)
    }

    /// Returns what links to the service begin with.
    #[must_use]
    pub fn link_base(&self) -> &str {
        &self.0.public_url
    }

    /// Returns whether a failure means that the database is busy and not that it is broken.
    #[must_use]
    pub fn is_overload(&self, error: &StoreError) -> bool {
        self.0.is_overload(error)
    }

    /// Reads a protocol as the viewer may see it, and charges for it.
    ///
    /// # Errors
    /// When there is none for the viewer, their budget is used up, or the database fails.
    pub async fn read(&self, request: ProtocolRequest<'_>) -> Result<Protocol, ProtocolError> {
        let app = &self.0;
        let charge =
            |units, paid| app.rate_limiter.charge(units, paid, request.requester).map_err(ProtocolError::Limited);
        charge(BASE_COST, 0)?;
        let meeting = app.reads.meetings_by_id(&[request.meeting]).await?.pop().ok_or(ProtocolError::NotFound)?;
        let scope = match request.has_ticket {
            true => protocol_scope(meeting.phase, true),
            false => app.protocol_scope(request.viewer, &meeting)?,
        };
        let scope = scope.ok_or(ProtocolError::NotFound)?;
        let counts = app.protocol_counts(&meeting, scope).await?;
        let shown = usize::try_from(counts.total).unwrap_or(MAX_QUESTIONS).min(MAX_QUESTIONS);
        charge(shown.saturating_mul(QUESTION_COST), BASE_COST)?;
        Ok(app.protocol(&meeting, scope, counts).await?)
    }
}

/// The comments of a protocol, and whether these are all.
struct Comments {
    rows: Vec<comment::Model>,
    are_all: bool,
}

impl App {
    async fn protocol_counts(
        &self,
        meeting: &meeting::Model,
        scope: ProtocolScope,
    ) -> Result<QuestionCounts, StoreError> {
        let mut counts = QuestionCounts::default();
        for (state, platform, count) in self.reads.count_comments_by_origin(meeting.id, &comment_scope(scope)).await? {
            counts.add(state, platform, count);
        }
        Ok(counts)
    }

    async fn protocol(
        &self,
        meeting: &meeting::Model,
        scope: ProtocolScope,
        counts: QuestionCounts,
    ) -> Result<Protocol, StoreError> {
        let now = self.now();
        let segments = self.reads.segments_of(&[meeting.id]).await?;
        let broadcasts = self.reads.broadcasts_of(&[meeting.id]).await?;
        let comments = read_comments(&self.reads, meeting.id, &comment_scope(scope)).await?;
        let mut issues = HashMap::new();
        for batch in comments.rows.chunks(BATCH) {
            issues.extend(self.reads.issue_numbers_of(batch.iter().map(|row| row.id)).await?);
        }
        let questions = self.questions(meeting, scope, comments.rows, issues);
        Ok(Protocol {
            scope,
            as_of: now,
            meeting: self.protocol_meeting(meeting, broadcasts)?,
            norms: self.norms.in_force(almaty_date(meeting.planned_start)),
            split: self.split_totals(meeting, &segments, now),
            segments: to_segments(&segments),
            // Questions may have come or gone since they were counted.
            counts: if comments.are_all { QuestionCounts::of(&questions) } else { counts },
            is_complete: comments.are_all,
            questions,
        })
    }

    fn protocol_meeting(
        &self,
        row: &meeting::Model,
        broadcasts: Vec<broadcast::Model>,
    ) -> Result<ProtocolMeeting, StoreError> {
        let venue = row.venue_kk.clone();
        Ok(ProtocolMeeting {
            id: row.id,
            title: LocalizedName { kk: row.title_kk.clone(), ru: row.title_ru.clone(), en: row.title_en.clone() },
            host: self.unit_path(row, &row.host_code)?,
            region: self.unit_path(row, &row.region_code)?,
            venue: venue.map(|kk| LocalizedName { kk, ru: row.venue_ru.clone(), en: row.venue_en.clone() }),
            phase: row.phase,
            planned_start: row.planned_start,
            planned_minutes: row.planned_minutes,
            started_at: row.started_at,
            ended_at: row.ended_at,
            moderation: row.moderation,
            slow_mode_seconds: row.slow_mode_seconds,
            broadcasts: broadcasts
                .into_iter()
                .map(|row| ProtocolBroadcast { platform: row.platform, url: row.url })
                .collect(),
        })
    }

    /// Returns the names of a unit and of those above it as of the date of the meeting, from above.
    fn unit_path(&self, meeting: &meeting::Model, code: &str) -> Result<Vec<Names>, StoreError> {
        let history = self.region_history.load();
        let Some((tree, node)) = history.unit_on(parse_code(code)?, almaty_date(meeting.planned_start)) else {
            return Ok(Vec::new());
        };
        let nodes = tree.ancestors(node).chain([node]);
        Ok(nodes.filter_map(|node| tree.unit(node)).map(|unit| unit.names.clone()).collect())
    }

    fn questions(
        &self,
        meeting: &meeting::Model,
        scope: ProtocolScope,
        rows: Vec<comment::Model>,
        mut issues: HashMap<CommentId, String>,
    ) -> Vec<ProtocolQuestion> {
        let receipts: HashMap<_, _> = rows.iter().map(|row| (row.id, row.receipt)).collect();
        let mut bodies: HashMap<String, Option<Names>> = HashMap::new();
        let mut decision = |row: &comment::Model| ModerationDecision {
            reason: row.state_reason.clone(),
            body: row.decided_by.as_ref().and_then(|code| {
                // A code that is malformed names nobody.
                let body = || self.unit_path(meeting, code).ok().and_then(|path| path.last().cloned());
                bodies.entry(code.clone()).or_insert_with(body).clone()
            }),
            merged_into: row.merged_into.and_then(|into| receipts.get(&into)).map(|number| receipt_text(*number)),
        };
        let question = |row: comment::Model| ProtocolQuestion {
            decision: (scope == ProtocolScope::Staff && is_taken_down(row.state)).then(|| decision(&row)),
            receipt: receipt_text(row.receipt),
            kind: row.kind,
            author: row.author_name,
            platform: row.platform,
            received_at: row.posted_at,
            state: row.state,
            votes: row.votes,
            answered_at: row.answered_at,
            issue: issues.remove(&row.id),
            body: row.body,
            answer: row.answer,
        };
        rows.into_iter().map(question).collect()
    }
}

const fn comment_scope(scope: ProtocolScope) -> CommentScope {
    match scope {
        ProtocolScope::Public => CommentScope::PublicOnly,
        ProtocolScope::Staff => CommentScope::Everything,
    }
}

/// Reads the comments of a meeting in order of receipt, page by page up to the limits.
async fn read_comments(store: &Store, meeting: MeetingId, scope: &CommentScope) -> Result<Comments, StoreError> {
    let filter = CommentFilter::default();
    let mut request = PageRequest::<CommentCursor> { after: None, before: None, limit: BATCH, backward: false };
    let (mut rows, mut bytes) = (Vec::new(), 0);
    loop {
        let page = store.comments(meeting, scope, &filter, &request).await?;
        for row in page.rows {
            if rows.len() == MAX_QUESTIONS || bytes >= MAX_TEXT_BYTES {
                return Ok(Comments { rows, are_all: false });
            }
            request.after = Some((row.votes, row.posted_seq));
            bytes += text_bytes(&row);
            // What nobody is shown is dropped at once.
            rows.push(comment::Model { search: String::new(), labels: String::new(), ..row });
        }
        if !page.has_next {
            return Ok(Comments { rows, are_all: true });
        }
    }
}

fn text_bytes(row: &comment::Model) -> usize {
    let others = [&row.answer, &row.state_reason].into_iter().flatten().map(String::len).sum::<usize>();
    row.body.len() + row.author_name.len() + others
}
