//! The inputs of the mutations of requests.

use async_graphql::{ID, InputObject};

use crate::{
    app::issues::{RecordRequests, RecordedRequest, SubmitRequest},
    graphql::{
        entity::parse_id,
        enums::Language,
        error::ApiResult,
        issues::enums::RequestChannel,
        meetings::Meeting,
        scalars::{Date, KatoCode},
    },
};

/// A request before a meeting.
#[derive(InputObject)]
pub struct SubmitRequestInput {
    /// The unit that it is about.
    pub region: KatoCode,
    /// The meeting for which it is sent: one that has not begun.
    pub meeting_id: Option<ID>,
    /// The text, at most 2,000 code points.
    pub text: String,
    /// Language of the text; guessed by default.
    pub language: Option<Language>,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl SubmitRequestInput {
    /// Returns the command and the idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(SubmitRequest, Option<String>)> {
        let submit = SubmitRequest {
            region: self.region.0,
            meeting: self.meeting_id.map(|id| parse_id::<Meeting>(&id, "input.meetingId")).transpose()?,
            text: self.text,
            language: self.language.map(Into::into),
        };
        Ok((submit, self.idempotency_key))
    }
}

/// Requests that came by other channels.
#[derive(InputObject)]
pub struct RecordRequestsInput {
    /// The meeting for which they came.
    pub meeting_id: ID,
    /// The requests, at most 200.
    pub requests: Vec<RecordedRequestInput>,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

/// A request that came by another channel.
#[derive(InputObject)]
pub struct RecordedRequestInput {
    /// The channel.
    pub channel: RequestChannel,
    /// The text, at most 10,000 code points.
    pub text: String,
    /// Language of the text.
    pub language: Language,
    /// How many people asked the same.
    #[graphql(default_with = "Some(1)")]
    pub count: Option<i32>,
    /// The day on which it came.
    pub received_on: Date,
    /// Its id in the channel, at most 200 code points. One that is recorded already is left out.
    pub external_id: Option<String>,
}

impl RecordRequestsInput {
    /// Returns the command and the idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(RecordRequests, Option<String>)> {
        let request = |request: RecordedRequestInput| RecordedRequest {
            channel: request.channel.into(),
            text: request.text,
            language: request.language.into(),
            count: request.count.unwrap_or(1),
            received_on: request.received_on.0,
            external_id: request.external_id,
        };
        let record = RecordRequests {
            meeting: parse_id::<Meeting>(&self.meeting_id, "input.meetingId")?,
            requests: self.requests.into_iter().map(request).collect(),
        };
        Ok((record, self.idempotency_key))
    }
}
