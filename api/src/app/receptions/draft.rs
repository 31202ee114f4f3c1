//! Creates the draft of a reception when its meeting ends (p. 3.5).

use chrono::{DateTime, TimeDelta, Utc};
use entities::{enums::ReceptionState, ids::ReceptionId, meeting, reception, reception_host};

use crate::{
    app::{App, receptions::reception_event},
    domain::{
        feed::{FeedName, NewEvent},
        reception_events::{CREATED, reception_feed},
        receptions::required_hosts,
    },
    store::{StoreError, Tx},
};

/// Length of a drafted reception.
const DRAFT_LENGTH: TimeDelta = TimeDelta::hours(2);
/// Length of a slot of a drafted reception, in minutes.
const DRAFT_SLOT_MINUTES: i32 = 15;

impl App {
    /// Adds the draft of the reception after a meeting to the transaction that ends the meeting.
    ///
    /// Its place is the meeting's venue and it starts at the meeting's end, until staff say otherwise. Its hosts are the
    /// roles that the decree names (p. 3.5), to be filled. Returns the events to record.
    pub(in crate::app) async fn draft_reception(
        &self,
        tx: &Tx,
        meeting: &meeting::Model,
        now: DateTime<Utc>,
    ) -> Result<Vec<(FeedName, NewEvent)>, StoreError> {
        let starts_at = meeting.ended_at.unwrap_or(now);
        let place = self.default_place(meeting);
        let mut row = new_reception(ReceptionId(self.ids.next(now)), meeting, now);
        (row.starts_at, row.ends_at) = (starts_at, starts_at + DRAFT_LENGTH);
        (row.place_kk, row.place_ru, row.place_en) = place;
        let hosts = (0..).zip(required_hosts()).map(|(ordinal, role)| reception_host::Model {
            reception_id: row.id,
            ordinal,
            role: *role,
            name: String::new(),
            name_key: String::new(),
            position_kk: None,
            position_ru: None,
            position_en: None,
        });
        let hosts = hosts.collect();
        let created = reception_event(&row, CREATED);
        let id = row.id;
        tx.insert_reception(row).await?;
        tx.replace_hosts(id, hosts).await?;
        Ok(vec![(reception_feed(), created)])
    }

    /// Returns the meeting's venue, or the name of the unit where it was held.
    fn default_place(&self, meeting: &meeting::Model) -> (String, Option<String>, Option<String>) {
        if let Some(venue) = &meeting.venue_kk {
            return (venue.clone(), meeting.venue_ru.clone(), meeting.venue_en.clone());
        }
        let tree = self.tree();
        let unit = meeting.region_code.parse().ok().and_then(|code| tree.unit(tree.get(code)?));
        unit.map_or_else(
            || (meeting.region_code.clone(), None, None),
            |unit| (unit.names.kk.clone(), Some(unit.names.ru.clone()), None),
        )
    }
}

/// Returns an empty draft of a reception after a meeting.
pub(super) fn new_reception(id: ReceptionId, meeting: &meeting::Model, now: DateTime<Utc>) -> reception::Model {
    reception::Model {
        id,
        meeting_id: meeting.id,
        host_code: meeting.host_code.clone(),
        region_code: meeting.region_code.clone(),
        place_kk: String::new(),
        place_ru: None,
        place_en: None,
        starts_at: now,
        ends_at: now,
        slot_minutes: DRAFT_SLOT_MINUTES,
        desks: 1,
        state: ReceptionState::Draft,
        letter: None,
        last_number: 0,
        last_place: 0,
        booked_in_a_row: 0,
        cancel_reason: None,
        opened_at: None,
        closed_at: None,
        created_by: None,
        created_at: now,
        version: 1,
    }
}
