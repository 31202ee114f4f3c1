//! Requests that people send in before a meeting, and those that staff records from other channels (p. 3.4).

use std::collections::HashSet;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use entities::{
    enums::{Language, MeetingPhase, RequestChannel},
    ids::{MeetingId, RequestId},
    kato::KatoCode,
    meeting, public_request,
};
use serde::Serialize;

use crate::{
    app::{
        App, CommandError, Rejection,
        idempotency::idempotency_key,
        input::{check_range, text_rejection},
        parse_code,
        rejection::Invalid,
    },
    clock::almaty_date,
    domain::{
        issues::{MAX_NOTE_LENGTH, MAX_TEXT_LENGTH, request_number},
        meeting::WrongPhase,
        normalization::normalize_for_search,
        norms::DECREE_2022,
        notification::PersonKey,
        policy::{self, authorize},
        region_letters::letters_of,
        text::{guess_language, is_longer_than, multi_line},
        viewer::Viewer,
    },
    store::Tx,
};

/// The prefix of the series of numbers of requests.
const SERIES: &str = "R-";
/// The most requests that are recorded at once.
const MAX_RECORDED: usize = 200;
/// The most people for whom one recorded request stands.
const MAX_COUNT: i32 = 1_000_000;
/// The longest id of a request in its channel, in characters.
const MAX_ID_LENGTH: usize = 200;
/// The name of the list in the input.
const REQUESTS: &str = "requests";

/// A request of the viewer.
#[derive(Clone, Debug, Serialize)]
pub struct SubmitRequest {
    /// The unit that it is about.
    pub region: KatoCode,
    /// The meeting for which it is sent.
    pub meeting: Option<MeetingId>,
    /// The text.
    pub text: String,
    /// Language of the text; guessed by default.
    pub language: Option<Language>,
}

/// Requests that came by other channels.
#[derive(Clone, Debug, Serialize)]
pub struct RecordRequests {
    /// The meeting for which they came.
    pub meeting: MeetingId,
    /// The requests.
    pub requests: Vec<RecordedRequest>,
}

/// A request that came by another channel.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedRequest {
    /// The channel.
    pub channel: RequestChannel,
    /// The text.
    pub text: String,
    /// Language of the text.
    pub language: Language,
    /// How many people asked the same.
    pub count: i32,
    /// The day on which it came.
    pub received_on: NaiveDate,
    /// Its id in the channel: one that is recorded already is left out.
    pub external_id: Option<String>,
}

impl App {
    /// Sends a request before a meeting.
    ///
    /// # Errors
    /// Rejected when the unit or the meeting does not exist, the meeting is over, or the text breaks a rule.
    pub async fn submit_request(
        &self,
        viewer: &Viewer,
        command: &SubmitRequest,
        key: Option<&str>,
    ) -> Result<public_request::Model, CommandError> {
        let now = self.now();
        let person = authorize::<policy::SubmitRequest>(viewer, &self.host_scope(command.region))?.person;
        let key = idempotency_key(&person.subject, "submitRequest", key, command)?;
        let id = RequestId(self.ids.next(now));
        let checked = self.checked_request(command).await;
        let tx = self.store.begin().await?;
        if let Some(first) = tx.claim_idempotency_key(key.as_ref(), id.0, now).await? {
            let first = tx.requests(&[RequestId(first)]).await?.pop();
            return first.ok_or_else(|| Rejection::NotFound { field: "idempotencyKey" }.into());
        }
        let (text, letters) = checked?;
        if let Some(id) = command.meeting {
            // Locked before the counter, in the order of all commands.
            let meeting = tx.lock_meeting(id).await?.ok_or(Rejection::NotFound { field: "meetingId" })?;
            check_before(&meeting)?;
        }
        let row = public_request::Model {
            id,
            number: take_number(&tx, &letters, now).await?,
            meeting_id: command.meeting,
            region_code: command.region.to_string(),
            channel: RequestChannel::MeetingForm,
            search: normalize_for_search(&text),
            language: command.language.unwrap_or_else(|| guess_language(&text)),
            text,
            count: 1,
            received_on: almaty_date(now),
            external_id: None,
            person: Some(PersonKey::of(&person.subject).0),
            created_at: now,
        };
        tx.insert_requests(vec![row.clone()]).await?;
        self.commit(tx).await?;
        Ok(row)
    }

    /// Records requests that came by other channels, up to 200 at once. Those whose ids are recorded already are left out.
    ///
    /// # Errors
    /// Rejected when the meeting is cancelled, or a request breaks a rule: then none is recorded.
    pub async fn record_requests(
        &self,
        viewer: &Viewer,
        command: &RecordRequests,
        key: Option<&str>,
    ) -> Result<meeting::Model, CommandError> {
        let now = self.now();
        let permit = self.permit_meeting::<policy::RaiseIssue>(viewer, command.meeting).await?;
        let subject = viewer.subject().ok_or(CommandError::Unauthenticated)?;
        let key = idempotency_key(subject, "recordRequests", key, command)?;
        let texts = checked_recorded(&command.requests, almaty_date(now));
        let tx = self.store.begin().await?;
        // The requests have ids of their own, and the result none: each call has one.
        if tx.claim_idempotency_key(key.as_ref(), self.ids.next(now), now).await?.is_some() {
            return Ok(permit.meeting);
        }
        let texts = texts?;
        let locked = self.lock_permitted(tx, &permit).await?;
        let (tx, meeting) = (locked.tx, locked.meeting);
        if meeting.phase == MeetingPhase::Cancelled {
            return Err(WrongPhase(meeting.phase).into());
        }
        self.insert_recorded(&tx, &meeting, (&command.requests, texts), now).await?;
        self.commit(tx).await?;
        Ok(meeting)
    }

