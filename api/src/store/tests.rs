//! The embedded database after failed writes.

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use super::*;

/// Opens a store on a file of its own.
async fn store(dir: &tempfile::TempDir) -> Store {
    let store = Store::connect(&format!("sqlite://{}", dir.path().join("test.db").display()), 2).await.unwrap();
    store.migrate().await.unwrap();
    store
}

async fn write(store: &Store, name: &str, bytes: usize) -> Result<(), StoreError> {
    let tx = store.begin().await?;
    let sql = format!("INSERT INTO marks (name, filling) VALUES ('{name}', zeroblob({bytes}))");
    tx.inner().execute_unprepared(&sql).await?;
    tx.commit().await.map(drop)
}

async fn names(store: &Store) -> Vec<String> {
    let rows = Statement::from_string(DbBackend::Sqlite, "SELECT name FROM marks ORDER BY rowid");
    let rows = store.read.query_all_raw(rows).await.unwrap();
    rows.iter().map(|row| row.try_get("", "name").unwrap()).collect()
}

#[tokio::test]
async fn a_commit_after_a_full_disk_is_durable() {
    for failures in [1, 2, 3, 50] {
        let dir = tempfile::tempdir().unwrap();
        let full = store(&dir).await;
        full.write.execute_unprepared("CREATE TABLE marks (name TEXT, filling BLOB)").await.unwrap();
        write(&full, "before", 1).await.unwrap();
        for n in 0..failures {
            // Applies to this connection only; the next one may grow the file.
            full.write.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
            let failed = write(&full, &format!("failed {n}"), 1 << 20).await.unwrap_err();
            assert!(failed.chain().contains("full"), "{}", failed.chain());
            assert!(!failed.is_conflict() && !failed.is_data_error());
        }
        write(&full, "after", 1 << 20).await.unwrap();
        assert!(full.probe_write().await.is_ok());
        full.close().await;
        assert_eq!(names(&store(&dir).await).await, ["before", "after"], "after {failures} failures");
    }
}

#[tokio::test]
async fn a_dropped_transaction_writes_nothing_and_the_next_one_commits() {
    let dir = tempfile::tempdir().unwrap();
    let dropped = store(&dir).await;
    dropped.write.execute_unprepared("CREATE TABLE marks (name TEXT, filling BLOB)").await.unwrap();
    for _ in 0..3 {
        let tx = dropped.begin().await.unwrap();
        tx.inner().execute_unprepared("INSERT INTO marks (name) VALUES ('dropped')").await.unwrap();
        drop(tx);
        // SQLite ends the transaction, but the library still counts it.
        let tx = dropped.begin().await.unwrap();
        tx.inner().execute_unprepared("INSERT INTO marks (name) VALUES ('rolled back')").await.unwrap();
        tx.inner().execute_unprepared("ROLLBACK").await.unwrap();
        drop(tx);
    }
    write(&dropped, "after", 1).await.unwrap();
    dropped.close().await;
    assert_eq!(names(&store(&dir).await).await, ["after"]);
}
