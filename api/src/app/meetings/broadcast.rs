//! Adds an online broadcast to a meeting (p. 3.2).

use entities::{
    broadcast,
    enums::{MeetingPhase, Platform},
    ids::{BroadcastId, MeetingId},
    meeting,
};
use url::Url;

use crate::{
    app::{
        App, CommandError, Rejection, idempotency::idempotency_key, input::checked_text, meetings::check_step,
        rejection::Invalid,
    },
    domain::{
        characters::without_invisible,
        feed::EventKind,
        meeting::{MAX_BROADCASTS, MAX_TITLE_LENGTH, MeetingStep},
        policy,
        text::is_longer_than,
        viewer::Viewer,
    },
    store::StoreError,
};

/// The longest URL, in characters.
const MAX_URL_LENGTH: usize = 2000;

/// A broadcast to add.
#[derive(Clone, Debug, serde::Serialize)]
pub struct AddBroadcast {
    /// The meeting.
    pub meeting: MeetingId,
    /// The platform.
    pub platform: Platform,
    /// URL of the broadcast.
    pub url: String,
    /// Id on the platform.
    pub external_id: Option<String>,
    /// Whether the platform accepts comments.
    pub comments_enabled: bool,
}

impl App {
    /// Adds a broadcast to a meeting that is not over.
    ///
    /// # Errors
    /// Rejected when the meeting is over, or the URL is not valid.
    pub async fn add_broadcast(
        &self,
        viewer: &Viewer,
        add: AddBroadcast,
        key: Option<&str>,
    ) -> Result<meeting::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::AddBroadcast>(viewer, add.meeting).await?;
        let key = idempotency_key(viewer.subject().unwrap_or_default(), "addBroadcast", key, &add)?;
        let address = without_invisible(&add.url);
        let address = address.trim();
        if is_longer_than(address, MAX_URL_LENGTH) {
            return Err(Rejection::TooLong { field: "url", max: MAX_URL_LENGTH }.into());
        }
        let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        // The URL parser would silently drop line breaks and tabs.
        let url = url
            .filter(|_| !address.contains(char::is_control))
            .ok_or(Rejection::Invalid { field: "url", why: Invalid::Url })?;
        let external_id = add.external_id.map(|id| checked_text("externalId", &id, MAX_TITLE_LENGTH)).transpose()?;
        let id = BroadcastId(self.ids.next(now));
        let tx = self.store.begin().await?;
        let repeat = tx.claim_idempotency_key(key.as_ref(), id.0, now).await?;
        let locked = self.lock_permitted(tx, &permit).await?;
        let (tx, meeting) = (&locked.tx, &locked.meeting);
        if repeat.is_some() {
            return Ok(locked.meeting);
        }
        check_step(meeting, None, MeetingStep::AddBroadcast)?;
        let there = tx.broadcasts(meeting.id).await?.len();
        if there >= MAX_BROADCASTS {
            return Err(Rejection::Invalid { field: "meetingId", why: Invalid::TooMany { max: MAX_BROADCASTS } }.into());
        }
        tx.insert_broadcast(broadcast::Model {
            id,
            meeting_id: meeting.id,
            ordinal: i32::try_from(there).map_err(|_| StoreError::Corrupt("count of broadcasts"))? + 1,
            platform: add.platform,
            url: url.into(),
            external_id,
            comments_enabled: add.comments_enabled,
            started_at: (meeting.phase == MeetingPhase::Live).then_some(now),
            ended_at: None,
        })
        .await?;
        Ok(self.save(locked, EventKind::CHANGED).await?)
    }
}
