//! Indexes for searching a column of normalised text for parts of words. Steps that have run depend on this file, so
//! what it creates must not change.

use sea_orm_migration::{
    prelude::{ConnectionTrait, DbErr, SchemaManager},
    sea_orm::{DbBackend, Statement},
};

/// The schema of an extension, if it is installed.
const SCHEMA: &str = "SELECT quote_ident(nspname) AS name FROM pg_extension
     JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm'";
/// Whether this role can install the extension.
const CAN_INSTALL: &str =
    "SELECT count(*) > 0 AS is_available, has_database_privilege(current_database(), 'CREATE') AS is_permitted
     FROM pg_available_extensions WHERE name = 'pg_trgm'";

/// An index of the trigrams (sequences of three characters) of a column.
///
/// On PostgreSQL it is a GIN index. On SQLite it is a full-text table without the text, which triggers keep in step, so
/// that rows written by older versions are indexed too. Both are named `{table}_{column}_trigrams`.
#[derive(Clone, Copy, Debug)]
pub struct TextIndex {
    /// The table. Its primary key is `id`.
    pub table: &'static str,
    /// The column of normalised text.
    pub column: &'static str,
}

impl TextIndex {
    /// Creates the index and fills it.
    ///
    /// # Errors
    /// When the database fails, or PostgreSQL does not have the extension `pg_trgm` and it cannot be installed.
    pub async fn create(self, m: &SchemaManager<'_>) -> Result<(), DbErr> {
        let connection = m.get_connection();
        if m.get_database_backend() == DbBackend::Sqlite {
            return connection.execute_unprepared(&self.full_text_table()).await.map(drop);
        }
        let schema = match extension_schema(m).await? {
            Some(schema) => schema,
            None => install_extension(m).await?,
        };
        connection.execute_unprepared(&self.gin_index(&schema)).await.map(drop)
    }

    /// Drops the index. The extension stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop(self, m: &SchemaManager<'_>) -> Result<(), DbErr> {
        let name = self.name();
        let sql = if m.get_database_backend() == DbBackend::Sqlite {
            format!(
                "DROP TRIGGER {name}_insert; DROP TRIGGER {name}_update; DROP TRIGGER {name}_delete;
                 DROP TABLE {name}; DROP TABLE {name}_rows"
            )
        } else {
            format!("DROP INDEX {name}")
        };
        m.get_connection().execute_unprepared(&sql).await.map(drop)
    }

    fn name(self) -> String {
        format!("{}_{}_trigrams", self.table, self.column)
    }

    /// An index that exists was built by the operator before the upgrade. Inserts first go to a list, which makes them five
    /// times as fast. It is kept short, because each search reads it.
    fn gin_index(self, schema: &str) -> String {
        let Self { table, column } = self;
        let name = self.name();
        format!(
            "CREATE INDEX IF NOT EXISTS {name} ON {table} USING gin ({column} {schema}.gin_trgm_ops)
             WITH (gin_pending_list_limit = 256)"
        )
    }

    /// Rows are numbered in a table of their own, because SQLite may renumber the rows of a table without an integer
    /// key when it copies the database. `detail = none` keeps no positions: that is a third of the size.
    fn full_text_table(self) -> String {
        let Self { table, column } = self;
        let name = self.name();
        let number = |row: &str| format!("(SELECT row_number FROM {name}_rows WHERE id = {row}.id)");
        let (new, old) = (number("NEW"), number("OLD"));
        format!(
            "CREATE TABLE {name}_rows (row_number INTEGER PRIMARY KEY, id uuid_text NOT NULL UNIQUE);
             INSERT INTO {name}_rows (id) SELECT id FROM {table};
             CREATE VIRTUAL TABLE {name} USING fts5(
                 {column}, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram case_sensitive 1'
             );
             INSERT INTO {name} (rowid, {column})
                 SELECT row_number, {column} FROM {name}_rows JOIN {table} USING (id) ORDER BY row_number;
             CREATE TRIGGER {name}_insert AFTER INSERT ON {table} FOR EACH ROW BEGIN
                 INSERT INTO {name}_rows (id) VALUES (NEW.id);
                 INSERT INTO {name} (rowid, {column}) VALUES ({new}, NEW.{column});
             END;
             CREATE TRIGGER {name}_update AFTER UPDATE OF {column} ON {table} FOR EACH ROW
                 WHEN OLD.{column} IS NOT NEW.{column} BEGIN
                 UPDATE {name} SET {column} = NEW.{column} WHERE rowid = {new};
             END;
             CREATE TRIGGER {name}_delete AFTER DELETE ON {table} FOR EACH ROW BEGIN
                 DELETE FROM {name} WHERE rowid = {old};
                 DELETE FROM {name}_rows WHERE id = OLD.id;
             END;"
        )
    }
}

async fn extension_schema(m: &SchemaManager<'_>) -> Result<Option<String>, DbErr> {
    let ask = Statement::from_string(DbBackend::Postgres, SCHEMA);
    m.get_connection().query_one_raw(ask).await?.map(|row| row.try_get("", "name")).transpose()
}

/// Installs the extension and returns its schema. Checks first, because a statement that fails says less.
async fn install_extension(m: &SchemaManager<'_>) -> Result<String, DbErr> {
    let ask = Statement::from_string(DbBackend::Postgres, CAN_INSTALL);
    let row = m.get_connection().query_one_raw(ask).await?;
    let row = row.ok_or_else(|| DbErr::Migration("PostgreSQL does not answer".to_owned()))?;
    if !row.try_get::<bool>("", "is_available")? {
        return Err(DbErr::Migration(
            "searches need PostgreSQL's extension pg_trgm: install its contrib modules (package postgresql-contrib)"
                .to_owned(),
        ));
    }
    if !row.try_get::<bool>("", "is_permitted")? {
        return Err(DbErr::Migration(
            "searches need PostgreSQL's extension pg_trgm, and this role may not install it: run CREATE EXTENSION \
             pg_trgm as the owner of the database"
                .to_owned(),
        ));
    }
    m.get_connection().execute_unprepared("CREATE EXTENSION IF NOT EXISTS pg_trgm").await?;
    extension_schema(m).await?.ok_or_else(|| DbErr::Migration("pg_trgm is not installed".to_owned()))
}
