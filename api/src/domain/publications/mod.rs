//! Publications (p. 3.5, 5.2, 5.3): what they are about, what they need, and what an edition contains.

mod document;
mod missing;
mod title;

use chrono::NaiveDate;
use entities::{enums::PublicationKind, ids::MeetingId, kato::KatoCode};

pub use self::{
    document::{
        Content, Document, FundingItem, IssueItem, MeetingItem, NamedItem, NormItem, PeriodItem, QuestionItem,
        ReceptionItem, ReportItem, SCHEMA_PATH, StepItem, Texts, document_schema,
    },
    missing::{IssueFacts, MissingAbout, MissingPart, Part, missing_of_issue, missing_of_reception},
    title::title_of,
};
use crate::domain::{
    global_id::{MEETING, typed_id},
    norms::paragraph,
    period::Period,
};

/// The most issues of an edition.
pub const MAX_ISSUES: usize = 10_000;
/// The largest size of the long texts of an edition, in bytes.
pub const MAX_CONTENT_BYTES: usize = 16 << 20;
/// The most missing parts that are listed one by one.
pub const MAX_MISSING: usize = 500;
/// The most placements of an edition.
pub const MAX_PLACEMENTS: usize = 100;

/// What a publication is about. Its editions have it in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PublicationSubject {
    /// The results of a meeting (p. 3.5).
    MeetingResults(MeetingId),
    /// Progress on the issues of a unit and those below it in a quarter (p. 3.5).
    Progress(KatoCode, Period),
    /// The issues of a body in a quarter (p. 5.3).
    AgencyList(String, Period),
    /// The issues that need central bodies, in a half-year (p. 5.2).
    CentralList(Period),
}

/// A publication as a caller names it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct WantedPublication {
    /// The kind.
    pub kind: PublicationKind,
    /// The unit.
    pub region: Option<KatoCode>,
    /// Code of the body.
    pub agency: Option<String>,
    /// The meeting.
    pub meeting: Option<MeetingId>,
    /// The period.
    pub period: Option<Period>,
}

/// Why nothing can be published so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSubject {
    /// No edition of this kind can be published yet.
    Kind,
    /// A field that the kind needs is missing.
    Missing(&'static str),
    /// The kind needs a quarter that has begun.
    NotAQuarter,
    /// The kind needs a half-year that has begun.
    NotAHalf,
}

impl PublicationSubject {
    /// Returns what a publication is about, as of a day. Fields that the kind does not need are ignored.
    ///
    /// # Errors
    /// When a field is missing, or the period is not one of the kind's or has not begun.
    pub fn of(wanted: &WantedPublication, today: NaiveDate) -> Result<Self, BadSubject> {
        let begun = |is_of_kind: fn(Period) -> bool, bad: BadSubject| -> Result<Period, BadSubject> {
            let period = wanted.period.ok_or(BadSubject::Missing("period"))?;
            if is_of_kind(period) && period.first_day() <= today { Ok(period) } else { Err(bad) }
        };
        let quarter = || begun(|period| period.quarter().is_some(), BadSubject::NotAQuarter);
        match wanted.kind {
            PublicationKind::MeetingResults => {
                Ok(Self::MeetingResults(wanted.meeting.ok_or(BadSubject::Missing("meetingId"))?))
            }
            PublicationKind::Progress => {
                Ok(Self::Progress(wanted.region.ok_or(BadSubject::Missing("region"))?, quarter()?))
            }
            PublicationKind::AgencyList => {
                let agency = wanted.agency.clone().ok_or(BadSubject::Missing("agency"))?;
                Ok(Self::AgencyList(agency, quarter()?))
            }
            PublicationKind::CentralList => {
                Ok(Self::CentralList(begun(|period| period.half().is_some(), BadSubject::NotAHalf)?))
            }
            PublicationKind::Calendar | PublicationKind::Unknown => Err(BadSubject::Kind),
        }
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> PublicationKind {
        match self {
            Self::MeetingResults(_) => PublicationKind::MeetingResults,
            Self::Progress(..) => PublicationKind::Progress,
            Self::AgencyList(..) => PublicationKind::AgencyList,
            Self::CentralList(_) => PublicationKind::CentralList,
        }
    }

    /// Returns the period.
    #[must_use]
    pub const fn period(&self) -> Option<Period> {
        match self {
            Self::MeetingResults(_) => None,
            Self::Progress(_, period) | Self::AgencyList(_, period) | Self::CentralList(period) => Some(*period),
        }
    }

    /// Returns what its editions have in common, as text.
    #[must_use]
    pub fn series(&self) -> String {
        let kind = self.kind().as_str();
        match self {
            Self::MeetingResults(meeting) => format!("{kind} {}", typed_id(MEETING, meeting.0)),
            Self::Progress(region, period) => format!("{kind} {region} {period}"),
            Self::AgencyList(agency, period) => format!("{kind} {agency} {period}"),
            Self::CentralList(period) => format!("{kind} {period}"),
        }
    }

    /// Returns the paragraph of the decree that asks for it.
    #[must_use]
    pub const fn norm(&self) -> &'static str {
        match self {
            Self::MeetingResults(_) | Self::Progress(..) => paragraph::RESULTS,
            Self::AgencyList(..) => paragraph::AGENCY_LIST,
            Self::CentralList(_) => paragraph::CENTRAL_LIST,
        }
    }

