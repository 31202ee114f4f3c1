//! What lies on the disk, and what reading it costs.

use super::*;
use crate::testing::{Office, about, about_issue};

fn window(after: Option<CaseId>) -> Window {
    Window { state: None, after, limit: 3 }
}

#[tokio::test]
async fn a_register_that_is_opened_again_is_the_same() {
    let office = Office::new().await;
    let case = office.open(about(Some("cmt_1"), "k")).await;
    office.store.close().await;
    let again = Store::open(office.dir.path()).await.unwrap();
    assert_eq!(again.by_ids(&[case.id]).await.unwrap(), [case]);
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&again.writer).await.unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&again.writer).await.unwrap();
    assert_eq!((mode.as_str(), synchronous), ("wal", 2), "a write waits until it lies on the disk");
}

#[tokio::test]
async fn data_of_a_later_program_are_left_alone() {
    let office = Office::new().await;
    sqlx::query("PRAGMA user_version = 3").execute(&office.store.writer).await.unwrap();
    assert!(matches!(Store::open(office.dir.path()).await, Err(StoreError::Later(3))));
}

/// A case as the first version of the program wrote it.
const OLD_CASE: &str = "INSERT INTO cases (id, number, region_code, comment_id, title, state, note, opened_at, updated_at, \
    opened_by, idempotency_key) VALUES ('case_01h455vb4pex5vsknk084sn02q', '2026-00001', '751110000', 'cmt_1', 'Мост', 'OPEN', \
    NULL, 1, 2, 'officer', 'k'); INSERT INTO case_years (year, cases) VALUES (2026, 1)";

#[tokio::test]
async fn data_of_the_first_program_are_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(dir.path().join(FILE)).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal);
    let first = SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(STEPS[0]).execute(&first).await.unwrap();
    sqlx::raw_sql(OLD_CASE).execute(&first).await.unwrap();

    let office = Office::at(dir).await;
    let old = office.store.by_comments(&["cmt_1".parse().unwrap()]).await.unwrap();
    assert_eq!((old.len(), old[0].number.as_str(), old[0].issue()), (1, "2026-00001", None));
    let case = office.open(about_issue("iss_1", "issue")).await;
    assert_eq!(case.number, "2026-00002");
    // The first program, if it still runs, goes on beside this one.
    let another = OLD_CASE.split(';').next().unwrap().replace("02q", "02r").replace("00001", "00003");
    let another = another.replace("cmt_1", "cmt_2").replace("'k'", "'l'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(another)).execute(&first).await.unwrap();
    first.close().await;
    office.store.close().await;

    let again = Store::open(office.dir.path()).await.unwrap();
    assert_eq!(again.by_issues(&["iss_1".parse().unwrap()]).await.unwrap(), [case]);
    assert_eq!(again.by_comments(&["cmt_2".parse().unwrap()]).await.unwrap().len(), 1);
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&again.writer).await.unwrap();
    assert_eq!(usize::try_from(version).unwrap(), STEPS.len(), "the last step says its number");
}

#[tokio::test]
async fn the_database_holds_no_case_about_two_things_and_no_two_about_one() {
    let office = Office::new().await;
    let case = office.open(about_issue("iss_1", "k")).await;
    let mut tx = office.store.begin().await.unwrap();
    let twin = Case { id: "case_01h455vb4pex5vsknk084sn02q".parse().unwrap(), number: "2026-00009".to_owned(), ..case };
    let refused = tx.insert(&twin, "officer", "other").await.unwrap_err();
    let StoreError::Database(sqlx::Error::Database(refused)) = refused else { panic!("{refused:?}") };
    assert!(refused.is_unique_violation(), "{refused}");
    drop(tx);
    let both = sqlx::query("UPDATE cases SET comment_id = 'cmt_1'").execute(&office.store.writer).await.unwrap_err();
    assert!(both.as_database_error().is_some_and(sqlx::error::DatabaseError::is_check_violation), "{both}");
}

#[tokio::test]
async fn what_is_not_committed_is_undone() {
    let office = Office::new().await;
    let mut tx = office.store.begin().await.unwrap();
    assert_eq!(tx.next_number(2026).await.unwrap(), "2026-00001");
    drop(tx);
    assert_eq!(office.open(about(None, "k")).await.number, "2026-00001");
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_while_cases_are_opened() {
    let office = Office::new().await;
    let mut opened = Vec::new();
    for n in 0..7 {
        opened.insert(0, office.open(about(None, &n.to_string())).await);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = office.store.page(&window(after)).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page);
        office.open(about(None, &format!("later {}", seen.len()))).await;
    }
    assert_eq!(seen, opened);
}

#[tokio::test]
async fn each_region_has_its_own_page() {
    let office = Office::new().await;
    let regions: [KatoCode; 3] = ["751110000", "750000000", "100000000"].map(|code| code.parse().unwrap());
    for n in 0..9 {
        let region = regions[n % 2].clone();
        office.open(crate::register::OpenCase { region, ..about(None, &n.to_string()) }).await;
    }
    let found = office.store.pages_of(regions.iter(), &window(None)).await.unwrap();
    let numbers = |region: &KatoCode| {
        let of = found.iter().filter(|case| case.region == *region);
        of.map(|case| case.number[5..].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&regions[0]), ["00009", "00007", "00005"]);
    assert_eq!(numbers(&regions[1]), ["00008", "00006", "00004"]);
    assert_eq!(numbers(&regions[2]), [""; 0]);
}

#[tokio::test]
async fn every_list_is_read_by_an_index() {
    let office = Office::new().await;
    let statements =
        [BY_IDS, BY_NUMBERS, BY_COMMENTS, BY_ISSUES, PAGE, PAGE_IN_STATE, PAGES_OF, PAGES_OF_IN_STATE, OPENED_WITH];
    for statement in statements {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sqlx::query(explain).fetch_all(&office.store.writer).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let searched = plan.iter().any(|step| step.starts_with("SEARCH c ") || step.starts_with("SEARCH cases "));
        let walked = plan.iter().any(|step| step.starts_with("SCAN c") && !step.starts_with("SCAN wanted"));
        assert!(searched && !walked, "{statement}\n{plan:#?}");
        let sorted = plan.iter().any(|step| step.contains("TEMP B-TREE"));
        assert_eq!(sorted, statement == PAGES_OF || statement == PAGES_OF_IN_STATE, "{statement}\n{plan:#?}");
    }
}
