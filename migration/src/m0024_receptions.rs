//! Personal receptions, their hosts and registrations.

#![expect(clippy::too_many_lines, reason = "a table reads best in one piece")]

use sea_orm_migration::{
    prelude::{
        ConnectionTrait, DbErr, DeriveMigrationName, Expr, ExprTrait, ForeignKey, ForeignKeyAction, Index,
        MigrationTrait, SchemaManager, Table, async_trait,
    },
    schema::{
        boolean, date, integer, integer_null, string, string_null, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid,
    },
};

/// Indexes. The partial unique ones hold what the rules promise: a slot is held once, a person is registered once,
/// and a desk has one open call.
const INDEXES: &str = "
    CREATE INDEX receptions_meeting_idx ON receptions (meeting_id, starts_at);
    CREATE INDEX receptions_time_idx ON receptions (starts_at);
    CREATE INDEX reception_hosts_name_idx ON reception_hosts (name_key) WHERE name_key <> '';
    CREATE UNIQUE INDEX registrations_number_key ON registrations (reception_id, number);
    CREATE UNIQUE INDEX registrations_slot_key ON registrations (reception_id, slot_starts_at, slot_desk)
        WHERE slot_starts_at IS NOT NULL AND state IN ('OFFERED', 'BOOKED', 'CALLED', 'SERVED', 'NO_SHOW');
    CREATE UNIQUE INDEX registrations_person_key ON registrations (reception_id, person)
        WHERE person IS NOT NULL AND state IN ('WAITING', 'OFFERED', 'BOOKED', 'CALLED');
    CREATE INDEX registrations_of_person_idx ON registrations (person, id) WHERE person IS NOT NULL;
    CREATE UNIQUE INDEX registrations_desk_key ON registrations (reception_id, call_desk) WHERE state = 'CALLED'";

/// Personal receptions (p. 3.5).
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("receptions")
                .col(uuid("id").primary_key())
                .col(uuid("meeting_id"))
                .col(string("host_code"))
                .col(string("region_code"))
                .col(text("place_kk"))
                .col(text_null("place_ru"))
                .col(text_null("place_en"))
                .col(timestamp_with_time_zone("starts_at"))
                .col(timestamp_with_time_zone("ends_at"))
                .col(integer("slot_minutes"))
                .col(integer("desks"))
                .col(string("state"))
                .col(string_null("letter"))
                .col(integer("last_number"))
                .col(integer("last_place"))
                .col(integer("booked_in_a_row"))
                .col(text_null("cancel_reason"))
                .col(timestamp_with_time_zone_null("opened_at"))
                .col(timestamp_with_time_zone_null("closed_at"))
                .col(string_null("created_by"))
                .col(timestamp_with_time_zone("created_at"))
                .col(integer("version"))
                .check(("receptions_slot_minutes_check", Expr::col("slot_minutes").gt(0)))
                .check(("receptions_desks_check", Expr::col("desks").gt(0)))
                .foreign_key(
                    ForeignKey::create()
                        .name("receptions_meeting_id_fkey")
                        .from("receptions", "meeting_id")
                        .to("meetings", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("reception_hosts")
                .col(uuid("reception_id"))
                .col(integer("ordinal"))
                .col(string("role"))
                .col(text("name"))
                .col(text("name_key"))
                .col(text_null("position_kk"))
                .col(text_null("position_ru"))
                .col(text_null("position_en"))
                .primary_key(Index::create().name("reception_hosts_pkey").col("reception_id").col("ordinal"))
                .foreign_key(
                    ForeignKey::create()
                        .name("reception_hosts_reception_id_fkey")
                        .from("reception_hosts", "reception_id")
                        .to("receptions", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("reception_locks")
                .col(string("scope"))
                .col(text("name"))
                .col(integer("locks"))
                .primary_key(Index::create().name("reception_locks_pkey").col("scope").col("name"))
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("reception_letters")
                .col(string("region_code"))
                .col(date("day"))
                .col(integer("used"))
                .primary_key(Index::create().name("reception_letters_pkey").col("region_code").col("day"))
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("registrations")
                .col(uuid("id").primary_key())
                .col(uuid("reception_id"))
                .col(string_null("person"))
                .col(integer("number"))
                .col(string("state"))
                .col(boolean("is_walk_in"))
                .col(timestamp_with_time_zone_null("slot_starts_at"))
                .col(integer_null("slot_desk"))
                .col(integer("place"))
                .col(timestamp_with_time_zone_null("offer_expires_at"))
                .col(timestamp_with_time_zone_null("freed_at"))
                .col(integer_null("call_desk"))
                .col(timestamp_with_time_zone_null("first_called_at"))
                .col(timestamp_with_time_zone_null("called_at"))
                .col(integer("calls"))
                .col(timestamp_with_time_zone_null("closed_at"))
                .col(text("topic"))
                .col(text_null("outcome"))
                .col(timestamp_with_time_zone("created_at"))
                .col(integer("version"))
                .foreign_key(
                    ForeignKey::create()
                        .name("registrations_reception_id_fkey")
                        .from("registrations", "reception_id")
                        .to("receptions", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        m.get_connection().execute_unprepared(INDEXES).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for table in ["registrations", "reception_letters", "reception_locks", "reception_hosts", "receptions"] {
            m.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
