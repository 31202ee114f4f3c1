//! Tickets: a browser that follows a link sends no token, so the link that staff gets carries a ticket.
//!
//! A ticket says only until when it opens the protocol of one meeting as staff sees it, not whose it is.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use entities::{ids::MeetingId, meeting};

use crate::{
    app::App,
    domain::{
        global_id::{MEETING, typed_id},
        policy::{Action as _, SeeAllComments},
        protocol::{ProtocolScope, TICKET_LIFETIME, protocol_scope},
        viewer::Viewer,
    },
    store::StoreError,
};

/// The purpose of the key of tickets.
const PURPOSE: &str = "ticket of a protocol";
/// Length of the time in a ticket, in bytes.
const TIME_LENGTH: usize = 8;

impl App {
    /// Returns the address of a meeting's protocol for the viewer, or `None` if there is none for them yet. That for staff opens
    /// for [`TICKET_LIFETIME`].
    ///
    /// # Errors
    /// When the stored code of the host is malformed.
    pub fn protocol_url(&self, viewer: &Viewer, meeting: &meeting::Model) -> Result<Option<String>, StoreError> {
        let address = self.protocol_address(meeting.id);
        Ok(self.protocol_scope(viewer, meeting)?.map(|scope| match scope {
            ProtocolScope::Public => address,
            ProtocolScope::Staff => format!("{address}?ticket={}", self.protocol_ticket(meeting.id)),
        }))
    }

    /// Returns the address of a meeting's protocol without a ticket.
    pub(super) fn protocol_address(&self, meeting: MeetingId) -> String {
        format!("{}/meetings/{}/protocol", self.public_url, typed_id(MEETING, meeting.0))
    }

    /// Returns which protocol of a meeting the viewer may read.
    pub(super) fn protocol_scope(
        &self,
        viewer: &Viewer,
        meeting: &meeting::Model,
    ) -> Result<Option<ProtocolScope>, StoreError> {
        let sees_all = SeeAllComments::permits(viewer, &self.host_scope_of(meeting)?);
        Ok(protocol_scope(meeting.phase, sees_all))
    }

    fn protocol_ticket(&self, meeting: MeetingId) -> String {
        let until = (self.now() + TICKET_LIFETIME).timestamp_millis().to_be_bytes();
        let code = self.data_keys.authenticate(PURPOSE, &message(meeting, until));
        URL_SAFE_NO_PAD.encode([&until[..], &code].concat())
    }

    /// Returns whether a ticket opens the protocol of a meeting now.
    pub(super) fn is_protocol_ticket(&self, meeting: MeetingId, ticket: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(ticket) else { return false };
        let Some((until, code)) = bytes.split_first_chunk::<TIME_LENGTH>() else { return false };
        let is_open =
            DateTime::<Utc>::from_timestamp_millis(i64::from_be_bytes(*until)).is_some_and(|end| self.now() < end);
        self.data_keys.is_authentic(PURPOSE, &message(meeting, *until), code) && is_open
    }
}

/// Both parts have a fixed length.
fn message(meeting: MeetingId, until: [u8; TIME_LENGTH]) -> Vec<u8> {
    [&meeting.0.as_bytes()[..], &until].concat()
}
