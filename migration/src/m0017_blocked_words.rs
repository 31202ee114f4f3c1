//! Moves blocked words to a table of their own, so that posts do not load them.
//!
//! Older replicas read and write `meetings.blocked_words`. The column stays until none of them runs, and triggers
//! copy it to the table. A later migration drops the column and the triggers.

use sea_orm_migration::{
    prelude::{
        ConnectionTrait, DbErr, DeriveMigrationName, ForeignKey, ForeignKeyAction, MigrationTrait, SchemaManager,
        Table, async_trait,
    },
    schema::{text, uuid},
    sea_orm::DbBackend,
};

const UPSERT: &str = "INSERT INTO blocked_words (meeting_id, words) VALUES (NEW.id, NEW.blocked_words)
    ON CONFLICT (meeting_id) DO UPDATE SET words = excluded.words";
const BACKFILL: &str = "INSERT INTO blocked_words (meeting_id, words)
    SELECT id, blocked_words FROM meetings WHERE blocked_words <> '[]' ON CONFLICT (meeting_id) DO NOTHING";

/// Moves blocked words to a table of their own.
#[derive(DeriveMigrationName)]
pub struct Migration;

fn triggers(engine: DbBackend) -> String {
    if engine == DbBackend::Sqlite {
        return format!(
            "CREATE TRIGGER meetings_blocked_words_new AFTER INSERT ON meetings FOR EACH ROW
                 WHEN NEW.blocked_words <> '[]' BEGIN {UPSERT}; END;
             CREATE TRIGGER meetings_blocked_words AFTER UPDATE OF blocked_words ON meetings FOR EACH ROW
                 WHEN OLD.blocked_words <> NEW.blocked_words BEGIN {UPSERT}; END;"
        );
    }
    format!(
        "CREATE FUNCTION copy_blocked_words() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN {UPSERT}; RETURN NULL; END $$;
         CREATE TRIGGER meetings_blocked_words_new AFTER INSERT ON meetings FOR EACH ROW
             WHEN (NEW.blocked_words <> '[]') EXECUTE FUNCTION copy_blocked_words();
         CREATE TRIGGER meetings_blocked_words AFTER UPDATE OF blocked_words ON meetings FOR EACH ROW
             WHEN (OLD.blocked_words <> NEW.blocked_words) EXECUTE FUNCTION copy_blocked_words();"
    )
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.create_table(
            Table::create()
                .table("blocked_words")
                .col(uuid("meeting_id").primary_key())
                .col(text("words"))
                .foreign_key(
                    ForeignKey::create()
                        .name("blocked_words_meeting_id_fkey")
                        .from("blocked_words", "meeting_id")
                        .to("meetings", "id")
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        // Triggers first: concurrent writes wait for their lock, and are then copied.
        m.get_connection().execute_unprepared(&triggers(m.get_database_backend())).await?;
        m.get_connection().execute_unprepared(BACKFILL).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let (table, function) = match m.get_database_backend() {
            DbBackend::Sqlite => ("", ""),
            _ => (" ON meetings", "; DROP FUNCTION copy_blocked_words"),
        };
        let drop = format!(
            "DROP TRIGGER meetings_blocked_words_new{table}; DROP TRIGGER meetings_blocked_words{table}{function}"
        );
        m.get_connection().execute_unprepared(&drop).await?;
        m.drop_table(Table::drop().table("blocked_words").to_owned()).await
    }
}
