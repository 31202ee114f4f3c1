//! Raises an issue from what people said, asked or sent in.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Utc};
use entities::{
    enums::{IssueLevel, IssueState, Language},
    ids::{IssueId, MeetingId},
    issue, issue_person, issue_source,
    kato::KatoCode,
};
use serde::Serialize;

use crate::{
    app::{
        App, CommandError, Rejection,
        idempotency::idempotency_key,
        input::{checked_text, text_rejection},
        issues::{
            SourceId, issue_event,
            locked::{ChangeRecord, Recorded, notified},
            sources::Sources,
        },
        normalization::normalize_issue,
        rejection::Invalid,
    },
    clock::almaty_date,
    domain::{
        issue_events::{RAISED, issue_feed},
        issues::{MAX_TEXT_LENGTH, MAX_TITLE_LENGTH, issue_number, urgent_by},
        policy::{self, Action as _, IssueScope, authorize},
        text::multi_line,
        viewer::Viewer,
    },
    store::Tx,
};

/// An issue to raise.
#[derive(Clone, Debug, Serialize)]
pub struct RaiseIssue {
    /// The unit that it is about.
    pub region: KatoCode,
    /// The meeting at which it was raised; that of its sources by default.
    pub meeting: Option<MeetingId>,
    /// What it is raised from.
    pub sources: Vec<SourceId>,
    /// The title, which is public.
    pub title: String,
    /// The description for staff.
    pub description: String,
    /// Code of the category.
    pub category: String,
    /// Language of the texts.
    pub language: Language,
    /// Which bodies it needs.
    pub level: IssueLevel,
}

/// An issue that the viewer may raise, from reads without a lock.
pub(in crate::app) struct RaisePermit {
    row: issue::Model,
    sources: Sources,
    letters: String,
    record: ChangeRecord,
}

impl App {
    /// Raises an issue (p. 3.5). Those from whose words it is raised follow it from now on.
    ///
    /// # Errors
    /// Rejected when another issue was raised from a source, or a field breaks a rule.
    pub async fn raise_issue(
        &self,
        viewer: &Viewer,
        command: &RaiseIssue,
        key: Option<&str>,
    ) -> Result<issue::Model, CommandError> {
        let now = self.now();
        let subject = viewer.subject().ok_or(CommandError::Unauthenticated)?;
        let id = IssueId(self.ids.next(now));
        let permit = self.permit_raise(viewer, command, id, now).await;
        // Whoever may not raise it may not ask for the result of a key either.
        let permit = match permit {
            Err(refused @ (CommandError::Forbidden | CommandError::Unauthenticated | CommandError::Store(_))) => {
                return Err(refused);
            }
            other => other,
        };
        let key = idempotency_key(subject, "raiseIssue", key, command)?;
        let tx = self.store.begin().await?;
        if let Some(first) = tx.claim_idempotency_key(key.as_ref(), id.0, now).await? {
            let first = tx.lock_issues(&[IssueId(first)]).await?.pop();
            return first.ok_or_else(|| Rejection::NotFound { field: "idempotencyKey" }.into());
        }
        let (issue, recorded) = self.write_raised(&tx, permit?, now).await?;
        self.commit_recorded(tx, recorded, now).await?;
        Ok(issue)
    }

    /// Authorises and validates an issue to raise before the transaction starts.
    pub(in crate::app) async fn permit_raise(
        &self,
        viewer: &Viewer,
        command: &RaiseIssue,
        id: IssueId,
        now: DateTime<Utc>,
    ) -> Result<RaisePermit, CommandError> {
        let region = self.host_scope(command.region);
        let person = authorize::<policy::RaiseIssue>(viewer, &region)?.person;
        let letters = self.letters_of_region(command.region)?;
        let sources = self.permit_sources(viewer, &command.sources).await?;
        let meeting = self.meeting_of(viewer, command, &sources).await?;
        let title = checked_text("title", &command.title, MAX_TITLE_LENGTH)?;
        let description = multi_line(&command.description, MAX_TEXT_LENGTH);
        let description = description.map_err(|bad| text_rejection("description", bad))?;
        if self.issue_categories().get(&command.category).is_none() {
            return Err(Rejection::Invalid { field: "category", why: Invalid::UnknownCategory }.into());
        }
        let record = ChangeRecord::new(self, viewer, person, &IssueScope { region, responsible: None });
        let row = new_issue(id, command, meeting, (title, description), now);
        Ok(RaisePermit { row, sources, letters, record })
    }

