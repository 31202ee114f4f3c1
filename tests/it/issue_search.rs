//! Searches of issues find what reading every text finds that the viewer may read, in every order.

use chrono::TimeDelta;
use entities::{ids::IssueId, issue};
use harness::{Actor, HOST, TestEnv, id_of, on_both_engines};
use kezdesu::{
    domain::normalization::{normalize_for_search, search_terms},
    graphql::node::GlobalId,
};
use serde_json::{Value, json};

use crate::text_search::Rng;

const SEARCH: &str = "query($s: String!, $order: IssueOrder, $after: String) {
    issues(first: 100, after: $after, filter: { search: $s, orderBy: $order }) {
        totalCount nodes { id } pageInfo { hasNextPage endCursor }
    } }";
const BODY: &str = "min-water";
const ELSEWHERE: &str = "751110000";

/// Returns whether a viewer may read the texts for staff of an issue.
type MayRead = fn(&issue::Model) -> bool;

/// An issue as the test knows it.
struct Known {
    id: String,
    row: issue::Model,
    public: String,
    staff: String,
}

/// Inserts copies of an issue with random texts, each about one of two units and given to one of two bodies.
async fn issues_with(env: &TestEnv, random: &mut Rng, count: usize) -> Vec<Known> {
    let staff = env.akimat(HOST);
    let first = id_of(&staff.raise("Көшеде су жоқ", &[]).await);
    staff.assign(&first, "min-health", "2026-12-31").await;
    let app = env.service(0).app();
    let Some(GlobalId::Issue(id)) = GlobalId::parse(&first) else { panic!("{first}") };
    let row = app.store.issues_by_id(&[id]).await.unwrap().remove(0);
    let tx = app.store.begin().await.unwrap();
    let (public, staff) = (row.search.clone(), row.staff_search.clone());
    let mut all = vec![Known { id: first, row: row.clone(), public, staff }];
    for n in 0..count {
        // All but the first are behind so many others that only the index is asked for them.
        let (public, internal) = if n < 20 || n + 20 > count {
            (normalize_for_search(&random.text(8)), normalize_for_search(&random.text(6)))
        } else {
            ("+".to_owned(), "-".to_owned())
        };
        let steps = i64::try_from(n).unwrap();
        let row = issue::Model {
            id: IssueId(app.ids.next(env.now())),
            number: format!("ALM-2026-1{n:05}"),
            region_code: if random.below(2) == 0 { HOST } else { ELSEWHERE }.to_owned(),
            responsible: Some(if random.below(3) == 0 { BODY } else { "min-health" }.to_owned()),
            search: public.clone(),
            staff_search: format!("{public} {internal}"),
            created_at: row.created_at + TimeDelta::minutes(steps % 7),
            updated_at: row.updated_at + TimeDelta::minutes(steps * 31 % 700),
            urgent_by: row.urgent_by + TimeDelta::days(steps * 17 % 90),
            ..row.clone()
        };
        let staff = row.staff_search.clone();
        all.push(Known { id: GlobalId::Issue(row.id).show().to_string(), row: row.clone(), public, staff });
        tx.insert_issue(row).await.unwrap();
    }
    tx.commit().await.unwrap();
    all
}

async fn found(viewer: &Actor, search: &str, order: &str) -> (Vec<String>, Value) {
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = viewer.query(SEARCH, json!({ "s": search, "order": order, "after": after })).await["issues"].clone();
        all.extend(page["nodes"].as_array().unwrap().iter().map(id_of));
        if page["pageInfo"]["hasNextPage"] != true {
            return (all, page["totalCount"].clone());
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// Returns what a search must find, by reading every text that the viewer may read.
fn expected(all: &[Known], terms: &[String], order: &str, may: impl Fn(&issue::Model) -> bool) -> Vec<String> {
    let text = |known: &&Known| if may(&known.row) { known.staff.clone() } else { known.public.clone() };
    let mut rows: Vec<&Known> =
        all.iter().filter(|known| terms.iter().all(|term| text(known).contains(term.as_str()))).collect();
    rows.sort_by_key(|known| (known.row.created_at, known.row.id.0));
    match order {
        "MOST_URGENT" => rows.sort_by_key(|known| (known.row.urgent_by, known.row.id.0)),
        "LAST_CHANGED" => rows.sort_by_key(|known| std::cmp::Reverse((known.row.updated_at, known.row.id.0))),
        _ => rows.reverse(),
    }
    rows.into_iter().map(|known| known.id.clone()).collect()
}

on_both_engines! {
    async fn any_search_of_issues_finds_what_the_viewer_may_read(env) {
        let mut random = Rng(0x5eed_0031);
        let all = issues_with(&env, &mut random, 1_060).await;
        let viewers: [(Actor, MayRead); 4] = [
            (env.anonymous(), |_| false),
            (env.akimat(HOST), |row| row.region_code == HOST),
            (env.agency(BODY), |row| row.responsible.as_deref() == Some(BODY)),
            (env.person("Oversight", &["ADMINISTRATION"], None), |_| true),
        ];
        for round in 0..24 {
            let known = &all[if random.below(2) == 0 { random.below(20) } else { all.len() - 1 - random.below(20) }];
            let text = if known.staff.trim().is_empty() { "су".to_owned() } else { known.staff.clone() };
            let search = if random.below(4) == 0 { random.text(2) } else { random.part(&text) };
            let Some(terms) = search_terms(&search).filter(|terms| !terms.is_empty()) else { continue };
            let order = ["NEWEST", "MOST_URGENT", "LAST_CHANGED"][round % 3];
            for (viewer, may) in &viewers {
                let (ids, count) = found(viewer, &search, order).await;
                let wanted = expected(&all, &terms, order, may);
                assert_eq!((ids.len(), &count), (wanted.len(), &json!(wanted.len())), "{search:?} {terms:?} {order}");
                assert_eq!(ids, wanted, "{search:?} {terms:?} {order}");
            }
        }
    }
}
