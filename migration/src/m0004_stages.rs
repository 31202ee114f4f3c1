//! Stage segments, from which the time split is computed (p. 3.3).

use sea_orm_migration::{
    prelude::{
        ConnectionTrait, DbErr, DeriveMigrationName, Expr, ExprTrait, ForeignKey, ForeignKeyAction, Index,
        MigrationTrait, SchemaManager, Table, async_trait,
    },
    schema::{big_integer, integer, string, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid},
};

/// Stage segments, from which the time split is computed (p. 3.3).
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("stage_segments")
                .col(uuid("id").primary_key())
                .col(uuid("meeting_id"))
                .col(integer("ordinal"))
                .col(string("stage"))
                .col(timestamp_with_time_zone("started_at"))
                .col(timestamp_with_time_zone_null("ended_at"))
                .col(big_integer("from_seq"))
                .check(("stage_segments_order_check", Expr::col("ended_at").gte(Expr::col("started_at"))))
                .foreign_key(
                    ForeignKey::create()
                        .name("stage_segments_meeting_id_fkey")
                        .from("stage_segments", "meeting_id")
                        .to("meetings", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create()
                .name("stage_segments_ordinal_key")
                .table("stage_segments")
                .col("meeting_id")
                .col("ordinal")
                .unique()
                .to_owned(),
        )
        .await?;
        // At most one stage runs at a time.
        m.get_connection()
            .execute_unprepared(
                "CREATE UNIQUE INDEX stage_segments_open_key ON stage_segments (meeting_id) WHERE ended_at IS NULL",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("stage_segments").to_owned()).await?;
        Ok(())
    }
}
