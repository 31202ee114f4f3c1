//! Personal data of people who registered for a reception, encrypted, in a table of its own.
//!
//! It has no foreign key: registrations outlive their personal data, and are written by another step.

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait},
    schema::{string, string_null, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid},
};

/// Indexes for finding the same person at a reception, for retention, and for the rotation of keys. Erased rows are in none of
/// them but the first.
const INDEXES: &str = "CREATE INDEX applicants_reception_idx ON applicants (reception_id);
     CREATE INDEX applicants_phone_idx ON applicants (reception_id, phone_digest) WHERE phone_digest IS NOT NULL;
     CREATE INDEX applicants_iin_idx ON applicants (reception_id, iin_digest) WHERE iin_digest IS NOT NULL;
     CREATE INDEX applicants_retention_idx ON applicants (reception_ends_at, registration_id) WHERE erased_at IS NULL;
     CREATE INDEX applicants_key_idx ON applicants (key_id, registration_id) WHERE key_id IS NOT NULL";

/// Creates `applicants`.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("applicants")
                .col(uuid("registration_id").primary_key())
                .col(uuid("reception_id"))
                .col(string("host_code"))
                .col(timestamp_with_time_zone("reception_ends_at"))
                .col(string_null("key_id"))
                .col(text_null("name"))
                .col(text_null("phone"))
                .col(text_null("iin"))
                .col(string("language"))
                .col(text_null("phone_digest"))
                .col(text_null("iin_digest"))
                .col(timestamp_with_time_zone_null("erased_at"))
                .col(timestamp_with_time_zone("created_at"))
                .to_owned(),
        )
        .await?;
        m.get_connection().execute_unprepared(INDEXES).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("applicants").to_owned()).await
    }
}