    async fn insert_recorded(
        &self,
        tx: &Tx,
        meeting: &meeting::Model,
        (requests, texts): (&[RecordedRequest], Vec<String>),
        now: DateTime<Utc>,
    ) -> Result<(), CommandError> {
        let region = parse_code(&meeting.region_code)?;
        let letters = letters_of(region);
        let ids: Vec<_> = requests.iter().filter_map(|request| request.external_id.clone()).collect();
        let known = tx.recorded_requests(meeting.id, &ids).await?;
        let mut seen: HashSet<_> = known.into_iter().collect();
        let mut new = Vec::new();
        for (request, text) in requests.iter().zip(texts) {
            let own = request.external_id.clone().map(|id| (request.channel, id));
            if own.is_none_or(|own| seen.insert(own)) {
                new.push((request, text));
            }
        }
        let Ok(count) = i32::try_from(new.len()) else { return Ok(()) };
        if count == 0 {
            return Ok(());
        }
        let year = almaty_date(now).year();
        let first = tx.take_numbers(&format!("{SERIES}{letters}"), year, count).await?;
        let rows = new.into_iter().zip(first..).map(|((request, text), counter)| public_request::Model {
            id: RequestId(self.ids.next(now)),
            number: request_number(&letters, year, counter),
            meeting_id: Some(meeting.id),
            region_code: meeting.region_code.clone(),
            channel: request.channel,
            search: normalize_for_search(&text),
            text,
            language: request.language,
            count: request.count,
            received_on: request.received_on,
            external_id: request.external_id.clone(),
            person: None,
            created_at: now,
        });
        tx.insert_requests(rows.collect()).await?;
        Ok(())
    }

    /// Validates a request of a person, and returns its text and the letters of its number.
    async fn checked_request(&self, command: &SubmitRequest) -> Result<(String, String), CommandError> {
        let letters = self.letters_of_region(command.region)?;
        if let Some(id) = command.meeting {
            let meeting = self.store.meetings_by_id(&[id]).await?.pop();
            let meeting = meeting.ok_or(Rejection::NotFound { field: "meetingId" })?;
            let place = parse_code(&meeting.region_code)?;
            // A request about another unit would be seen by the staff of neither.
            if !place.contains(command.region) && !command.region.contains(place) {
                return Err(Rejection::NotFound { field: "meetingId" }.into());
            }
            check_before(&meeting)?;
        }
        let text = multi_line(&command.text, MAX_NOTE_LENGTH * 2).map_err(|bad| text_rejection("text", bad))?;
        Ok((text, letters))
    }
}

/// Checks that a meeting has not begun.
fn check_before(meeting: &meeting::Model) -> Result<(), CommandError> {
    if matches!(meeting.phase, MeetingPhase::Planned | MeetingPhase::Announced) {
        return Ok(());
    }
    Err(WrongPhase(meeting.phase).into())
}

async fn take_number(tx: &Tx, letters: &str, now: DateTime<Utc>) -> Result<String, CommandError> {
    let year = almaty_date(now).year();
    Ok(request_number(letters, year, tx.take_numbers(&format!("{SERIES}{letters}"), year, 1).await?))
}

/// Validates recorded requests and returns their texts.
fn checked_recorded(requests: &[RecordedRequest], today: NaiveDate) -> Result<Vec<String>, CommandError> {
    if requests.is_empty() {
        return Err(Rejection::Invalid { field: REQUESTS, why: Invalid::Empty }.into());
    }
    if requests.len() > MAX_RECORDED {
        return Err(Rejection::Invalid { field: REQUESTS, why: Invalid::TooMany { max: MAX_RECORDED } }.into());
    }
    let mut texts = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        texts.push(checked_one(request, today).map_err(|bad| bad.at_index(REQUESTS, index))?);
    }
    Ok(texts)
}

fn checked_one(request: &RecordedRequest, today: NaiveDate) -> Result<String, Rejection> {
    check_range("count", request.count, 1, MAX_COUNT)?;
    let from = DECREE_2022.valid_from;
    if !(from..=today).contains(&request.received_on) {
        return Err(Rejection::Invalid { field: "receivedOn", why: Invalid::Dates { from, to: today } });
    }
    if let Some(id) = &request.external_id {
        if id.is_empty() {
            return Err(Rejection::Invalid { field: "externalId", why: Invalid::Empty });
        }
        if id.chars().any(char::is_control) {
            return Err(Rejection::Invalid { field: "externalId", why: Invalid::ControlCharacter });
        }
        if is_longer_than(id, MAX_ID_LENGTH) {
            return Err(Rejection::TooLong { field: "externalId", max: MAX_ID_LENGTH });
        }
    }
    multi_line(&request.text, MAX_TEXT_LENGTH).map_err(|bad| text_rejection("text", bad))
}
