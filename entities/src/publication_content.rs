//! The published bytes of editions. A row never changes.

use sea_orm::entity::prelude::*;

use crate::ids::PublicationId;

/// A row of `publication_contents`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "publication_contents")]
pub struct Model {
    /// The edition.
    #[sea_orm(primary_key, auto_increment = false)]
    pub publication_id: PublicationId,
    /// The bytes of its JSON.
    pub content: Vec<u8>,
}

/// No relations. The store joins rows explicitly.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
