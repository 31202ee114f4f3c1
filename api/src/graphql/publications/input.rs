//! The inputs of publications.

use async_graphql::{ID, InputObject};
use entities::ids::{MeetingId, PublicationId};

use crate::{
    app::{
        publications::{NewPlacement, PublishPublication},
        reads::PublicationFilter,
    },
    domain::publications::WantedPublication,
    graphql::{
        entity::parse_id,
        enums::OutreachChannel,
        error::{ApiError, ApiResult},
        meetings::{Meeting, start_of_day},
        page::dedup,
        period::PeriodInput,
        publications::{entity::Publication, enums::PublicationKind},
        scalars::{Date, KatoCode, Timestamp},
    },
};

/// The longest code in a filter.
const MAX_CODE_LENGTH: usize = 60;

/// Filter of a list of publications. All given conditions must hold.
#[derive(InputObject, Clone, Debug, Default)]
#[graphql(name = "PublicationFilter")]
pub struct PublicationFilterInput {
    /// Any of these kinds.
    pub kinds: Option<Vec<PublicationKind>>,
    /// About this unit or one below it.
    pub region: Option<KatoCode>,
    /// About the body with this code.
    pub agency: Option<String>,
    /// About this meeting.
    pub meeting_id: Option<ID>,
    /// Published on this day or later.
    pub from: Option<Date>,
    /// Published on this day or earlier.
    pub to: Option<Date>,
}

impl PublicationFilterInput {
    /// Converts the filter for the store.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if an id or a code is malformed.
    pub fn parse(self) -> ApiResult<PublicationFilter> {
        // Some databases cannot look for every text.
        let is_code = |text: &String| text.len() <= MAX_CODE_LENGTH && text.bytes().all(|byte| byte.is_ascii_graphic());
        if self.agency.as_ref().is_some_and(|agency| !is_code(agency)) {
            return Err(ApiError::bad("filter.agency"));
        }
        let next_day = |date: Date| date.0.succ_opt().map(Date).ok_or_else(|| ApiError::bad("filter.to"));
        Ok(PublicationFilter {
            kinds: self.kinds.map(dedup),
            region: self.region.map(|code| code.0),
            agency: self.agency,
            meeting: meeting_id(self.meeting_id.as_ref(), "filter.meetingId")?,
            from: self.from.map(|date| start_of_day(date, "filter.from")).transpose()?,
            until: self.to.map(|date| start_of_day(next_day(date)?, "filter.to")).transpose()?,
        })
    }
}

fn meeting_id(id: Option<&ID>, field: &str) -> ApiResult<Option<MeetingId>> {
    id.map(|id| parse_id::<Meeting>(id, field)).transpose()
}

/// What would be published.
#[derive(InputObject)]
pub struct PublicationDraftInput {
    /// The kind.
    pub kind: PublicationKind,
    /// The unit; for PROGRESS.
    pub region: Option<KatoCode>,
    /// Code of the body; for AGENCY_LIST.
    pub agency: Option<String>,
    /// The meeting; for MEETING_RESULTS.
    pub meeting_id: Option<ID>,
    /// The period, which must have begun: a quarter for PROGRESS and AGENCY_LIST, a half-year for CENTRAL_LIST.
    pub period: Option<PeriodInput>,
}

impl PublicationDraftInput {
    /// Returns what would be published.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id or the period is malformed.
    pub fn parse(self) -> ApiResult<WantedPublication> {
        Ok(WantedPublication {
            kind: self.kind.into(),
            region: self.region.map(|code| code.0),
            agency: self.agency,
            meeting: meeting_id(self.meeting_id.as_ref(), "input.meetingId")?,
            period: self.period.map(|period| period.parse("input.period")).transpose()?,
        })
    }
}

/// Something to publish.
#[derive(InputObject)]
pub struct PublishInput {
    /// The kind.
    pub kind: PublicationKind,
    /// The unit; for PROGRESS.
    pub region: Option<KatoCode>,
    /// Code of the body; for AGENCY_LIST.
    pub agency: Option<String>,
    /// The meeting; for MEETING_RESULTS.
    pub meeting_id: Option<ID>,
    /// The period, which must have begun: a quarter for PROGRESS and AGENCY_LIST, a half-year for CENTRAL_LIST.
    pub period: Option<PeriodInput>,
    /// Where else it is placed, at most 100.
    pub placements: Option<Vec<PlacementInput>>,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl PublishInput {
    /// Returns the command and the idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id or the period is malformed.
    pub fn parse(self) -> ApiResult<(PublishPublication, Option<String>)> {
        let Self { kind, region, agency, meeting_id, period, placements, idempotency_key } = self;
        let wanted = PublicationDraftInput { kind, region, agency, meeting_id, period }.parse()?;
        let placements = placements.unwrap_or_default().into_iter().map(Into::into).collect();
        Ok((PublishPublication { wanted, placements }, idempotency_key))
    }
}

/// Where something was placed: an address, a text, or both.
#[derive(InputObject)]
pub struct PlacementInput {
    /// The channel.
    pub channel: OutreachChannel,
    /// Address: an HTTP or HTTPS URL of at most 2000 code points.
    pub url: Option<String>,
    /// Where it is, in words; at most 1,000 code points.
    pub text: Option<String>,
    /// When it was placed there; not in the future.
    pub placed_at: Timestamp,
}

impl From<PlacementInput> for NewPlacement {
    fn from(input: PlacementInput) -> Self {
        let PlacementInput { channel, url, text, placed_at } = input;
        Self { channel: channel.into(), url, text, placed_at: placed_at.0 }
    }
}

/// Where else an edition was placed.
#[derive(InputObject)]
pub struct RecordPlacementInput {
    /// The edition.
    pub publication_id: ID,
    /// Where it was placed.
    pub placement: PlacementInput,
}

impl RecordPlacementInput {
    /// Returns the edition and the placement.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(PublicationId, NewPlacement)> {
        Ok((parse_id::<Publication>(&self.publication_id, "input.publicationId")?, self.placement.into()))
    }
}
