//! The inputs of reception operations.

use async_graphql::{ID, InputObject};
use entities::ids::RegistrationId;

use crate::{
    app::receptions::{OpenReception, ReceptionHost, Register, RegisterWalkIn, UpdateReception, Visit},
    graphql::{
        entity::parse_id,
        enums::{Language, ReceptionHostRole},
        error::ApiResult,
        issues::RaiseIssueInput,
        localized::LocalizedTextInput,
        meetings::Meeting,
        receptions::{Reception, Registration},
        scalars::Timestamp,
    },
};

/// A person who receives people, or a role that is still to be filled.
#[derive(InputObject)]
pub struct ReceptionHostInput {
    /// The role.
    pub role: ReceptionHostRole,
    /// Name of the person; empty while the role is to be filled.
    pub name: String,
    /// Position of the person.
    pub position: Option<LocalizedTextInput>,
}

fn hosts(hosts: Vec<ReceptionHostInput>) -> Vec<ReceptionHost> {
    let host = |one: ReceptionHostInput| ReceptionHost {
        role: one.role.into(),
        name: one.name,
        position: one.position.map(Into::into),
    };
    hosts.into_iter().map(host).collect()
}

/// A reception to be opened.
#[derive(InputObject)]
pub struct OpenReceptionInput {
    /// The meeting after which it is held.
    pub meeting_id: ID,
    /// Place, at most 300 Unicode code points per language.
    pub place: LocalizedTextInput,
    /// Start of the first slot.
    pub starts_at: Timestamp,
    /// End of the reception. No slot ends later.
    pub ends_at: Timestamp,
    /// Length of a slot in minutes.
    pub slot_minutes: i32,
    /// Number of desks.
    #[graphql(default_with = "Some(1)")]
    pub desks: Option<i32>,
    /// Who receives people. Nobody can sit in two receptions at the same time.
    pub hosts: Vec<ReceptionHostInput>,
    /// Whether people can register at once. If false, the reception is a draft that only staff see.
    #[graphql(default_with = "Some(true)")]
    pub open: Option<bool>,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl OpenReceptionInput {
    /// Returns the command and the idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(OpenReception, Option<String>)> {
        let open = OpenReception {
            meeting: parse_id::<Meeting>(&self.meeting_id, "input.meetingId")?,
            place: self.place.into(),
            starts_at: self.starts_at.0,
            ends_at: self.ends_at.0,
            slot_minutes: self.slot_minutes,
            desks: self.desks.unwrap_or(1),
            hosts: hosts(self.hosts),
            open: self.open.unwrap_or(true),
        };
        Ok((open, self.idempotency_key))
    }
}

/// Settings of a reception to change. Omitted fields keep their values.
#[derive(InputObject)]
pub struct UpdateReceptionInput {
    /// The reception.
    pub reception_id: ID,
    /// Place, at most 300 Unicode code points per language.
    pub place: Option<LocalizedTextInput>,
    /// Start of the first slot.
    pub starts_at: Option<Timestamp>,
    /// End of the reception. No slot ends later.
    pub ends_at: Option<Timestamp>,
    /// Length of a slot in minutes.
    pub slot_minutes: Option<i32>,
    /// Number of desks.
    pub desks: Option<i32>,
    /// All hosts. Nobody can sit in two receptions at the same time.
    pub hosts: Option<Vec<ReceptionHostInput>>,
    /// True opens a draft, so that people can register.
    pub open: Option<bool>,
    /// Cancels the reception, for this reason; at most 500 code points.
    pub cancel_reason: Option<String>,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

impl UpdateReceptionInput {
    /// Returns the command.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<UpdateReception> {
        Ok(UpdateReception {
            reception: parse_id::<Reception>(&self.reception_id, "input.receptionId")?,
            place: self.place.map(Into::into),
            starts_at: self.starts_at.map(|at| at.0),
            ends_at: self.ends_at.map(|at| at.0),
            slot_minutes: self.slot_minutes,
            desks: self.desks,
            hosts: self.hosts.map(hosts),
            open: self.open,
            cancel_reason: self.cancel_reason,
            version: self.version,
        })
    }
}

/// A reception to be closed.
#[derive(InputObject)]
pub struct CloseReceptionInput {
    /// The reception.
    pub reception_id: ID,
    /// The version that the client has read; a different current version refuses the change.
    pub version: Option<i32>,
}

