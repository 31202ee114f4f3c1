//! Lists and searches of many issues read them in order or by their index, on both engines.

use chrono::NaiveDate;
use entities::{
    enums::{IssueLevel, IssueState},
    issue,
};
use harness::{Engine, HOST, TestEnv, id_of, on_both_engines};
use kezdesu::{
    domain::policy::InternalsScope,
    store::{
        issue_lists::{IssueFilter, IssueOrder},
        keyset::PageRequest,
    },
};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, IdenStatic as _, Iterable as _};
use serde_json::json;

use crate::query_plans::{multiply, plan, reads_only};

const FIRST_PAGE: PageRequest<kezdesu::store::issue_lists::IssueCursor> =
    PageRequest { after: None, before: None, limit: 20, backward: false };

/// Raises an issue and copies it: one in ten thousand has a rare word, one in a thousand an agency.
async fn many_issues(env: &TestEnv) -> DatabaseConnection {
    let staff = env.akimat(HOST);
    let first = id_of(&staff.raise("Көшеде су жоқ", &[]).await);
    staff.assign(&first, "min-health", "2026-12-31").await;
    let database = env.database().await;
    let is_embedded = env.engine == Engine::Embedded;
    let indexes = ["search", "staff_search"].map(|column| {
        (
            format!("DROP INDEX issues_{column}_trigrams"),
            format!("CREATE INDEX issues_{column}_trigrams ON issues USING gin ({column} gin_trgm_ops)"),
        )
    });
    // An index is built faster than it is kept in step.
    for (drop, _) in indexes.iter().filter(|_| !is_embedded) {
        database.execute_unprepared(drop).await.unwrap();
    }
    let (at, day) = if is_embedded {
        (
            "strftime('%Y-%m-%dT%H:%M:%S+00:00', issues.created_at, n || ' seconds')",
            "date('2026-12-31', (n % 1000) || ' days')",
        )
    } else {
        ("issues.created_at + n * interval '1 second'", "date '2026-12-31' + n % 1000")
    };
    let text = "CASE WHEN n % 10000 = 0 THEN 'сирек' WHEN n % 2 = 0 THEN 'су' || 'сорап' ELSE 'жарык' END || ' ' || n";
    let staff_text =
        "CASE WHEN n % 10000 = 0 THEN 'сирек купия' WHEN n % 2 = 0 THEN 'сусорап' ELSE 'жарык' END || ' ' || n";
    let agency = "CASE WHEN n % 1000 = 0 THEN 'min-water' ELSE issues.responsible END";
    let state = "CASE WHEN n % 2000 = 0 THEN 'DECLINED' ELSE issues.state END";
    let level = "CASE WHEN n % 2000 = 1 THEN 'CENTRAL' ELSE 'LOCAL' END";
    let changes = [
        ("state", state),
        ("level", level),
        ("number", "'ALM-2026-' || (n + 100)"),
        ("search", text),
        ("staff_search", staff_text),
        ("created_at", at),
        ("updated_at", at),
        ("urgent_by", day),
        ("responsible", agency),
    ];
    let columns: Vec<_> = issue::Column::iter().map(|column| column.as_str()).collect();
    multiply(&database, ("issues", "true"), &columns, 100_000, &changes).await;
    for (_, create) in indexes.iter().filter(|_| !is_embedded) {
        database.execute_unprepared(create).await.unwrap();
    }
    database
}

