//! Editions of publications (p. 3.5, 5.2, 5.3). A row never changes.

use sea_orm::entity::prelude::*;

use crate::{
    enums::PublicationKind,
    ids::{MeetingId, PublicationId},
};

/// A row of `publications`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "publications")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PublicationId,
    /// The kind.
    pub kind: PublicationKind,
    /// What all editions have in common: the kind, what it is about, and the period.
    pub series: String,
    /// Number of the edition, from 1 without gaps.
    pub edition: i32,
    /// The edition before.
    pub supersedes: Option<PublicationId>,
    /// Code of the unit that it is about.
    pub region_code: Option<String>,
    /// Code of the body that it is about.
    pub agency: Option<String>,
    /// The meeting that it is about.
    pub meeting_id: Option<MeetingId>,
    /// The period, for example `2026-Q1` or `2026-H1`.
    pub period: Option<String>,
    /// Title in Kazakh.
    pub title_kk: String,
    /// Title in Russian.
    pub title_ru: Option<String>,
    /// Title in English.
    pub title_en: Option<String>,
    /// SHA-256 of the published bytes, in hexadecimal digits.
    pub sha256: String,
    /// SHA-256 of what editions are compared by: the content without number and time.
    pub content_sha256: String,
    /// When it was published.
    pub published_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
