//! Where else editions were placed.

use sea_orm::entity::prelude::*;

use crate::ids::PublicationId;

/// A row of `publication_placements`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "publication_placements")]
pub struct Model {
    /// The edition.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publication_id: PublicationId,
    /// Digest of the placement, so that it is recorded once.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: String,
    /// Name of the channel.
    pub channel: String,
    /// Address.
    pub url: Option<String>,
    /// Where it is, in words.
    pub text: Option<String>,
    /// When it was placed there.
    pub placed_at: DateTimeUtc,
    /// When that was recorded.
    pub recorded_at: DateTimeUtc,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
