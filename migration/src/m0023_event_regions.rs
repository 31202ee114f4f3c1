//! The region of an event, by which followers of the feed of meetings filter.

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait},
    schema::string_null,
};

/// A meeting's region never changes, so earlier events get what they would have been recorded with.
const FILL: &str = "UPDATE feed_events
     SET region_code = (SELECT meetings.region_code FROM meetings WHERE meetings.id = feed_events.subject)
     WHERE feed = 'meetings'";
/// Lengths of the prefixes that name an oblast, a district, an okrug, a settlement, and any unit.
const PREFIXES: [usize; 5] = [2, 4, 6, 7, 9];

/// Adds the region of an event, with an index for each level of units.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.alter_table(Table::alter().table("feed_events").add_column(string_null("region_code")).to_owned()).await?;
        m.get_connection().execute_unprepared(FILL).await?;
        for length in PREFIXES {
            m.get_connection().execute_unprepared(&index(length)).await?;
        }
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for length in PREFIXES {
            m.get_connection().execute_unprepared(&format!("DROP INDEX feed_events_region_{length}_idx")).await?;
        }
        m.alter_table(Table::alter().table("feed_events").drop_column("region_code").to_owned()).await
    }
}

/// Returns the index for prefixes of a length.
///
/// A unit with all below it is one value of the index, so that its events are in the order of their positions.
/// Events without a region, which replicas of earlier versions record, have the empty prefix. Other feeds are
/// not indexed. The feed is not a column: PostgreSQL would not use the condition on it as one of the index.
fn index(length: usize) -> String {
    format!(
        "CREATE INDEX feed_events_region_{length}_idx
         ON feed_events (substr(coalesce(region_code, ''), 1, {length}), seq) WHERE feed = 'meetings'"
    )
}
