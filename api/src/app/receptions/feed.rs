//! The feed of all receptions.

use std::{collections::HashMap, sync::Arc};

use entities::{
    ids::{MeetingId, ReceptionId, RegistrationId},
    kato::KatoCode,
    reception, registration,
};
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        feed::{Event, EventFilter, EventKind, FilterValues},
        notification::PersonKey,
        policy::Denied,
        reception_events,
        viewer::Viewer,
    },
    feed::{Topic, Visibility, VisibilityOf},
    store::StoreError,
};

/// The feed of all receptions.
pub struct ReceptionTopic(pub Arc<App>);

/// What an event of the feed is about.
#[derive(Clone, Debug)]
pub struct ReceptionSubject {
    /// The id by which the event names it.
    pub id: Uuid,
    /// The reception.
    pub reception: Arc<reception::Model>,
    /// The registration, if the event is about one.
    pub registration: Option<Arc<registration::Model>>,
}

/// The receptions that a follower subscribes to. All given conditions must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceptionFilter {
    /// Only those after this meeting.
    pub meeting: Option<MeetingId>,
    /// Only those in this unit or below it.
    pub region: Option<KatoCode>,
}

impl Topic for ReceptionTopic {
    const NAME: &'static str = reception_events::TOPIC;
    const KINDS: &'static [EventKind] = reception_events::ALL;
    type Scope = ();
    type Parent = ();
    type Subject = ReceptionSubject;
    type Filter = ReceptionFilter;

    async fn parent(&self, (): ()) -> Result<Option<()>, StoreError> {
        Ok(Some(()))
    }

    async fn subjects(&self, ids: Vec<Uuid>) -> Result<Vec<ReceptionSubject>, StoreError> {
        let registrations: Vec<_> = ids.iter().copied().map(RegistrationId).collect();
        let registrations = self.0.store.registrations_by_id(&registrations).await?;
        let owners = registrations.iter().map(|row| row.reception_id);
        let receptions: Vec<_> = ids.into_iter().map(ReceptionId).chain(owners).collect();
        let receptions = self.0.store.receptions_by_id(&receptions).await?;
        let receptions: HashMap<_, _> = receptions.into_iter().map(|row| (row.id, Arc::new(row))).collect();
        let of_receptions = receptions.values().map(|row| ReceptionSubject {
            id: row.id.0,
            reception: Arc::clone(row),
            registration: None,
        });
        let of_registrations = registrations.into_iter().filter_map(|row| {
            let reception = Arc::clone(receptions.get(&row.reception_id)?);
            Some(ReceptionSubject { id: row.id.0, reception, registration: Some(Arc::new(row)) })
        });
        Ok(of_receptions.chain(of_registrations).collect())
    }

    fn subject_id(subject: &ReceptionSubject) -> Uuid {
        subject.id
    }

    fn filter_values(subject: &ReceptionSubject) -> FilterValues {
        FilterValues { region: subject.reception.region_code.parse().ok(), agency: None }
    }

    fn event_filter(filter: &ReceptionFilter) -> Option<EventFilter> {
        filter.region.map(EventFilter::Within)
    }

    fn visibility(
        self: Arc<Self>,
        viewer: &Viewer,
        _: Arc<()>,
        filter: ReceptionFilter,
    ) -> Result<VisibilityOf<Self>, Denied> {
        let viewer = viewer.clone();
        let own = PersonKey::of_viewer(&viewer).map(|key| key.0);
        Ok(Box::new(move |event, subject| {
            let Some(subject) = subject else { return Visibility::Hidden };
            if filter.meeting.is_some_and(|meeting| subject.reception.meeting_id != meeting) {
                return Visibility::Hidden;
            }
            let person = subject.registration.as_ref().and_then(|row| row.person.as_deref());
            let is_own = own.is_some() && own.as_deref() == person;
            let is_staff =
                !viewer.is_public() && self.0.may_run_reception(&viewer, &subject.reception).unwrap_or(false);
            if is_own || is_staff { Visibility::Personal(event.kind) } else { public_visibility(event, subject) }
        }))
    }
}

/// Returns what the public is shown: what happened since the reception was opened.
fn public_visibility(event: &Event, subject: &ReceptionSubject) -> Visibility {
    match event.public_kind {
        Some(kind) if subject.reception.opened_at.is_some() => Visibility::Shared(kind),
        _ => Visibility::Hidden,
    }
}
