//! What lies on the disk, and what reading it costs.

use super::*;
use crate::testing::{Office, about};

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
    sqlx::query("PRAGMA user_version = 2").execute(&office.store.writer).await.unwrap();
    assert!(matches!(Store::open(office.dir.path()).await, Err(StoreError::Later(2))));
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
    let statements = [BY_IDS, BY_NUMBERS, BY_COMMENTS, PAGE, PAGE_IN_STATE, PAGES_OF, PAGES_OF_IN_STATE, OPENED_WITH];
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
