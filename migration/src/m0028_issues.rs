//! Problem issues, what they were raised from, and the requests that people send in before a meeting.

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait},
    schema::uuid_null,
    sea_orm::DbBackend,
};

/// The tables.
const TABLES: &str = "
    CREATE TABLE issues (
        id uuid NOT NULL PRIMARY KEY, number varchar NOT NULL, title text NOT NULL, description text NOT NULL,
        released_description text, category varchar NOT NULL, language varchar NOT NULL, region_code varchar NOT NULL,
        meeting_id uuid, level varchar NOT NULL, state varchar NOT NULL, responsible varchar, deadline date,
        urgent_by date NOT NULL, funding_needed bigint, funding_session date, funding_decision varchar,
        funding_source text, resolution text, merged_into uuid,
        satisfied integer NOT NULL, unsatisfied integer NOT NULL, is_unsatisfied boolean NOT NULL, search text NOT NULL,
        staff_search text NOT NULL, normalization_version integer NOT NULL, created_at TIMESTAMP NOT NULL,
        updated_at TIMESTAMP NOT NULL, version integer NOT NULL,
        CONSTRAINT issues_meeting_id_fkey FOREIGN KEY (meeting_id) REFERENCES meetings (id));
    CREATE TABLE issue_numbers (
        series varchar NOT NULL, year integer NOT NULL, last integer NOT NULL,
        CONSTRAINT issue_numbers_pkey PRIMARY KEY (series, year));
    CREATE TABLE issue_sources (
        source_id uuid NOT NULL PRIMARY KEY, kind varchar NOT NULL, issue_id uuid NOT NULL, ordinal integer NOT NULL,
        CONSTRAINT issue_sources_issue_id_fkey FOREIGN KEY (issue_id) REFERENCES issues (id));
    CREATE TABLE issue_steps (
        id uuid NOT NULL PRIMARY KEY, issue_id uuid NOT NULL, ordinal integer NOT NULL, action text NOT NULL,
        executor varchar NOT NULL, due date NOT NULL, done_at TIMESTAMP, struck_at TIMESTAMP,
        CONSTRAINT issue_steps_issue_id_fkey FOREIGN KEY (issue_id) REFERENCES issues (id));
    CREATE TABLE issue_reports (
        issue_id uuid NOT NULL, quarter varchar NOT NULL, text text NOT NULL, percent integer NOT NULL,
        reported_at TIMESTAMP NOT NULL, reported_by varchar,
        CONSTRAINT issue_reports_pkey PRIMARY KEY (issue_id, quarter),
        CONSTRAINT issue_reports_issue_id_fkey FOREIGN KEY (issue_id) REFERENCES issues (id),
        CONSTRAINT issue_reports_percent_check CHECK (percent BETWEEN 0 AND 100));
    CREATE TABLE issue_descriptions (
        issue_id uuid NOT NULL, edition integer NOT NULL, text text NOT NULL, released_at TIMESTAMP NOT NULL,
        CONSTRAINT issue_descriptions_pkey PRIMARY KEY (issue_id, edition),
        CONSTRAINT issue_descriptions_issue_id_fkey FOREIGN KEY (issue_id) REFERENCES issues (id));
    CREATE TABLE issue_people (
        issue_id uuid NOT NULL, person varchar NOT NULL, raised boolean NOT NULL, follows boolean NOT NULL,
        satisfied boolean, comment text, since TIMESTAMP NOT NULL,
        CONSTRAINT issue_people_pkey PRIMARY KEY (issue_id, person),
        CONSTRAINT issue_people_issue_id_fkey FOREIGN KEY (issue_id) REFERENCES issues (id));
    CREATE TABLE public_requests (
        id uuid NOT NULL PRIMARY KEY, number varchar NOT NULL, meeting_id uuid, region_code varchar NOT NULL,
        channel varchar NOT NULL, text text NOT NULL, language varchar NOT NULL, count integer NOT NULL,
        received_on date NOT NULL, external_id varchar, person varchar, search text NOT NULL,
        created_at TIMESTAMP NOT NULL,
        CONSTRAINT public_requests_count_check CHECK (count > 0),
        CONSTRAINT public_requests_meeting_id_fkey FOREIGN KEY (meeting_id) REFERENCES meetings (id))";

/// The names of column types that differ in PostgreSQL, and in SQLite, where they are those of earlier tables.
const POSTGRES_TYPES: [(&str, &str); 1] = [(" TIMESTAMP", " timestamp with time zone")];
const SQLITE_TYPES: [(&str, &str); 3] =
    [(" TIMESTAMP", " timestamp_with_timezone_text"), (" uuid", " uuid_text"), (" date", " date_text")];

