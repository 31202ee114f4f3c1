//! Frequent queries start from an index on both engines.

use entities::{comment, feed_event, meeting};
use harness::{Engine, HOST, TestEnv, on_both_engines};
use kezdesu::{
    domain::{feed::EventFilter, meeting_events::meeting_feed, policy::CommentScope},
    graphql::node::GlobalId,
    store::{
        comments::{CommentFilter, CommentOrder},
        feeds::EventRange,
        keyset::PageRequest,
        meetings::MeetingFilter,
    },
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, IdenStatic, Iterable, Statement};

/// Returns the columns of meetings that must be inserted.
pub(crate) fn meeting_columns() -> Vec<&'static str> {
    meeting::Column::iter().map(|column| column.as_str()).chain(["blocked_words"]).collect()
}

/// Copies the row of a table that a condition selects `count` times with `changes` to its columns, where `n` is the number of the copy.
pub(crate) async fn multiply(
    database: &DatabaseConnection,
    (table, row): (&str, &str),
    columns: &[&str],
    count: usize,
    changes: &[(&str, &str)],
) {
    let sqlite = database.get_database_backend() == DbBackend::Sqlite;
    let id = if sqlite { "randomblob(16)" } else { "gen_random_uuid()" };
    let value = |column: &&str| match changes.iter().find(|(name, _)| name == column) {
        Some((_, value)) => (*value).to_owned(),
        None if *column == "id" => id.to_owned(),
        None => format!("{table}.{column}"),
    };
    let values: Vec<_> = columns.iter().map(value).collect();
    let series = format!("WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {count})");
    let copy = format!(
        "{series} INSERT INTO {table} ({}) SELECT {} FROM (SELECT * FROM {table} WHERE {row} LIMIT 1) {table}, series",
        columns.join(", "),
        values.join(", ")
    );
    let copy = if sqlite {
        copy
    } else {
        copy.replacen(&format!("{series} "), "", 1).replace(", series", &format!(", generate_series(1, {count}) n"))
    };
    database.execute_unprepared(&copy).await.unwrap();
    database.execute_unprepared("ANALYZE").await.unwrap();
}

/// Returns the query plan of a statement.
pub(crate) async fn plan(database: &DatabaseConnection, statement: &Statement) -> String {
    let (explain, column) = match database.get_database_backend() {
        DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        _ => ("EXPLAIN", "QUERY PLAN"),
    };
    let explain = match statement.values.clone() {
        // Bound, as the service runs it: SQLite does not look at bound values when it plans.
        Some(values) if statement.db_backend == DbBackend::Sqlite => {
            Statement::from_sql_and_values(statement.db_backend, format!("{explain} {}", statement.sql), values.0)
        }
        _ => Statement::from_string(statement.db_backend, format!("{explain} {statement}")),
    };
    let rows = database.query_all_raw(explain).await.unwrap();
    rows.iter().map(|row| row.try_get::<String>("", column).unwrap()).collect::<Vec<_>>().join("\n")
}

/// Starts a meeting with a comment and `count` copies of it with `changes`, each by an author of its own.
async fn meeting_with_comments(env: &TestEnv, count: usize, changes: &[(&str, &str)]) -> (String, DatabaseConnection) {
    let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
    env.citizen("Ana").post(&meeting, "Жол?").await;
    let database = env.database().await;
    let columns: Vec<_> = comment::Column::iter().map(|column| column.as_str()).collect();
    let mut all = vec![("receipt", "1 + n"), ("posted_seq", "1 + n"), ("author_key", "'sub:' || n")];
    all.extend_from_slice(changes);
    multiply(&database, ("comments", "true"), &columns, count, &all).await;
    (meeting, database)
}

pub(crate) fn reads_only(plan: &str, index: &str) {
    assert!(plan.contains(index), "{plan}");
    for whole in ["Sort", "Seq Scan", "TEMP B-TREE", "SCAN comments", "SCAN issues\n", "Bitmap"] {
        assert!(!plan.contains(whole), "{whole}: {plan}");
    }
}

