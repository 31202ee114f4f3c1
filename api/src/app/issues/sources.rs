//! What an issue is raised from: comments, registrations and requests.

use std::collections::{BTreeSet, HashMap};

use entities::{
    comment,
    enums::IssueSourceKind,
    ids::{CommentId, IssueId, MeetingId, ReceptionId, RegistrationId, RequestId},
    meeting, public_request, reception, registration,
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    app::{App, CommandError, Rejection, parse_code, rejection::Invalid},
    domain::{
        issues::MAX_SOURCES,
        notification::PersonKey,
        policy::{Action as _, RaiseIssue},
        viewer::Viewer,
    },
    store::{StoreError, Tx},
};

/// The name of the list in the input.
const SOURCES: &str = "sources";

/// What an issue is raised from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum SourceId {
    /// A comment on a meeting.
    Comment(CommentId),
    /// A registration for a reception.
    Registration(RegistrationId),
    /// A request sent in before a meeting.
    Request(RequestId),
}

impl SourceId {
    /// Returns its kind and its id.
    pub(super) const fn parts(self) -> (IssueSourceKind, Uuid) {
        match self {
            Self::Comment(id) => (IssueSourceKind::Comment, id.0),
            Self::Registration(id) => (IssueSourceKind::Registration, id.0),
            Self::Request(id) => (IssueSourceKind::Request, id.0),
        }
    }
}

/// The sources of an issue to raise, all of which the viewer may raise it from.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) ids: Vec<SourceId>,
    /// The meeting that all of them belong to.
    pub(super) meeting: Option<MeetingId>,
    comments: Vec<CommentId>,
    /// Pseudonyms of those who registered or sent a request.
    people: Vec<String>,
}

/// The meeting of a source, and the pseudonym of its person.
type PermittedSource = (Option<MeetingId>, Option<String>);

/// The rows of sources, by their ids.
struct SourceRows {
    comments: HashMap<CommentId, comment::Model>,
    registrations: HashMap<RegistrationId, registration::Model>,
    receptions: HashMap<ReceptionId, reception::Model>,
    requests: HashMap<RequestId, public_request::Model>,
    meetings: HashMap<MeetingId, meeting::Model>,
}

impl App {
    /// Checks that the viewer may raise an issue from sources: those of meetings, receptions and units of their own.
    pub(super) async fn permit_sources(&self, viewer: &Viewer, ids: &[SourceId]) -> Result<Sources, CommandError> {
        if ids.len() > MAX_SOURCES {
            return Err(Rejection::Invalid { field: SOURCES, why: Invalid::TooMany { max: MAX_SOURCES } }.into());
        }
        let rows = self.source_rows(ids).await?;
        let mut sources = Sources::default();
        let mut meetings = BTreeSet::new();
        for (index, id) in ids.iter().enumerate() {
            if sources.ids.contains(id) {
                continue;
            }
            let found = self.permit_source(viewer, *id, &rows)?;
            let Some((meeting, person)) = found else {
                return Err(Rejection::NotFound { field: SOURCES }.at_index(SOURCES, index).into());
            };
            meetings.insert(meeting);
            sources.people.extend(person);
            sources.ids.push(*id);
            if let SourceId::Comment(id) = id {
                sources.comments.push(*id);
            }
        }
        sources.meeting = meetings.pop_first().flatten().filter(|_| meetings.is_empty());
        Ok(sources)
    }

    /// Returns the meeting of a source and the pseudonym of its person, or `None` if it is not for the viewer.
    fn permit_source(
        &self,
        viewer: &Viewer,
        id: SourceId,
        rows: &SourceRows,
    ) -> Result<Option<PermittedSource>, StoreError> {
        let (host, meeting, person) = match id {
            SourceId::Comment(id) => {
                let comment = rows.comments.get(&id);
                let Some(meeting) = comment.and_then(|row| rows.meetings.get(&row.meeting_id)) else { return Ok(None) };
                (&meeting.host_code, Some(meeting.id), None)
            }
            SourceId::Registration(id) => {
                let Some(row) = rows.registrations.get(&id) else { return Ok(None) };
                let Some(reception) = rows.receptions.get(&row.reception_id) else { return Ok(None) };
                (&reception.host_code, Some(reception.meeting_id), row.person.clone())
            }
            SourceId::Request(id) => {
                let Some(row) = rows.requests.get(&id) else { return Ok(None) };
                (&row.region_code, row.meeting_id, row.person.clone())
            }
        };
        let scope = self.host_scope(parse_code(host)?);
        Ok(RaiseIssue::permits(viewer, &scope).then_some((meeting, person)))
    }

    async fn source_rows(&self, ids: &[SourceId]) -> Result<SourceRows, StoreError> {
        let (mut comments, mut registrations, mut requests) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            match *id {
                SourceId::Comment(id) => comments.push(id),
                SourceId::Registration(id) => registrations.push(id),
                SourceId::Request(id) => requests.push(id),
            }
        }
        let comments = self.store.comments_by_id(&comments).await?;
        let meetings: Vec<_> = comments.iter().map(|row| row.meeting_id).collect();
        let meetings = self.store.meetings_by_id(&meetings).await?;
        let registrations = self.store.registrations_by_id(&registrations).await?;
        let receptions: Vec<_> = registrations.iter().map(|row| row.reception_id).collect();
        let receptions = self.store.receptions_by_id(&receptions).await?;
        let requests = self.store.requests_by_id(&requests).await?;
        Ok(SourceRows {
            comments: comments.into_iter().map(|row| (row.id, row)).collect(),
            registrations: registrations.into_iter().map(|row| (row.id, row)).collect(),
            receptions: receptions.into_iter().map(|row| (row.id, row)).collect(),
            requests: requests.into_iter().map(|row| (row.id, row)).collect(),
            meetings: meetings.into_iter().map(|row| (row.id, row)).collect(),
        })
    }
}

impl Sources {
    /// Checks that no issue but `own` was raised from any of them. The answer names that issue: all who may raise see it.
    pub(super) async fn check_unused(&self, tx: &Tx, own: IssueId) -> Result<(), CommandError> {
        let ids: Vec<Uuid> = self.ids.iter().map(|id| id.parts().1).collect();
        let used = tx.sources_in_use(&ids).await?;
        let Some(other) = used.iter().find(|row| row.issue_id != own) else { return Ok(()) };
        let index = ids.iter().position(|id| *id == other.source_id).unwrap_or_default();
        let number = tx.issue_number(other.issue_id).await?.unwrap_or_default();
        Err(Rejection::AlreadyRaised { number }.at_index(SOURCES, index).into())
    }

    /// Returns the pseudonyms of the people with an account from whose words it is raised, those of merged comments
    /// included.
    pub(super) async fn people(&self, tx: &Tx) -> Result<BTreeSet<String>, StoreError> {
        let authors = tx.authors_of(&self.comments).await?;
        let authors = authors.iter().filter_map(|author| PersonKey::of_author(author)).map(|key| key.0);
        Ok(authors.chain(self.people.iter().cloned()).collect())
    }
}
