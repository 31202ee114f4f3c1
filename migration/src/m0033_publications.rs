//! Editions of publications, their published bytes, and where else they were placed.

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, async_trait},
    sea_orm::DbBackend,
};

/// The tables.
const TABLES: &str = "
    CREATE TABLE publications (
        id uuid NOT NULL PRIMARY KEY, kind varchar NOT NULL, series varchar NOT NULL, edition integer NOT NULL,
        supersedes uuid, region_code varchar, agency varchar, meeting_id uuid, period varchar, title_kk text NOT NULL,
        title_ru text, title_en text, sha256 varchar NOT NULL, content_sha256 varchar NOT NULL,
        published_at TIMESTAMP NOT NULL,
        CONSTRAINT publications_series_key UNIQUE (series, edition),
        CONSTRAINT publications_edition_check CHECK (edition > 0),
        CONSTRAINT publications_supersedes_fkey FOREIGN KEY (supersedes) REFERENCES publications (id),
        CONSTRAINT publications_meeting_id_fkey FOREIGN KEY (meeting_id) REFERENCES meetings (id));
    CREATE TABLE publication_contents (
        publication_id uuid NOT NULL PRIMARY KEY, content BYTES NOT NULL,
        CONSTRAINT publication_contents_publication_id_fkey FOREIGN KEY (publication_id) REFERENCES publications (id));
    CREATE TABLE publication_series (series varchar NOT NULL PRIMARY KEY);
    CREATE TABLE publication_placements (
        publication_id uuid NOT NULL, digest varchar NOT NULL, channel varchar NOT NULL, url text, text text,
        placed_at TIMESTAMP NOT NULL, recorded_at TIMESTAMP NOT NULL,
        CONSTRAINT publication_placements_pkey PRIMARY KEY (publication_id, digest),
        CONSTRAINT publication_placements_publication_id_fkey
            FOREIGN KEY (publication_id) REFERENCES publications (id))";

/// The names of column types that differ in PostgreSQL, and in SQLite, where they are those of earlier tables.
const POSTGRES_TYPES: [(&str, &str); 2] = [(" TIMESTAMP", " timestamp with time zone"), (" BYTES", " bytea")];
const SQLITE_TYPES: [(&str, &str); 3] =
    [(" TIMESTAMP", " timestamp_with_timezone_text"), (" uuid", " uuid_text"), (" BYTES", " blob")];

/// Indexes for lists of publications of a kind and a time, and about a unit, a body and a meeting.
const INDEXES: &str = "
    CREATE INDEX publications_kind_idx ON publications (kind, id);
    CREATE INDEX publications_published_idx ON publications (published_at, id);
    CREATE INDEX publications_region_idx ON publications (region_code, id) WHERE region_code IS NOT NULL;
    CREATE INDEX publications_agency_idx ON publications (agency, id) WHERE agency IS NOT NULL;
    CREATE INDEX publications_meeting_idx ON publications (meeting_id, id) WHERE meeting_id IS NOT NULL";

/// Creates the tables.
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
        database.execute_unprepared(INDEXES).await.map(drop)
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for table in ["publication_placements", "publication_series", "publication_contents", "publications"] {
            m.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