on_both_engines! {
    async fn most_voted_pages_use_their_index(env) {
        let (meeting, database) = meeting_with_comments(&env, 20_000, &[("votes", "(n * 7919) % 5")]).await;
        let Some(GlobalId::Meeting(id)) = GlobalId::parse(&meeting) else { panic!("{meeting}") };
        let filter = CommentFilter { order: CommentOrder::MostVoted, ..CommentFilter::default() };
        let app = env.service(0).app();
        for (after, before, backward) in
            [(None, None, false), (Some((0, 9_000)), None, false), (None, Some((0, 9_000)), true), (None, None, true)]
        {
            let window = PageRequest { after, before, limit: 20, backward };
            let statement = app.store.comments_statement(id, &CommentScope::PublicOnly, &filter, &window);
            let plan = plan(&database, &statement).await;
            reads_only(&plan, "comments_most_voted_idx");
            if after.is_some() || before.is_some() {
                let begins = if env.engine == Engine::Embedded { "<expr>" } else { "ROW(" };
                assert!(plan.contains(begins), "the scan must start at the cursor: {plan}");
            }
        }
    }

    async fn the_budget_job_uses_its_index(env) {
        let staff = env.akimat(HOST);
        staff.plan(HOST, HOST, env.now() + chrono::TimeDelta::days(9), "AFTER").await;
        let database = env.database().await;
        multiply(&database, ("meetings", "true"), &meeting_columns(), 5_000, &[("phase", "'ENDED'")]).await;
        staff.live_meeting(HOST, HOST, env.now(), "AFTER").await;
        let store = &env.service(0).app().store;
        reads_only(&plan(&database, &store.meetings_within_budget_statement()).await, "meetings_within_budget_idx");
        assert_eq!(store.meetings_within_budget().await.unwrap().len(), 1);
    }

    async fn selected_comments_and_unpublished_votes_use_their_indexes(env) {
        let (meeting, database) = meeting_with_comments(&env, 20_000, &[("votes_shown_at", "posted_at")]).await;
        let Some(GlobalId::Meeting(id)) = GlobalId::parse(&meeting) else { panic!("{meeting}") };
        let store = &env.service(0).app().store;
        reads_only(&plan(&database, &store.selected_comment_statement(id)).await, "comments_selected_key");
        let votes = store.unpublished_votes_statement(env.now(), 10);
        reads_only(&plan(&database, &votes).await, "comments_votes_unshown_idx");
    }

    async fn searches_of_meetings_read_in_order_or_use_their_index(env) {
        env.akimat(HOST).plan(HOST, HOST, env.now() + chrono::TimeDelta::days(9), "AFTER").await;
        let database = env.database().await;
        let is_embedded = env.engine == Engine::Embedded;
        let index = "CREATE INDEX meetings_search_trigrams ON meetings USING gin (search gin_trgm_ops)";
        if !is_embedded {
            // An index is built faster than it is kept in step.
            database.execute_unprepared("DROP INDEX meetings_search_trigrams").await.unwrap();
        }
        let start = if is_embedded {
            "strftime('%Y-%m-%dT%H:%M:%S+00:00', meetings.planned_start, n || ' minutes')"
        } else {
            "meetings.planned_start + n * interval '1 minute'"
        };
        let text = "CASE WHEN n % 10000 = 0 THEN 'сирек' WHEN n % 2 = 0 THEN 'кездесу' ELSE 'отчет' END || ' ' || n";
        multiply(&database, ("meetings", "true"), &meeting_columns(), 100_000, &[("search", text), ("planned_start", start)]).await;
        if !is_embedded {
            database.execute_unprepared(index).await.unwrap();
        }
        let store = &env.service(0).app().store;
        let request = PageRequest { after: None, before: None, limit: 20, backward: false };
        for (words, count) in [(vec!["сирек"], 10), (vec!["кездесу"], 20), (vec!["су"], 20), (vec!["жоқта"], 0), (vec!["сирек", "000"], 10)] {
            let filter = MeetingFilter { words: words.iter().map(|word| (*word).to_owned()).collect(), ..Default::default() };
            let (in_order, by_index) = store.meetings_statements(&filter, &request);
            let read = plan(&database, &in_order).await;
            reads_only(&read, "meetings_planned_start_idx");
            assert_eq!(by_index.is_none(), words == ["су"], "{words:?}");
            if let Some(statement) = by_index {
                let plan = plan(&database, &statement).await;
                let (index, whole) = if is_embedded {
                    ("meetings_search_trigrams VIRTUAL TABLE INDEX", "SCAN meetings\n")
                } else {
                    ("meetings_search_trigrams", "Seq Scan")
                };
                assert!(plan.contains(index) && !plan.contains(whole), "{plan}");
                assert!(!plan.contains("meetings_planned_start_idx"), "{plan}");
            }
            assert_eq!(store.meetings(&filter, &request).await.unwrap().rows.len(), count, "{words:?}");
        }
        if is_embedded {
            let keep = Statement::from_string(DbBackend::Sqlite, "UPDATE meetings_search_trigrams SET search = '' WHERE rowid = (SELECT row_number FROM meetings_search_trigrams_rows WHERE id = (SELECT id FROM meetings WHERE id = x'00'))");
            let plan = plan(&database, &keep).await;
            assert!(!plan.contains("SCAN meetings_search_trigrams_rows"), "{plan}");
        }
    }

    async fn statements_keep_their_plans(env) {
        if env.engine == Engine::Embedded {
            let options = Statement::from_string(DbBackend::Sqlite, "PRAGMA compile_options");
            let rows = env.database().await.query_all_raw(options).await.unwrap();
            let options: Vec<_> = rows.iter().map(|row| row.try_get::<String>("", "compile_options").unwrap()).collect();
            assert!(options.iter().any(|option| option == "ENABLE_QPSG"), "{options:?}");
        }
    }

    async fn filtered_replays_use_the_index_of_their_level(env) {
        env.akimat(HOST).plan(HOST, HOST, env.now() + chrono::TimeDelta::days(9), "AFTER").await;
        let database = env.database().await;
        let columns: Vec<_> = feed_event::Column::iter().map(|column| column.as_str()).collect();
        // One event in a thousand is elsewhere.
        let code = "CASE WHEN n % 1000 = 0 THEN '103230101' ELSE feed_events.region_code END";
        multiply(&database, ("feed_events", "true"), &columns, 20_000, &[("seq", "1 + n"), ("region_code", code)]).await;
        let store = &env.service(0).app().store;
        for (unit, level) in [("10", 2), ("1032", 4), ("103230", 6), ("1032301", 7), ("103230101", 9), ("75", 2)] {
            let filter = EventFilter::Within(format!("{unit:0<9}").parse().unwrap());
            let range = EventRange { after: 500, through: 19_000, limit: 256 };
            for statement in store.matching_events_statements(&meeting_feed(), filter, range) {
                reads_only(&plan(&database, &statement).await, &format!("feed_events_region_{level}_idx"));
            }
            let found = store.matching_events(&meeting_feed(), filter, range).await.unwrap();
            assert_eq!(found.len(), if unit == "75" { 256 } else { 18 }, "{unit}");
        }
    }

    async fn most_voted_pages_have_no_gaps(env) {
        let (meeting, _) = meeting_with_comments(&env, 150, &[("votes", "(n * 7919) % 5")]).await;
        let listed = env.anonymous().comments(&meeting, serde_json::json!({ "orderBy": "MOST_VOTED" })).await;
        let keys: Vec<_> = listed
            .iter()
            .map(|one| (-one["votes"].as_i64().unwrap(), one["receipt"].as_str().unwrap().to_owned()))
            .collect();
        assert!(keys.is_sorted() && keys.len() == 151, "{keys:?}");
    }
}