/// Indexes for lists, in each of their orders, and for what is looked up by its owner.
const INDEXES: &str = "
    CREATE UNIQUE INDEX issues_number_key ON issues (number);
    CREATE INDEX issues_newest_idx ON issues (created_at DESC, id DESC);
    CREATE INDEX issues_changed_idx ON issues (updated_at DESC, id DESC);
    CREATE INDEX issues_urgent_idx ON issues (urgent_by, id);
    CREATE INDEX issues_region_idx ON issues (region_code, created_at DESC, id DESC);
    CREATE INDEX issues_responsible_idx ON issues (responsible, created_at DESC, id DESC) WHERE responsible IS NOT NULL;
    CREATE INDEX issues_responsible_urgent_idx ON issues (responsible, urgent_by, id) WHERE responsible IS NOT NULL;
    CREATE INDEX issues_category_idx ON issues (category, created_at DESC, id DESC);
    CREATE INDEX issues_meeting_idx ON issues (meeting_id, created_at DESC, id DESC) WHERE meeting_id IS NOT NULL;
    CREATE INDEX issues_unsatisfied_idx ON issues (created_at DESC, id DESC) WHERE is_unsatisfied;
    CREATE INDEX issue_sources_issue_idx ON issue_sources (issue_id, ordinal);
    CREATE INDEX issue_steps_issue_idx ON issue_steps (issue_id, ordinal);
    CREATE INDEX issue_people_person_idx ON issue_people (person, issue_id);
    CREATE UNIQUE INDEX public_requests_number_key ON public_requests (number);
    CREATE UNIQUE INDEX public_requests_external_key ON public_requests (meeting_id, channel, external_id)
        WHERE external_id IS NOT NULL;
    CREATE INDEX public_requests_meeting_idx ON public_requests (meeting_id, id) WHERE meeting_id IS NOT NULL;
    CREATE INDEX public_requests_region_idx ON public_requests (region_code, id);
    CREATE INDEX public_requests_person_idx ON public_requests (person, id) WHERE person IS NOT NULL;
    CREATE INDEX feed_events_agency_idx ON feed_events (agency, seq) WHERE feed = 'issues'";

/// Lengths of the prefixes that name an oblast, a district, an okrug, a settlement, and any unit.
const PREFIXES: [usize; 5] = [2, 4, 6, 7, 9];

/// The feed of issues, whose events always follow one counter.
const FEED: &str = "INSERT INTO feeds (name, head, kept_after) VALUES ('issues', 0, 0)";

/// Creates the tables of issues, and adds the agency of an event.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let types: &[(&str, &str)] = match m.get_database_backend() {
            DbBackend::Sqlite => &SQLITE_TYPES,
            _ => &POSTGRES_TYPES,
        };
        let tables = types.iter().fold(TABLES.to_owned(), |tables, (name, own)| tables.replace(name, own));
        let database = m.get_connection();
        database.execute_unprepared(&tables).await?;
        m.alter_table(Table::alter().table("feed_events").add_column(uuid_null("agency")).to_owned()).await?;
        database.execute_unprepared(INDEXES).await?;
        for length in PREFIXES {
            database.execute_unprepared(&region_index(length)).await?;
        }
        database.execute_unprepared(FEED).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let database = m.get_connection();
        for length in PREFIXES {
            database.execute_unprepared(&format!("DROP INDEX feed_events_issue_region_{length}_idx")).await?;
        }
        database.execute_unprepared("DROP INDEX feed_events_agency_idx").await?;
        m.alter_table(Table::alter().table("feed_events").drop_column("agency").to_owned()).await?;
        for table in [
            "public_requests",
            "issue_people",
            "issue_descriptions",
            "issue_reports",
            "issue_steps",
            "issue_sources",
            "issue_numbers",
            "issues",
        ] {
            m.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        database.execute_unprepared("DELETE FROM feed_events WHERE feed = 'issues'").await?;
        database.execute_unprepared("DELETE FROM feeds WHERE name = 'issues'").await.map(drop)
    }
}

/// Returns the index of the events about a unit and all below it, for prefixes of a length.
fn region_index(length: usize) -> String {
    format!(
        "CREATE INDEX feed_events_issue_region_{length}_idx
         ON feed_events (substr(coalesce(region_code, ''), 1, {length}), seq) WHERE feed = 'issues'"
    )
}
