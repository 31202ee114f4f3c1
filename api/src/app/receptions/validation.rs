//! Validates when, where and by whom a reception is held.

use chrono::{DateTime, Months, TimeDelta, Utc};
use entities::{enums::ReceptionHostRole, ids::ReceptionId, reception, reception_host};

use crate::{
    app::{
        App, CommandError, Rejection,
        input::{Title, check_not_after, check_range, checked_text},
        rejection::Invalid,
    },
    clock::almaty_date,
    domain::{
        author_name::name_key,
        receptions::{Schedule, letter},
        text::is_blank,
    },
    store::{StoreError, Tx, receptions::HostCheck},
};

/// The longest name of a host, in characters.
const MAX_NAME_LENGTH: usize = 200;
/// The longest place or position, in characters.
const MAX_PLACE_LENGTH: usize = 300;
/// The highest number of hosts of a reception.
const MAX_HOSTS: usize = 30;
/// The shortest slot, in minutes.
const MIN_SLOT_MINUTES: i32 = 1;
/// The longest slot, in minutes.
const MAX_SLOT_MINUTES: i32 = 240;
/// The highest number of desks.
const MAX_DESKS: i32 = 50;
/// The highest number of slots of a reception.
const MAX_SLOTS: i32 = 2_000;
/// The longest reception.
const MAX_LENGTH: TimeDelta = TimeDelta::hours(24);
/// How far ahead a reception can be opened.
const MAX_AHEAD: Months = Months::new(12);

/// A host of a reception.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ReceptionHost {
    /// The role.
    pub role: ReceptionHostRole,
    /// The name.
    pub name: String,
    /// The position.
    pub position: Option<Title>,
}

/// Checks the times and desks of a reception.
pub(super) fn check_schedule(schedule: &Schedule, now: DateTime<Utc>) -> Result<(), Rejection> {
    let invalid = |field, why| Err(Rejection::Invalid { field, why });
    check_range("slotMinutes", schedule.slot_minutes, MIN_SLOT_MINUTES, MAX_SLOT_MINUTES)?;
    check_range("desks", schedule.desks, 1, MAX_DESKS)?;
    if schedule.ends_at <= now {
        return invalid("endsAt", Invalid::InPast);
    }
    if schedule.slots_per_desk() < 1 {
        return invalid("endsAt", Invalid::EndsBeforeStart);
    }
    if schedule.ends_at - schedule.starts_at > MAX_LENGTH {
        let (from, to) = (almaty_date(schedule.starts_at), almaty_date(schedule.starts_at + MAX_LENGTH));
        return invalid("endsAt", Invalid::Dates { from, to });
    }
    check_not_after("startsAt", schedule.starts_at, MAX_AHEAD, now)?;
    check_range("desks", schedule.desks, 1, MAX_SLOTS / schedule.slots_per_desk())
}

/// Validates and sets the place of a reception.
pub(super) fn set_place(row: &mut reception::Model, place: &Title) -> Result<(), CommandError> {
    let place = place.checked("place", MAX_PLACE_LENGTH)?;
    (row.place_kk, row.place_ru, row.place_en) = (place.kk, place.ru, place.en);
    Ok(())
}

/// Validates hosts. In a draft a blank name is a role to fill; a reception that people can see leaves such roles out.
pub(super) fn checked_hosts(
    reception: ReceptionId,
    hosts: &[ReceptionHost],
    is_public: bool,
) -> Result<Vec<reception_host::Model>, CommandError> {
    check_some(hosts)?;
    if hosts.len() > MAX_HOSTS {
        return Err(Rejection::Invalid { field: "hosts", why: Invalid::TooMany { max: MAX_HOSTS } }.into());
    }
    let hosts =
        (0..).zip(hosts).map(|(ordinal, host)| check_host(reception, ordinal, host)).collect::<Result<_, _>>()?;
    Ok(if is_public { named_hosts(hosts)? } else { hosts })
}

/// Leaves out the roles that are to be filled.
pub(super) fn named_hosts(mut hosts: Vec<reception_host::Model>) -> Result<Vec<reception_host::Model>, Rejection> {
    hosts.retain(|host| !host.name.is_empty());
    check_some(&hosts)?;
    Ok(hosts)
}

/// Checks that there is a host.
const fn check_some<T>(hosts: &[T]) -> Result<(), Rejection> {
    if hosts.is_empty() { Err(Rejection::Invalid { field: "hosts", why: Invalid::Empty }) } else { Ok(()) }
}

fn check_host(
    reception_id: ReceptionId,
    ordinal: i32,
    host: &ReceptionHost,
) -> Result<reception_host::Model, CommandError> {
    let is_filled = !is_blank(&host.name);
    let name = if is_filled { checked_text("hosts", &host.name, MAX_NAME_LENGTH)? } else { String::new() };
    let position = host.position.as_ref().map(|position| position.checked("hosts", MAX_PLACE_LENGTH)).transpose()?;
    let (position_kk, position_ru, position_en) = position.map_or((None, None, None), |p| (Some(p.kk), p.ru, p.en));
    let name_key = if is_filled { name_key(&name) } else { String::new() };
    Ok(reception_host::Model {
        reception_id,
        ordinal,
        role: host.role,
        name,
        name_key,
        position_kk,
        position_ru,
        position_en,
    })
}

impl App {
    /// Checks that no host sits in another public reception at the same time.
    ///
    /// Namesakes are told apart by oblast only: hosts are people of the district or the oblast.
    pub(super) async fn check_hosts_free(
        &self,
        tx: &Tx,
        row: &reception::Model,
        hosts: &[reception_host::Model],
    ) -> Result<(), CommandError> {
        let mut name_keys: Vec<String> =
            hosts.iter().map(|host| host.name_key.clone()).filter(|key| !key.is_empty()).collect();
        name_keys.sort_unstable();
        name_keys.dedup();
        let oblast = row.host_code.get(..2).ok_or(StoreError::Corrupt("classifier code"))?;
        let (starts_at, ends_at) = (row.starts_at, row.ends_at);
        let check = HostCheck { reception: row.id, oblast, name_keys: &name_keys, starts_at, ends_at };
        match tx.find_busy_host(check).await? {
            Some((host, other)) => {
                Err(Rejection::HostBusy { host, place: other.place_kk, starts_at: other.starts_at }.into())
            }
            None => Ok(()),
        }
    }

    /// Gives a reception a letter for its tickets that no other at its place and day has.
    pub(super) async fn assign_letter(&self, tx: &Tx, row: &mut reception::Model) -> Result<(), StoreError> {
        let nth = tx.take_letter(&row.region_code, almaty_date(row.starts_at)).await?;
        row.letter = Some(letter(nth));
        Ok(())
    }
}