    /// Returns what each of its issues contributes.
    #[must_use]
    pub const fn contribution(&self) -> Contribution {
        match self {
            Self::MeetingResults(_) => Contribution { questions: true, reports: Reports::None },
            Self::Progress(..) => Contribution { questions: false, reports: Reports::OfPeriod },
            Self::AgencyList(..) => Contribution { questions: false, reports: Reports::UntilPeriod },
            Self::CentralList(_) => Contribution { questions: false, reports: Reports::None },
        }
    }
}

/// What an issue contributes beside what the public sees of every issue: its texts, body, deadline, plan and money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The public questions that it was raised from.
    pub questions: bool,
    /// Its reports.
    pub reports: Reports,
}

/// Which reports on an issue are in a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reports {
    /// None.
    None,
    /// That of the period.
    OfPeriod,
    /// That of the period and those before it.
    UntilPeriod,
}

impl Reports {
    /// Returns whether the report of a quarter is in a publication about a period. Quarters are compared by their names, which sort by time.
    #[must_use]
    pub fn contain(self, quarter: &str, period: Option<Period>) -> bool {
        let Some(period) = period.map(|period| period.to_string()) else { return false };
        match self {
            Self::None => false,
            Self::OfPeriod => quarter == period,
            Self::UntilPeriod => *quarter <= *period,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn wanted(kind: PublicationKind, period: Option<&str>) -> WantedPublication {
        WantedPublication {
            kind,
            region: Some("751110000".parse().unwrap()),
            agency: Some("min-health".to_owned()),
            meeting: Some(MeetingId(Uuid::from_u128(1))),
            period: period.map(|text| text.parse().unwrap()),
        }
    }

    #[test]
    fn each_kind_needs_its_fields_and_its_period() {
        use PublicationKind::{AgencyList, Calendar, CentralList, MeetingResults, Progress};
        let of = |kind, period| PublicationSubject::of(&wanted(kind, period), day("2026-03-02"));
        for (kind, period, expected) in [
            (MeetingResults, None, Ok("MEETING_RESULTS mtg_00000000000000000000000001")),
            (Progress, Some("2026-Q1"), Ok("PROGRESS 751110000 2026-Q1")),
            (Progress, Some("2026-Q2"), Err(BadSubject::NotAQuarter)),
            (Progress, Some("2026-H1"), Err(BadSubject::NotAQuarter)),
            (Progress, None, Err(BadSubject::Missing("period"))),
            (AgencyList, Some("2025-Q4"), Ok("AGENCY_LIST min-health 2025-Q4")),
            (CentralList, Some("2026-H1"), Ok("CENTRAL_LIST 2026-H1")),
            (CentralList, Some("2026-H2"), Err(BadSubject::NotAHalf)),
            (CentralList, Some("2026"), Err(BadSubject::NotAHalf)),
            (Calendar, Some("2026"), Err(BadSubject::Kind)),
        ] {
            let series = of(kind, period).map(|subject| subject.series());
            assert_eq!(series.as_deref().map_err(|bad| *bad), expected, "{kind:?} {period:?}");
        }
        for (kind, field) in [(MeetingResults, "meetingId"), (Progress, "region"), (AgencyList, "agency")] {
            let nothing = WantedPublication { region: None, agency: None, meeting: None, ..wanted(kind, None) };
            assert_eq!(PublicationSubject::of(&nothing, day("2026-03-02")), Err(BadSubject::Missing(field)));
        }
    }

    #[test]
    fn reports_belong_to_their_period() {
        let period = Some("2026-Q1".parse().unwrap());
        let contained =
            |reports: Reports| ["2025-Q4", "2026-Q1", "2026-Q2"].map(|quarter| reports.contain(quarter, period));
        assert_eq!(contained(Reports::None), [false, false, false]);
        assert_eq!(contained(Reports::OfPeriod), [false, true, false]);
        assert_eq!(contained(Reports::UntilPeriod), [true, true, false]);
    }
}