    /// Returns the meeting at which an issue was raised.
    async fn meeting_of(
        &self,
        viewer: &Viewer,
        command: &RaiseIssue,
        sources: &Sources,
    ) -> Result<Option<MeetingId>, CommandError> {
        let Some(id) = command.meeting else { return Ok(sources.meeting) };
        let missing = || Rejection::NotFound { field: "meetingId" };
        let meeting = self.store.meetings_by_id(&[id]).await?.pop().ok_or_else(missing)?;
        // An issue at the meeting of another host would be in that host's results.
        let is_own = policy::RaiseIssue::permits(viewer, &self.host_scope_of(&meeting)?);
        if is_own { Ok(Some(id)) } else { Err(missing().into()) }
    }

    /// Writes the rows of a raised issue, and returns what is recorded of it.
    pub(in crate::app) async fn write_raised(
        &self,
        tx: &Tx,
        permit: RaisePermit,
        now: DateTime<Utc>,
    ) -> Result<(issue::Model, Recorded), CommandError> {
        let RaisePermit { mut row, sources, letters, record } = permit;
        sources.check_unused(tx, row.id).await?;
        let year = almaty_date(now).year();
        row.number = issue_number(&letters, year, tx.take_numbers(&letters, year, 1).await?);
        normalize_issue(&mut row);
        let people = sources.people(tx).await?;
        tx.insert_issue(row.clone()).await?;
        let rows = source_rows(row.id, &sources);
        let written = tx.insert_sources(rows).await?;
        if usize::try_from(written).ok() != Some(sources.ids.len()) {
            // Another issue was raised from one of them since they were checked.
            sources.check_unused(tx, row.id).await?;
        }
        let people: Vec<_> = people.into_iter().map(|person| new_person(row.id, person, now)).collect();
        tx.save_people(people.clone()).await?;
        let audit = record.audit(self, (&row, &row), RAISED, now);
        let events = std::iter::once((issue_feed(), issue_event(&row, RAISED)));
        let events = events.chain(notified(&row, RAISED, &people, &record.person)).collect();
        let audit = BTreeMap::from([(row.region_code.clone(), audit)]);
        Ok((row, Recorded { events, audit }))
    }
}

fn source_rows(issue: IssueId, sources: &Sources) -> Vec<issue_source::Model> {
    let row = |(id, ordinal): (&SourceId, i32)| {
        let (kind, source_id) = id.parts();
        issue_source::Model { source_id, kind, issue_id: issue, ordinal }
    };
    sources.ids.iter().zip(1..).map(row).collect()
}

fn new_person(issue: IssueId, person: String, since: DateTime<Utc>) -> issue_person::Model {
    issue_person::Model { issue_id: issue, person, raised: true, follows: true, satisfied: None, comment: None, since }
}

fn new_issue(
    id: IssueId,
    command: &RaiseIssue,
    meeting: Option<MeetingId>,
    (title, description): (String, String),
    now: DateTime<Utc>,
) -> issue::Model {
    issue::Model {
        id,
        number: String::new(),
        title,
        description,
        released_description: None,
        category: command.category.clone(),
        language: command.language,
        region_code: command.region.to_string(),
        meeting_id: meeting,
        level: command.level,
        state: IssueState::Registered,
        responsible: None,
        deadline: None,
        urgent_by: urgent_by(IssueState::Registered, None),
        funding_needed: None,
        funding_session: None,
        funding_decision: None,
        funding_source: None,
        resolution: None,
        merged_into: None,
        satisfied: 0,
        unsatisfied: 0,
        is_unsatisfied: false,
        search: String::new(),
        staff_search: String::new(),
        normalization_version: 0,
        created_at: now,
        updated_at: now,
        version: 1,
    }
}