/// A registration for a reception.
#[derive(InputObject)]
pub struct RegisterInput {
    /// The reception.
    pub reception_id: ID,
    /// What you want to talk about.
    pub topic: String,
    /// Your name.
    pub name: String,
    /// Your phone number with the country code, for example `+77011234567`.
    pub phone: String,
    /// Your individual identification number (IIN), twelve digits.
    pub iin: Option<String>,
    /// The language in which you want to be received.
    pub language: Language,
    /// Start of the slot; the next free one by default.
    pub slot_starts_at: Option<Timestamp>,
    /// Whether to join the waiting line if no slot is free.
    #[graphql(default_with = "Some(true)")]
    pub wait_if_full: Option<bool>,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl RegisterInput {
    /// Returns the command and the idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(Register, Option<String>)> {
        let register = Register {
            reception: parse_id::<Reception>(&self.reception_id, "input.receptionId")?,
            topic: self.topic,
            name: self.name,
            phone: self.phone,
            iin: self.iin,
            language: self.language.into(),
            slot_starts_at: self.slot_starts_at.map(|at| at.0),
            wait_if_full: self.wait_if_full.unwrap_or(true),
        };
        Ok((register, self.idempotency_key))
    }
}

/// A person who came without a registration.
#[derive(InputObject)]
pub struct RegisterWalkInInput {
    /// The reception.
    pub reception_id: ID,
    /// What the person wants to talk about.
    pub topic: String,
    /// Name of the person.
    pub name: String,
    /// Phone number with the country code, for example `+77011234567`.
    pub phone: Option<String>,
    /// Individual identification number (IIN), twelve digits.
    pub iin: Option<String>,
    /// The language in which the person wants to be received.
    pub language: Language,
    /// Idempotency key: a retry with the same key and input returns the first result. At most 200 code
    /// points, without control characters.
    pub idempotency_key: Option<String>,
}

impl RegisterWalkInInput {
    /// Returns the command and the idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if the id is malformed.
    pub fn parse(self) -> ApiResult<(RegisterWalkIn, Option<String>)> {
        let register = RegisterWalkIn {
            reception: parse_id::<Reception>(&self.reception_id, "input.receptionId")?,
            topic: self.topic,
            name: self.name,
            phone: self.phone,
            iin: self.iin,
            language: self.language.into(),
        };
        Ok((register, self.idempotency_key))
    }
}

/// A registration to be cancelled.
#[derive(InputObject)]
pub struct CancelRegistrationInput {
    /// The registration.
    pub registration_id: ID,
}

/// An offer of a freed slot to be accepted.
#[derive(InputObject)]
pub struct AcceptOfferInput {
    /// The registration that has the offer.
    pub registration_id: ID,
}

/// A desk that calls the next person.
#[derive(InputObject)]
pub struct CallNextInput {
    /// The reception.
    pub reception_id: ID,
    /// The desk, counted from 1.
    pub desk: i32,
}

/// A person to be called once more.
#[derive(InputObject)]
pub struct RecallRegistrationInput {
    /// The registration of the person.
    pub registration_id: ID,
}

/// The end of a visit.
#[derive(InputObject)]
pub struct CloseRegistrationInput {
    /// The registration.
    pub registration_id: ID,
    /// What came of the visit. The person reads it.
    pub outcome: String,
    /// Whether the person was received. False for one who was called and did not come.
    #[graphql(default_with = "Some(true)")]
    pub served: Option<bool>,
    /// An issue to raise from the visit, in addition to its other sources. For akimat staff. Its key is not used: a repeated call raises no
    /// second issue.
    pub raise_issue: Option<RaiseIssueInput>,
}

impl CloseRegistrationInput {
    /// Returns the registration, and how its visit ends.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` if an id is malformed.
    pub fn parse(self) -> ApiResult<(RegistrationId, Visit)> {
        let raise_issue = self.raise_issue.map(|raise| raise.parse().map(|(raise, _)| raise)).transpose()?;
        let visit = Visit { outcome: self.outcome, served: self.served.unwrap_or(true), raise_issue };
        Ok((parse_id::<Registration>(&self.registration_id, "input.registrationId")?, visit))
    }
}

/// A person whose data are to be erased.
#[derive(InputObject)]
pub struct EraseApplicantInput {
    /// The registration of the person.
    pub registration_id: ID,
}
