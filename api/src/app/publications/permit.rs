//! What a publication is about, and who may publish it.

use entities::{enums::MeetingPhase, meeting, publication};

use crate::{
    app::{
        App, CommandError, Rejection, parse_code,
        reads::{IssueFilter, PublishedIssues},
        rejection::Invalid,
    },
    clock::almaty_date,
    domain::{
        announcement::start_of_day,
        audit::{AGENCY_SHARD, COUNTRY},
        meeting::WrongPhase,
        policy::{Publish, Publisher, authorize, check_publishes_anything},
        publications::{BadSubject, PublicationSubject, WantedPublication},
        viewer::{Person, Viewer},
    },
    store::{Store, StoreError},
};

/// Proof that a viewer may publish something, with what it is about.
pub struct PublicationPermit<'v> {
    pub(super) subject: PublicationSubject,
    pub(super) publisher: Publisher,
    pub(super) person: &'v Person,
    /// The meeting that it is about.
    pub(super) meeting: Option<meeting::Model>,
}

impl From<BadSubject> for Rejection {
    fn from(bad: BadSubject) -> Self {
        let (field, why) = match bad {
            BadSubject::Kind => ("kind", Invalid::PublicationKind),
            BadSubject::Missing(field) => (field, Invalid::Empty),
            BadSubject::NotAQuarter => ("period", Invalid::BegunQuarter),
            BadSubject::NotAHalf => ("period", Invalid::BegunHalf),
        };
        Self::Invalid { field, why }
    }
}

impl App {
    /// Authorises the publication that a caller names. Every meeting, unit and body is public.
    pub(super) async fn permit_publication<'v>(
        &self,
        store: &Store,
        viewer: &'v Viewer,
        wanted: &WantedPublication,
    ) -> Result<PublicationPermit<'v>, CommandError> {
        // Whoever publishes nothing learns nothing about inputs.
        check_publishes_anything(viewer)?;
        let subject = PublicationSubject::of(wanted, almaty_date(self.now())).map_err(Rejection::from)?;
        let meeting = match &subject {
            PublicationSubject::MeetingResults(id) => {
                let meeting = store.meetings_by_id(&[*id]).await?.pop();
                Some(meeting.ok_or(Rejection::NotFound { field: "meetingId" })?)
            }
            _ => None,
        };
        let publisher = self.publisher(&subject, meeting.as_ref())?;
        let person = authorize::<Publish>(viewer, &publisher)?.person;
        self.check_subject(&subject)?;
        Ok(PublicationPermit { subject, publisher, person, meeting })
    }

    /// Returns who publishes something.
    fn publisher(
        &self,
        subject: &PublicationSubject,
        meeting: Option<&meeting::Model>,
    ) -> Result<Publisher, StoreError> {
        Ok(match subject {
            PublicationSubject::MeetingResults(_) => {
                Publisher::Akimat(self.host_scope_of(meeting.ok_or(StoreError::Corrupt("meeting"))?)?)
            }
            PublicationSubject::Progress(region, _) => Publisher::Akimat(self.host_scope(*region)),
            PublicationSubject::AgencyList(agency, _) => Publisher::Agency(agency.clone()),
            PublicationSubject::CentralList(_) => Publisher::Government,
        })
    }

    /// Returns who publishes further editions of what was published.
    pub(super) async fn publisher_of(&self, store: &Store, row: &publication::Model) -> Result<Publisher, StoreError> {
        if let Some(id) = row.meeting_id {
            let meeting = store.meetings_by_id(&[id]).await?.pop().ok_or(StoreError::Corrupt("meeting"))?;
            return Ok(Publisher::Akimat(self.host_scope_of(&meeting)?));
        }
        Ok(match (&row.agency, &row.region_code) {
            (Some(agency), _) => Publisher::Agency(agency.clone()),
            (None, Some(region)) => Publisher::Akimat(self.host_scope(parse_code(region)?)),
            (None, None) => Publisher::Government,
        })
    }

    /// Checks that the unit has an akim, and that the body is known.
    fn check_subject(&self, subject: &PublicationSubject) -> Result<(), Rejection> {
        let invalid = |field, why| Err(Rejection::Invalid { field, why });
        match subject {
            PublicationSubject::Progress(region, _) => {
                let tree = self.tree();
                match tree.get(*region).and_then(|node| tree.unit(node)) {
                    None => invalid("region", Invalid::UnknownRegion),
                    Some(unit) if !unit.has_akim => invalid("region", Invalid::NoAkim),
                    Some(_) => Ok(()),
                }
            }
            PublicationSubject::AgencyList(agency, _) if self.agencies().get(agency).is_none() => {
                invalid("agency", Invalid::UnknownAgency)
            }
            _ => Ok(()),
        }
    }
}

impl PublicationPermit<'_> {
    /// Returns which issues it is about.
    #[must_use]
    pub fn issues(&self) -> IssueFilter {
        let of_period = self.subject.period().map(|period| PublishedIssues {
            results_of: None,
            raised_before: start_of_day(period.end()),
            open_or_changed_since: start_of_day(period.first_day()),
        });
        let filter = IssueFilter { published: of_period, ..IssueFilter::default() };
        match &self.subject {
            PublicationSubject::MeetingResults(meeting) => {
                let published = PublishedIssues { results_of: Some(*meeting), ..PublishedIssues::default() };
                IssueFilter { published: Some(published), ..filter }
            }
            PublicationSubject::Progress(region, _) => IssueFilter { region: Some(*region), ..filter },
            PublicationSubject::AgencyList(agency, _) => IssueFilter { agency: Some(agency.clone()), ..filter },
            PublicationSubject::CentralList(_) => {
                IssueFilter { level: Some(entities::enums::IssueLevel::Central), ..filter }
            }
        }
    }

    /// Checks that a meeting is over, so that it has results.
    pub(super) fn check_ended(&self) -> Result<(), CommandError> {
        match &self.meeting {
            Some(meeting) if !matches!(meeting.phase, MeetingPhase::Ended | MeetingPhase::Closed) => {
                Err(WrongPhase(meeting.phase).into())
            }
            _ => Ok(()),
        }
    }
}

/// Returns the chain of the audit log in which a publisher's entries are.
pub(super) fn audit_shard(publisher: &Publisher) -> String {
    match publisher {
        Publisher::Akimat(scope) => scope.host.to_string(),
        Publisher::Agency(code) => format!("{AGENCY_SHARD}{code}"),
        Publisher::Government => COUNTRY.to_owned(),
    }
}
