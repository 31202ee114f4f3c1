//! Records where else an edition was placed.

use chrono::{DateTime, Utc};
use entities::{enums::OutreachChannel, ids::PublicationId, publication, publication_placement};
use url::Url;

use crate::{
    app::{
        App, CommandError, Rejection, digest::sha256_hex, input::checked_text, publications::permit::audit_shard,
        rejection::Invalid,
    },
    clock::almaty_date,
    domain::{
        audit::{AuditActor, NewAuditEntry, PLACEMENT_RECORDED},
        characters::without_invisible,
        global_id::{PUBLICATION, typed_id},
        issues::MAX_NOTE_LENGTH,
        norms::DECREE_2022,
        notification::PersonKey,
        policy::{Publish, authorize, check_publishes_anything},
        publications::MAX_PLACEMENTS,
        text::is_longer_than,
        viewer::Viewer,
    },
};

/// The longest URL, in characters.
const MAX_URL_LENGTH: usize = 2000;

/// Where something was placed.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NewPlacement {
    /// The channel.
    pub channel: OutreachChannel,
    /// Address.
    pub url: Option<String>,
    /// Where it is, in words.
    pub text: Option<String>,
    /// When it was placed there.
    pub placed_at: DateTime<Utc>,
}

impl App {
    /// Records where else an edition was placed. What is recorded already is not recorded again.
    ///
    /// # Errors
    /// Rejected when a field breaks a rule, or there are too many placements.
    pub async fn record_placement(
        &self,
        viewer: &Viewer,
        id: PublicationId,
        placement: &NewPlacement,
    ) -> Result<publication::Model, CommandError> {
        let now = self.now();
        check_publishes_anything(viewer)?;
        let missing = || Rejection::NotFound { field: "publicationId" };
        let row = self.store.publications_by_id(&[id]).await?.pop().ok_or_else(missing)?;
        let publisher = self.publisher_of(&self.store, &row).await?;
        let person = authorize::<Publish>(viewer, &publisher)?.person;
        let placement = self
            .checked_placements(std::slice::from_ref(placement), now)
            .map_err(below_placement)?
            .pop()
            .ok_or_else(missing)?;
        let tx = self.store.begin().await?;
        // Locked, so that no two calls pass the limit together.
        tx.lock_publication(id).await?.ok_or_else(missing)?;
        if tx.insert_placements(vec![placement_row(id, &placement, now)]).await? == 0 {
            return Ok(row);
        }
        if tx.count_placements(id).await? > u64::try_from(MAX_PLACEMENTS).unwrap_or(u64::MAX) {
            let why = Invalid::TooMany { max: MAX_PLACEMENTS };
            return Err(Rejection::Invalid { field: "placement", why }.into());
        }
        let entry = NewAuditEntry {
            id: self.ids.next(now),
            at: now,
            actor: AuditActor::Staff(PersonKey::of(&person.subject).0),
            action: PLACEMENT_RECORDED,
            subject: typed_id(PUBLICATION, id.0),
            detail: Some(placement.channel.as_str().to_owned()),
        };
        tx.append_audit(&audit_shard(&publisher), &[entry]).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Validates and cleans placements. Each has an address or a text, and lies between the decree and today.
    pub(super) fn checked_placements(
        &self,
        placements: &[NewPlacement],
        now: DateTime<Utc>,
    ) -> Result<Vec<NewPlacement>, Rejection> {
        if placements.len() > MAX_PLACEMENTS {
            let why = Invalid::TooMany { max: MAX_PLACEMENTS };
            return Err(Rejection::Invalid { field: LIST, why });
        }
        let checked =
            |(index, placement)| checked_placement(placement, now).map_err(|rejection| rejection.at_index(LIST, index));
        placements.iter().enumerate().map(checked).collect()
    }
}

/// The name of the list in the input of `publish`.
const LIST: &str = "placements";

/// Returns the rejection of the only placement of an input.
fn below_placement(rejection: Rejection) -> Rejection {
    match rejection {
        Rejection::AtIndex { cause, .. } => *cause,
        other => other,
    }
}

fn checked_placement(placement: &NewPlacement, now: DateTime<Utc>) -> Result<NewPlacement, Rejection> {
    let url = placement.url.as_deref().map(checked_url).transpose()?;
    let text = placement.text.as_deref().map(|text| checked_text("text", text, MAX_NOTE_LENGTH)).transpose();
    let text = text.map_err(|error| match error {
        CommandError::Rejected(rejection) => *rejection,
        _ => Rejection::Invalid { field: "text", why: Invalid::Empty },
    })?;
    if url.is_none() && text.is_none() {
        return Err(Rejection::Invalid { field: "url", why: Invalid::Empty });
    }
    let (day, from, to) = (almaty_date(placement.placed_at), DECREE_2022.valid_from, almaty_date(now));
    if day < from || placement.placed_at > now {
        return Err(Rejection::Invalid { field: "placedAt", why: Invalid::Dates { from, to } });
    }
    Ok(NewPlacement { channel: placement.channel, url, text, placed_at: placement.placed_at })
}

fn checked_url(url: &str) -> Result<String, Rejection> {
    let address = without_invisible(url);
    let address = address.trim();
    if is_longer_than(address, MAX_URL_LENGTH) {
        return Err(Rejection::TooLong { field: "url", max: MAX_URL_LENGTH });
    }
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // The URL parser would silently drop line breaks and tabs.
    let url = url.filter(|_| !address.contains(char::is_control));
    Ok(url.ok_or(Rejection::Invalid { field: "url", why: Invalid::Url })?.into())
}

/// Returns the row of a placement. Equal placements have equal keys.
pub(super) fn placement_row(
    id: PublicationId,
    placement: &NewPlacement,
    now: DateTime<Utc>,
) -> publication_placement::Model {
    let NewPlacement { channel, url, text, placed_at } = placement.clone();
    let parts = [Some(channel.as_str()), url.as_deref(), text.as_deref()];
    let parts = serde_json::json!([parts, placed_at.timestamp_micros()]).to_string();
    publication_placement::Model {
        publication_id: id,
        digest: sha256_hex(&parts),
        channel: channel.as_str().to_owned(),
        url,
        text,
        placed_at,
        recorded_at: now,
    }
}
