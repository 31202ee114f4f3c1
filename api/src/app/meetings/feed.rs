//! The feed of all meetings.

use std::sync::Arc;

use entities::{ids::MeetingId, kato::KatoCode, meeting};
use uuid::Uuid;

use crate::{
    domain::{
        feed::{EventFilter, EventKind, FilterValues},
        meeting_events,
        policy::Denied,
        viewer::Viewer,
    },
    feed::{Topic, Visibility, VisibilityOf},
    store::{Store, StoreError},
};

/// The feed of all meetings.
pub struct MeetingTopic(pub Store);

impl Topic for MeetingTopic {
    const NAME: &'static str = meeting_events::TOPIC;
    const KINDS: &'static [EventKind] = meeting_events::ALL;
    type Scope = ();
    type Parent = ();
    type Subject = meeting::Model;
    /// Only meetings held in this unit or below it.
    type Filter = Option<KatoCode>;

    async fn parent(&self, (): ()) -> Result<Option<()>, StoreError> {
        Ok(Some(()))
    }

    async fn subjects(&self, ids: Vec<Uuid>) -> Result<Vec<meeting::Model>, StoreError> {
        let ids: Vec<_> = ids.into_iter().map(MeetingId).collect();
        self.0.meetings_by_id(&ids).await
    }

    fn subject_id(meeting: &meeting::Model) -> Uuid {
        meeting.id.0
    }

    fn filter_values(meeting: &meeting::Model) -> FilterValues {
        FilterValues { region: meeting.region_code.parse().ok(), agency: None }
    }

    fn event_filter(region: &Option<KatoCode>) -> Option<EventFilter> {
        region.map(EventFilter::Within)
    }

    fn visibility(self: Arc<Self>, _: &Viewer, _: Arc<()>, _: Option<KatoCode>) -> Result<VisibilityOf<Self>, Denied> {
        Ok(Box::new(|event, meeting| match (meeting, event.public_kind) {
            (Some(_), Some(kind)) => Visibility::Shared(kind),
            _ => Visibility::Hidden,
        }))
    }
}
