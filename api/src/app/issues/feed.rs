//! The feed of all issues.

use std::sync::Arc;

use chrono::TimeDelta;
use entities::{enums::Stored as _, ids::IssueId, issue, kato::KatoCode};
use uuid::Uuid;

use crate::{
    app::{App, issues::own_deadline},
    clock::almaty_date,
    domain::{
        agencies::agency_id,
        feed::{Audience, Event, EventFilter, EventKind, FilterValues, Retention},
        issue_events,
        issues::is_overdue,
        policy::{Denied, SeeIssueInternals, own_agencies},
        viewer::Viewer,
    },
    feed::{Topic, Visibility, VisibilityOf},
    store::{StoreError, issue_lists::IssueFilter},
};

/// The feed of all issues.
pub struct IssueTopic(pub Arc<App>);

impl Topic for IssueTopic {
    const NAME: &'static str = issue_events::TOPIC;
    const KINDS: &'static [EventKind] = issue_events::ALL;
    // A body that was away for months still reads what it missed.
    const RETENTION: Retention = Retention { events: Some(10_000_000), age: Some(TimeDelta::days(400)) };
    type Scope = ();
    type Parent = ();
    type Subject = Arc<issue::Model>;
    type Filter = (IssueFilter, Option<String>);

    async fn parent(&self, (): ()) -> Result<Option<()>, StoreError> {
        Ok(Some(()))
    }

    async fn subjects(&self, ids: Vec<Uuid>) -> Result<Vec<Arc<issue::Model>>, StoreError> {
        let ids: Vec<_> = ids.into_iter().map(IssueId).collect();
        Ok(self.0.store.issues_by_id(&ids).await?.into_iter().map(Arc::new).collect())
    }

    fn subject_id(subject: &Arc<issue::Model>) -> Uuid {
        subject.id.0
    }

    fn filter_values(subject: &Arc<issue::Model>) -> FilterValues {
        FilterValues { region: subject.region_code.parse().ok(), agency: None }
    }

    fn event_filter((filter, own): &Self::Filter) -> Option<EventFilter> {
        let agency = filter.agency.as_ref().or(own.as_ref());
        let by_agency = agency.map(|code| EventFilter::OfAgency(agency_id(code).0));
        by_agency.or_else(|| filter.region.map(EventFilter::Within))
    }

    fn visibility(
        self: Arc<Self>,
        viewer: &Viewer,
        _: Arc<()>,
        (filter, _): Self::Filter,
    ) -> Result<VisibilityOf<Self>, Denied> {
        let own = own_agencies(viewer).map(|own| own.iter().map(|code| agency_id(code).0).collect::<Vec<_>>());
        let wanted = filter.agency.as_ref().map(|code| agency_id(code).0);
        let (is_public, viewer) = (viewer.is_public(), viewer.clone());
        Ok(Box::new(move |event, subject| {
            let Some(subject) = subject.filter(|row| row.state.is_known()) else { return Visibility::Hidden };
            if wanted.is_some_and(|agency| event.agency != Some(agency)) || !is_for(event, own.as_deref(), wanted) {
                return Visibility::Hidden;
            }
            // The last event of a body says that the issue is another's now, whatever else the filter asks of it.
            let is_last = event.audience == Audience::Agency;
            if !is_last && !self.selects(&viewer, &filter, subject) {
                return Visibility::Hidden;
            }
            if is_public { Visibility::Shared(event.kind) } else { Visibility::Personal(event.kind) }
        }))
    }
}

/// Returns whether an event is for a follower: for a body, if it was responsible at the event. The last event of a body is for
/// itself, and for those who follow that body.
fn is_for(event: &Event, own: Option<&[Uuid]>, wanted: Option<Uuid>) -> bool {
    match (own, event.audience) {
        (_, Audience::Staff) => false,
        (Some(own), _) => event.agency.is_some_and(|agency| own.contains(&agency)),
        (None, Audience::Everyone) => true,
        (None, Audience::Agency) => wanted.is_some(),
    }
}

impl IssueTopic {
    /// Returns whether a filter selects an issue, whatever its body is.
    fn selects(&self, viewer: &Viewer, filter: &IssueFilter, row: &issue::Model) -> bool {
        let within = |unit: KatoCode| row.region_code.parse().is_ok_and(|region| unit.contains(region));
        let is_overdue = || is_overdue(row.state, own_deadline(row), almaty_date(self.0.clock.now()));
        filter.region.is_none_or(within)
            && filter.meeting.is_none_or(|meeting| row.meeting_id == Some(meeting))
            && filter.level.is_none_or(|level| row.level == level)
            && filter.states.as_ref().is_none_or(|states| states.contains(&row.state))
            && filter.category.as_ref().is_none_or(|category| *category == row.category)
            && filter.overdue.is_none_or(|(overdue, _)| overdue == is_overdue())
            && filter.unsatisfied.is_none_or(|unsatisfied| unsatisfied == row.is_unsatisfied)
            && (filter.words.is_empty() || self.contains(viewer, &filter.words, row))
    }

    /// Returns whether the texts of an issue that the viewer may read contain all words.
    fn contains(&self, viewer: &Viewer, words: &[String], row: &issue::Model) -> bool {
        let sees_internals = !viewer.is_public() && self.0.may::<SeeIssueInternals>(viewer, row).unwrap_or(false);
        let text = if sees_internals { &row.staff_search } else { &row.search };
        words.iter().all(|word| text.contains(word.as_str()))
    }
}
