//! Meetings and their broadcasts.

#![expect(clippy::too_many_lines, reason = "a table reads best in one piece")]

use sea_orm_migration::{
    prelude::{
        DbErr, DeriveMigrationName, Expr, ExprTrait, ForeignKey, ForeignKeyAction, Index, MigrationTrait,
        SchemaManager, Table, async_trait,
    },
    schema::{
        boolean, integer, string, string_null, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid,
    },
};

/// Meetings and their broadcasts.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("meetings")
                .col(uuid("id").primary_key())
                .col(string("region_code"))
                .col(string("host_code"))
                .col(text("title_kk"))
                .col(text_null("title_ru"))
                .col(text_null("title_en"))
                .col(text("search"))
                .col(string("origin"))
                .col(text_null("off_calendar_reason"))
                .col(text_null("venue_kk"))
                .col(text_null("venue_ru"))
                .col(text_null("venue_en"))
                .col(timestamp_with_time_zone("planned_start"))
                .col(integer("planned_minutes"))
                .col(string("phase"))
                .col(timestamp_with_time_zone_null("announced_at"))
                .col(timestamp_with_time_zone_null("date_announced_at"))
                .col(text("channels"))
                .col(text_null("reschedule_reason"))
                .col(text_null("cancel_reason"))
                .col(timestamp_with_time_zone_null("started_at"))
                .col(timestamp_with_time_zone_null("ended_at"))
                .col(string("moderation"))
                .col(integer("slow_mode_seconds"))
                .col(boolean("accepting_comments"))
                .col(text("blocked_words"))
                .col(integer("last_receipt"))
                .col(timestamp_with_time_zone_null("warned_at"))
                .col(timestamp_with_time_zone_null("exceeded_at"))
                .col(string("created_by"))
                .col(timestamp_with_time_zone("created_at"))
                .col(integer("version"))
                .check(("meetings_planned_minutes_check", Expr::col("planned_minutes").gt(0)))
                .check(("meetings_slow_mode_check", Expr::col("slow_mode_seconds").gte(0)))
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create()
                .name("meetings_planned_start_idx")
                .table("meetings")
                .col("planned_start")
                .col("id")
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create()
                .name("meetings_region_idx")
                .table("meetings")
                .col("region_code")
                .col("planned_start")
                .col("id")
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create()
                .name("meetings_host_idx")
                .table("meetings")
                .col("host_code")
                .col("planned_start")
                .col("id")
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("broadcasts")
                .col(uuid("id").primary_key())
                .col(uuid("meeting_id"))
                .col(integer("ordinal"))
                .col(string("platform"))
                .col(text("url"))
                .col(string_null("external_id"))
                .col(boolean("comments_enabled"))
                .col(timestamp_with_time_zone_null("started_at"))
                .col(timestamp_with_time_zone_null("ended_at"))
                .foreign_key(
                    ForeignKey::create()
                        .name("broadcasts_meeting_id_fkey")
                        .from("broadcasts", "meeting_id")
                        .to("meetings", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create()
                .name("broadcasts_ordinal_key")
                .table("broadcasts")
                .col("meeting_id")
                .col("ordinal")
                .unique()
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("broadcasts").to_owned()).await?;
        m.drop_table(Table::drop().table("meetings").to_owned()).await?;
        Ok(())
    }
}