on_both_engines! {
    async fn lists_of_issues_read_in_their_order(env) {
        let database = many_issues(&env).await;
        let store = &env.service(0).app().store;
        let today = NaiveDate::from_ymd_opt(2027, 6, 1);
        let of_agency = || IssueFilter { agency: Some("min-water".to_owned()), ..IssueFilter::default() };
        let lists = [
            (IssueFilter::default(), "issues_newest_idx"),
            (IssueFilter { order: IssueOrder::LastChanged, ..IssueFilter::default() }, "issues_changed_idx"),
            (IssueFilter { order: IssueOrder::MostUrgent, ..IssueFilter::default() }, "issues_urgent_idx"),
            (of_agency(), "issues_responsible_idx"),
            (IssueFilter { states: Some(vec![IssueState::Declined]), ..IssueFilter::default() }, "issues_state_idx"),
            (IssueFilter { level: Some(IssueLevel::Central), ..IssueFilter::default() }, "issues_level_idx"),
            (IssueFilter { order: IssueOrder::MostUrgent, ..of_agency() }, "issues_responsible_urgent_idx"),
            (IssueFilter { order: IssueOrder::MostUrgent, overdue: today.map(|day| (true, day)), ..IssueFilter::default() }, "issues_urgent_idx"),
        ];
        for (filter, index) in lists {
            reads_only(&plan(&database, &store.issues_statement(&filter, &FIRST_PAGE)).await, index);
            let page = store.issues(&InternalsScope::Everything, &filter, &FIRST_PAGE).await.unwrap();
            assert_eq!(page.rows.len(), 20, "{filter:?}");
        }
        let count = store.count_issues(&InternalsScope::Everything, &IssueFilter::default()).await.unwrap();
        assert_eq!(count, 10_000, "counted so far");
        assert_eq!(store.count_issues(&InternalsScope::Everything, &of_agency()).await.unwrap(), 100);
    }

    async fn searches_of_issues_read_in_order_or_use_their_indexes(env) {
        let database = many_issues(&env).await;
        let store = &env.service(0).app().store;
        let is_embedded = env.engine == Engine::Embedded;
        let own = InternalsScope::Of { units: vec![HOST.parse().unwrap()], agencies: vec!["min-water".to_owned()] };
        let nobody = InternalsScope::Of { units: Vec::new(), agencies: Vec::new() };
        for order in [IssueOrder::Newest, IssueOrder::LastChanged, IssueOrder::MostUrgent] {
            for (scope, word, count) in [
                (&nobody, "сирек", 10),
                (&nobody, "купия", 0),
                (&nobody, "сусорап", 20),
                (&nobody, "жо", 1),
                (&own, "купия", 10),
                (&own, "сусорап", 20),
                (&InternalsScope::Everything, "купия", 10),
            ] {
                let filter = IssueFilter { words: vec![word.to_owned()], order, ..IssueFilter::default() };
                let (in_order, by_index) = store.issue_search_statements(scope, &filter, &FIRST_PAGE);
                let order_index = match order {
                    IssueOrder::Newest => "issues_newest_idx",
                    IssueOrder::LastChanged => "issues_changed_idx",
                    IssueOrder::MostUrgent => "issues_urgent_idx",
                };
                reads_only(&plan(&database, &in_order).await, order_index);
                assert_eq!(by_index.is_none(), word == "жо", "{word}");
                // A frequent word fills the page in order.
                if let Some(statement) = by_index.filter(|_| word != "сусорап") {
                    let plan = plan(&database, &statement).await;
                    let whole = if is_embedded { "SCAN issues\n" } else { "Seq Scan" };
                    assert!(plan.contains("search_trigrams") && !plan.contains(whole), "{plan}");
                }
                let page = store.issues(scope, &filter, &FIRST_PAGE).await.unwrap();
                assert_eq!(page.rows.len(), count, "{word} {order:?}");
                let total = store.count_issues(scope, &filter).await.unwrap();
                assert_eq!(total, if word == "сусорап" { 10_000 } else { u64::try_from(count).unwrap() }, "{word}");
            }
        }
        let anonymous = env.anonymous();
        let listed = anonymous.query("query { issues(filter: { search: \"сирек\" }, first: 20) { totalCount nodes { number } } }", json!({}));
        let listed = listed.await["issues"].clone();
        assert_eq!((&listed["totalCount"], &listed["nodes"][0]["number"]), (&json!(10), &json!("ALM-2026-100100")), "{listed}");
    }
}
