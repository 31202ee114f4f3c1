//! Scheduled and queued jobs.

use sea_orm_migration::{
    prelude::{
        ConnectionTrait, DbErr, DeriveMigrationName, Expr, ExprTrait, Index, MigrationTrait, SchemaManager, Table,
        async_trait,
    },
    schema::{big_integer, integer, string, text, text_null, timestamp_with_time_zone_null},
};

/// Indexes for due and for parked jobs.
const INDEXES: &str = "CREATE INDEX jobs_due_idx ON jobs (run_at, kind);
     CREATE INDEX jobs_parked_idx ON jobs (kind) WHERE parked_at IS NOT NULL";

/// Creates `jobs`.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("jobs")
                .col(string("kind"))
                .col(text("key"))
                .col(timestamp_with_time_zone_null("run_at"))
                .col(integer("attempts"))
                .col(timestamp_with_time_zone_null("lease_until"))
                .col(big_integer("fence"))
                .col(text_null("payload"))
                .col(timestamp_with_time_zone_null("parked_at"))
                .primary_key(Index::create().name("jobs_pkey").col("kind").col("key"))
                .check(("jobs_attempts_check", Expr::col("attempts").gte(0)))
                .to_owned(),
        )
        .await?;
        m.get_connection().execute_unprepared(INDEXES).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("jobs").to_owned()).await
    }
}
