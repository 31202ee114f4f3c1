//! The feed of all meetings.

use std::sync::Arc;

use entities::{ids::MeetingId, kato::KatoCode, meeting};
use uuid::Uuid;

use crate::{
    domain::{
        feed::{EventKind, FilterValues},
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
        FilterValues { region: meeting.region_code.parse().ok() }
    }

    fn visibility(
        self: Arc<Self>,
        _: &Viewer,
        _: Arc<()>,
        region: Option<KatoCode>,
    ) -> Result<VisibilityOf<Self>, Denied> {
        Ok(Box::new(move |event, meeting| match (meeting, event.public_kind) {
            (Some(meeting), Some(kind)) if region.is_none_or(|region| lies_in(&meeting.region_code, region)) => {
                Visibility::Shared(kind)
            }
            _ => Visibility::Hidden,
        }))
    }
}

fn lies_in(code: &str, region: KatoCode) -> bool {
    let (first, last) = region.subtree();
    code.parse().is_ok_and(|code: KatoCode| (first..=last).contains(&code))
}
