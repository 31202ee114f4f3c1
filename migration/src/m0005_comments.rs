//! Comments, votes and mutes.

#![expect(clippy::too_many_lines, reason = "a table reads best in one piece")]

use sea_orm_migration::{
    prelude::{
        ConnectionTrait, DbErr, DeriveMigrationName, Expr, ExprTrait, ForeignKey, ForeignKeyAction, Index,
        MigrationTrait, SchemaManager, Table, async_trait,
    },
    schema::{
        big_integer, boolean, integer, string, string_null, text, text_null, timestamp_with_time_zone,
        timestamp_with_time_zone_null, uuid, uuid_null,
    },
};

/// Comments, votes and mutes.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("comments")
                .col(uuid("id").primary_key())
                .col(uuid("meeting_id"))
                .col(integer("receipt"))
                .col(string("kind"))
                .col(text("body"))
                .col(text("search"))
                .col(string("language"))
                .col(string_null("author_key"))
                .col(text("author_name"))
                .col(string_null("platform"))
                .col(uuid_null("broadcast_id"))
                .col(string_null("external_id"))
                .col(string("state"))
                .col(text_null("state_reason"))
                .col(integer("votes"))
                .col(timestamp_with_time_zone_null("votes_shown_at"))
                .col(boolean("votes_unshown"))
                .col(text("labels"))
                .col(timestamp_with_time_zone("posted_at"))
                .col(big_integer("posted_seq"))
                .col(timestamp_with_time_zone_null("selected_at"))
                .col(timestamp_with_time_zone_null("answered_at"))
                .col(text_null("answer"))
                .col(uuid_null("merged_into"))
                .check(("comments_votes_check", Expr::col("votes").gte(0)))
                .foreign_key(
                    ForeignKey::create()
                        .name("comments_meeting_id_fkey")
                        .from("comments", "meeting_id")
                        .to("meetings", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .foreign_key(
                    ForeignKey::create()
                        .name("comments_broadcast_id_fkey")
                        .from("comments", "broadcast_id")
                        .to("broadcasts", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create()
                .name("comments_receipt_key")
                .table("comments")
                .col("meeting_id")
                .col("receipt")
                .unique()
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create()
                .name("comments_external_key")
                .table("comments")
                .col("broadcast_id")
                .col("external_id")
                .unique()
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create().name("comments_order_idx").table("comments").col("meeting_id").col("posted_seq").to_owned(),
        )
        .await?;
        m.create_index(
            Index::create()
                .name("comments_votes_idx")
                .table("comments")
                .col("meeting_id")
                .col("votes")
                .col("posted_seq")
                .to_owned(),
        )
        .await?;
        m.create_index(
            Index::create()
                .name("comments_author_idx")
                .table("comments")
                .col("meeting_id")
                .col("author_key")
                .col("posted_seq")
                .to_owned(),
        )
        .await?;
        m.create_index(Index::create().name("comments_merged_idx").table("comments").col("merged_into").to_owned())
            .await?;
        // At most one comment of a meeting is selected.
        m.get_connection()
            .execute_unprepared(
                "CREATE UNIQUE INDEX comments_selected_key ON comments (meeting_id) WHERE state = 'SELECTED'",
            )
            .await?;
        // Few comments have unpublished votes.
        m.get_connection()
            .execute_unprepared(
                "CREATE INDEX comments_votes_unshown_idx ON comments (votes_shown_at) WHERE votes_unshown",
            )
            .await?;
        m.create_table(
            Table::create()
                .table("comment_votes")
                .col(uuid("comment_id"))
                .col(string("subject"))
                .col(timestamp_with_time_zone("voted_at"))
                .primary_key(Index::create().name("comment_votes_pkey").col("comment_id").col("subject"))
                .foreign_key(
                    ForeignKey::create()
                        .name("comment_votes_comment_id_fkey")
                        .from("comment_votes", "comment_id")
                        .to("comments", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        m.create_table(
            Table::create()
                .table("muted_authors")
                .col(uuid("meeting_id"))
                .col(string("author_key"))
                .col(timestamp_with_time_zone("until"))
                .primary_key(Index::create().name("muted_authors_pkey").col("meeting_id").col("author_key"))
                .foreign_key(
                    ForeignKey::create()
                        .name("muted_authors_meeting_id_fkey")
                        .from("muted_authors", "meeting_id")
                        .to("meetings", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.drop_table(Table::drop().table("muted_authors").to_owned()).await?;
        m.drop_table(Table::drop().table("comment_votes").to_owned()).await?;
        m.drop_table(Table::drop().table("comments").to_owned()).await?;
        Ok(())
    }
}
