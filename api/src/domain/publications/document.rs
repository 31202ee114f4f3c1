//! The content of an edition, as it is published in JSON. Its schema is version 1: fields are only added, and all of them optional.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use crate::domain::{localized_name::LocalizedName, norms::DECREE_2022};

/// The path at which the schema of these documents is served.
pub const SCHEMA_PATH: &str = "/schemas/publication-1.json";

/// Returns the schema of published documents.
#[must_use]
pub fn document_schema() -> Schema {
    schema_for!(Document)
}

/// An edition of a publication of the akims' meetings with the population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Address of the schema.
    #[serde(rename = "$schema")]
    pub schema: String,
    /// Id of the edition.
    pub id: String,
    /// The kind: `MEETING_RESULTS`, `PROGRESS`, `AGENCY_LIST` or `CENTRAL_LIST`.
    pub kind: String,
    /// Number of the edition, from 1.
    pub edition: i32,
    /// Id of the edition before; null for the first.
    pub supersedes: Option<String>,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// What is published. The next edition differs in it.
    pub content: Content,
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Title.
    pub title: Texts,
    /// The norm that asks for it.
    pub norm: NormItem,
    /// The unit that it is about.
    pub region: Option<NamedItem>,
    /// The body that it is about.
    pub agency: Option<NamedItem>,
    /// The meeting that it is about.
    pub meeting: Option<MeetingItem>,
    /// The period that it is about.
    pub period: Option<PeriodItem>,
    /// The personal receptions after the meeting, by start.
    pub receptions: Vec<ReceptionItem>,
    /// The issues, newest first.
    pub issues: Vec<IssueItem>,
}

/// A text in Kazakh, and in other languages where there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Texts {
    /// In Kazakh, the state language.
    pub kk: String,
    /// In Russian.
    pub ru: Option<String>,
    /// In English.
    pub en: Option<String>,
}

impl From<&LocalizedName> for Texts {
    fn from(name: &LocalizedName) -> Self {
        Self { kk: name.kk.clone(), ru: name.ru.clone(), en: name.en.clone() }
    }
}

/// A paragraph of the decree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NormItem {
    /// The act.
    pub act: Texts,
    /// The paragraph, for example `3.5`.
    pub paragraph: String,
}

impl NormItem {
    /// Returns a paragraph of the decree.
    #[must_use]
    pub fn of(paragraph: &str) -> Self {
        let [kk, ru, en] = [DECREE_2022.citation_kk, DECREE_2022.citation_ru, DECREE_2022.citation_en];
        let act = Texts { kk: kk.to_owned(), ru: Some(ru.to_owned()), en: Some(en.to_owned()) };
        Self { act, paragraph: paragraph.to_owned() }
    }
}

/// Something with a code and a name: a unit, a body or a category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedItem {
    /// The code.
    pub code: String,
    /// The name.
    pub name: Texts,
}

/// A meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeetingItem {
    /// Its id.
    pub id: String,
    /// Title.
    pub title: Texts,
    /// The unit whose akim held it.
    pub host: NamedItem,
    /// When it was planned to start.
    pub planned_start: DateTime<Utc>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeriodItem {
    /// The period, for example `2026-Q1` or `2026-H1`.
    pub name: String,
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
}

/// A personal reception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceptionItem {
    /// The place.
    pub place: Texts,
    /// When it began.
    pub starts_at: DateTime<Utc>,
    /// When it ended.
    pub ends_at: DateTime<Utc>,
    /// `CLOSED` or `CANCELLED`.
    pub state: String,
}

/// A problem issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssueItem {
    /// The number that people quote.
    pub number: String,
    /// Id of the issue.
    pub id: String,
    /// Title.
    pub title: String,
    /// The description, once it is released.
    pub description: Option<String>,
    /// Language of the texts: `KK`, `RU` or `EN`.
    pub language: String,
    /// The category.
    pub category: NamedItem,
    /// The unit that it is about.
    pub region: NamedItem,
    /// Which bodies it needs: `LOCAL` or `CENTRAL`.
    pub level: String,
    /// The state: `REGISTERED`, `ASSIGNED`, `IN_PROGRESS`, `RESOLVED` or `DECLINED`.
    pub state: String,
    /// The responsible body.
    pub responsible: Option<NamedItem>,
    /// The day by which it is to be solved.
    pub deadline: Option<NaiveDate>,
    /// The steps of the plan, in their order.
    pub plan: Vec<StepItem>,
    /// What the maslikhat decided about the money.
    pub funding: Option<FundingItem>,
    /// Reports on it, by quarter.
    pub reports: Vec<ReportItem>,
    /// What was done about it, or why it was declined.
    pub resolution: Option<String>,
    /// The public questions that it was raised from.
    pub questions: Vec<QuestionItem>,
}

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepItem {
    /// What is to be done.
    pub action: String,
    /// The body that does it.
    pub executor: NamedItem,
    /// The day by which it is due.
    pub due: NaiveDate,
    /// When it was done.
    pub done_at: Option<DateTime<Utc>>,
}

/// What a maslikhat session decided about the money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FundingItem {
    /// The decision: `NOT_NEEDED`, `PENDING`, `FUNDED` or `REFUSED`.
    pub decision: String,
    /// The money that is needed, in whole tenge, as decimal digits.
    pub needed: String,
    /// Day of the session.
    pub session: Option<NaiveDate>,
    /// Where the money comes from.
    pub source: Option<String>,
}

/// A quarterly report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportItem {
    /// The quarter, for example `2026-Q1`.
    pub quarter: String,
    /// What was done.
    pub text: String,
    /// How much is done, 0 to 100.
    pub percent: i32,
}

/// A public question. Its text stays at the meeting, where it can still be hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuestionItem {
    /// Id of the question.
    pub id: String,
    /// Its receipt at the meeting, for example `Q-0001`.
    pub receipt: String,
}
