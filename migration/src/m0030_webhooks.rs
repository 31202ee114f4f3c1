//! Webhooks, and the deliveries of events to them.

use sea_orm_migration::{
    prelude::{
        ConnectionTrait, DbErr, DeriveMigrationName, Expr, ExprTrait, ForeignKey, ForeignKeyAction, Index,
        MigrationTrait, SchemaManager, Table, async_trait,
    },
    schema::{
        big_integer, boolean, integer, integer_null, string, string_null, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid,
    },
};

/// Indexes for webhooks of an owner; and for deliveries of a webhook that are due, the waiting ones of an issue in the order
/// of positions, and those in a state.
const INDEXES: &str = "CREATE INDEX webhooks_agency_idx ON webhooks (agency, id);
     CREATE INDEX webhooks_region_idx ON webhooks (region_code, id);
     CREATE INDEX webhook_deliveries_due_idx
         ON webhook_deliveries (webhook_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
     CREATE INDEX webhook_deliveries_line_idx
         ON webhook_deliveries (webhook_id, issue_id, seq) WHERE state = 'WAITING';
     CREATE INDEX webhook_deliveries_state_idx ON webhook_deliveries (webhook_id, state, seq)";

/// Creates `webhooks` and `webhook_deliveries`.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("webhooks")
                .col(uuid("id").primary_key())
                .col(text_null("agency"))
                .col(string_null("region_code"))
                .col(text_null("kinds"))
                .col(text("url"))
                .col(string("key_id"))
                .col(text("secret"))
                .col(text_null("previous_secret"))
                .col(timestamp_with_time_zone_null("previous_secret_until"))
                .col(boolean("active"))
                .col(timestamp_with_time_zone_null("failing_since"))
                .col(string_null("last_error"))
                .col(big_integer("begins_after"))
                .col(big_integer("position"))
                .col(integer("generation"))
                .col(timestamp_with_time_zone_null("due_at"))
                .col(text("created_by"))
                .col(timestamp_with_time_zone("created_at"))
                .col(integer("version"))
                .check((
                    "webhooks_owner_check",
                    Expr::col("agency").is_not_null().or(Expr::col("region_code").is_not_null()),
                ))
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("webhook_deliveries")
                .col(uuid("webhook_id"))
                .col(big_integer("seq"))
                .col(uuid("issue_id"))
                .col(string("kind"))
                .col(timestamp_with_time_zone("at"))
                .col(string("state"))
                .col(integer("attempts"))
                .col(integer_null("last_status"))
                .col(string_null("last_error"))
                .col(timestamp_with_time_zone_null("next_attempt_at"))
                .col(timestamp_with_time_zone("retry_until"))
                .col(timestamp_with_time_zone("created_at"))
                .primary_key(Index::create().name("webhook_deliveries_pkey").col("webhook_id").col("seq"))
                .foreign_key(
                    ForeignKey::create()
                        .name("webhook_deliveries_webhook_id_fkey")
                        .from("webhook_deliveries", "webhook_id")
                        .to("webhooks", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        m.get_connection().execute_unprepared(INDEXES).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for table in ["webhook_deliveries", "webhooks"] {
            m.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
