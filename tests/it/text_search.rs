//! Indexed searches find the same as reading every row.

use chrono::{DateTime, TimeDelta, Utc};
use entities::{comment, ids::MeetingId, meeting};
use harness::{Engine, HOST, TestEnv, on_both_engines};
use kezdesu::{
    domain::normalization::{normalize_for_search, search_terms},
    graphql::node::GlobalId,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, IdenStatic, Iterable, Statement, Value as SqlValue};
use serde_json::{Value, json};

use crate::query_plans::{meeting_columns, multiply};

const SEARCH: &str = "query($s: String, $after: String) {
    meetings(first: 100, after: $after, filter: { search: $s }) {
        totalCount nodes { id } pageInfo { hasNextPage endCursor }
    } }";
/// More rows than a search reads before it asks the index.
const MANY: usize = 1_010;
/// Pieces of texts in three scripts, with signs that mean something in SQL or full-text expressions.
const PIECES: [&str; 36] = [
    "жол",
    "су",
    "мектеп",
    "Ёлка",
    "дорога",
    "ремонт",
    "вода",
    "ауыл",
    "Қала",
    "әкім",
    "ғимарат",
    "өңір",
    "үй",
    "ұлт",
    "шаңырақ",
    "road",
    "Water",
    "Straße",
    "NEAR",
    "AND",
    "OR",
    "NOT",
    "а",
    "б",
    "z",
    "7",
    "120",
    "%",
    "_",
    "\\",
    "'",
    "\"",
    "*",
    "(",
    "^",
    "😀",
];

/// A seeded random generator.
pub(crate) struct Rng(pub u64);

impl Rng {
    pub fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }

    pub fn text(&mut self, most: usize) -> String {
        let separators = ["", " ", " ", "-"];
        (0..=self.below(most))
            .map(|_| format!("{}{}", PIECES[self.below(PIECES.len())], separators[self.below(4)]))
            .collect()
    }

    /// A part of a text, cut anywhere.
    pub fn part(&mut self, text: &str) -> String {
        let characters: Vec<char> = text.chars().collect();
        let first = self.below(characters.len());
        characters.iter().skip(first).take(1 + self.below(12)).collect()
    }
}

/// What the database should hold: the normalised text of each meeting.
type Texts = Vec<(String, String)>;

async fn execute(database: &DatabaseConnection, sql: &str, values: Vec<SqlValue>) {
    let engine = database.get_database_backend();
    let sql =
        if engine == sea_orm::DbBackend::Sqlite { sql.replace("$1", "?1").replace("$2", "?2") } else { sql.to_owned() };
    database.execute_raw(Statement::from_sql_and_values(engine, sql, values)).await.unwrap();
}

fn raw(id: &str) -> MeetingId {
    match GlobalId::parse(id) {
        Some(GlobalId::Meeting(id)) => id,
        _ => panic!("{id}"),
    }
}

/// Plans a meeting, and inserts copies of it that start at other times, as any version does.
async fn meetings_with(env: &TestEnv, texts: &[(String, DateTime<Utc>)]) -> Texts {
    let first = env.akimat(HOST).plan(HOST, HOST, env.now() + TimeDelta::days(9), "AFTER").await;
    let app = env.service(0).app();
    let tx = app.store.begin().await.unwrap();
    let row = tx.lock_meeting(raw(&harness::id_of(&first))).await.unwrap().unwrap();
    let mut all = Vec::new();
    for (text, planned_start) in texts {
        let id = MeetingId(app.ids.next(env.now()));
        let search = normalize_for_search(text);
        let copy = meeting::Model { id, search: search.clone(), planned_start: *planned_start, ..row.clone() };
        tx.insert_meeting(copy).await.unwrap();
        all.push((GlobalId::Meeting(id).show().to_string(), search));
    }
    tx.commit().await.unwrap();
    all
}

async fn found(env: &TestEnv, search: &str) -> (Vec<String>, Value) {
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = env.anonymous().query(SEARCH, json!({ "s": search, "after": after })).await;
        let page = &page["meetings"];
        all.extend(page["nodes"].as_array().unwrap().iter().map(harness::id_of));
        if page["pageInfo"]["hasNextPage"] != true {
            return (all, page["totalCount"].clone());
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// Compares a search with reading every text.
async fn check(env: &TestEnv, texts: &Texts, search: &str) {
    let Some(terms) = search_terms(search).filter(|terms| !terms.is_empty()) else { return };
    let mut expected: Vec<_> = texts
        .iter()
        .filter(|(_, text)| terms.iter().all(|term| text.contains(term.as_str())))
        .map(|(id, _)| id.clone())
        .collect();
    let (mut ids, count) = found(env, search).await;
    assert_eq!(count, expected.len(), "{search:?} {terms:?}");
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected, "{search:?} {terms:?}");
}

on_both_engines! {
    async fn any_search_finds_what_reading_every_row_finds(env) {
        let mut random = Rng(0x5eed_0029);
        // All but the first texts are behind so many others that only the index is asked for them.
        let texts: Vec<_> = (0..240_i64)
            .map(|n| (random.text(8), env.now() + if n < 20 { TimeDelta::days(1) } else { TimeDelta::days(20 + n % 7) }))
            .collect();
        let mut all = meetings_with(&env, &texts).await;
        let database = env.database().await;
        let filler = [("search", "'+'"), ("id", if env.engine == Engine::Embedded { "randomblob(16)" } else { "gen_random_uuid()" })];
        execute(&database, "DELETE FROM meetings WHERE search LIKE 'кездесу встреча%'", Vec::new()).await;
        let first = env.akimat(HOST).plan(HOST, HOST, env.now() + TimeDelta::days(10), "AFTER").await;
        execute(&database, "UPDATE meetings SET search = '+' WHERE id = $1", vec![raw(&harness::id_of(&first)).0.into()]).await;
        let columns = meeting_columns();
        multiply(&database, ("meetings", "search = '+'"), &columns, MANY, &filler).await;
        for round in 0..2 {
            for _ in 0..40 {
                let (_, text) = &all[random.below(all.len())];
                let search = if random.below(3) == 0 || text.is_empty() { random.text(2) } else { random.part(text) };
                check(&env, &all, &search).await;
            }
            for special in ["\" OR \"", "жол*", "search:жол", "NEAR(жол су)", "%%%", "___", "a_b", "-жол", "''''"] {
                check(&env, &all, special).await;
            }
            if round == 0 {
                change(&database, &mut random, &mut all).await;
            }
        }
    }

    async fn rows_from_before_the_index_are_found(env) {
        let texts = [("Ескі көпір", 20), ("Жаңа мектеп", 20)];
        let texts = texts.map(|(text, day)| (text.to_owned(), env.now() + TimeDelta::days(day)));
        let database = env.database().await;
        let drop = if env.engine == Engine::Embedded {
            "DROP TRIGGER meetings_search_trigrams_insert; DROP TRIGGER meetings_search_trigrams_update;
             DROP TRIGGER meetings_search_trigrams_delete; DROP TABLE meetings_search_trigrams;
             DROP TABLE meetings_search_trigrams_rows"
        } else {
            "DROP INDEX meetings_search_trigrams"
        };
        database.execute_unprepared(drop).await.unwrap();
        execute(&database, "DELETE FROM seaql_migrations WHERE version = 'm0029_search_indexes'", Vec::new()).await;
        let all = meetings_with(&env, &texts).await;
        // Many meetings before them, so that the index is asked.
        let columns = meeting_columns();
        multiply(&database, ("meetings", "search LIKE 'кездесу%'"), &columns, MANY, &[("search", "'+'")]).await;
        env.service(0).app().store.migrate().await.unwrap();
        for search in ["көпір", "опи", "мектеп", "жана мек", "жоқ сөз"] {
            check(&env, &all, search).await;
        }
    }

    async fn counts_of_meetings_stop_at_ten_thousand(env) {
        env.akimat(HOST).plan(HOST, HOST, env.now() + TimeDelta::days(9), "AFTER").await;
        let database = env.database().await;
        let count = async |search: Value| {
            let query = "query($s: String) { meetings(first: 1, filter: { search: $s }) { totalCount } }";
            env.anonymous().query(query, json!({ "s": search })).await["meetings"]["totalCount"].clone()
        };
        let mut rows = 1;
        for (add, expected) in [(9_998, 9_999), (1, 10_000), (1, 10_000), (500, 10_000)] {
            multiply(&database, ("meetings", "id = (SELECT id FROM meetings LIMIT 1)"), &meeting_columns(), add, &[]).await;
            rows += add;
            for search in [json!(null), json!("кездесу"), json!("здес"), json!("су")] {
                assert_eq!(count(search.clone()).await, expected, "{rows} {search}");
            }
        }
        assert_eq!(count(json!("жоқ")).await, 0);
    }

    async fn counts_of_comments_stop_at_ten_thousand(env) {
        let meeting = env.akimat(HOST).live_meeting(HOST, HOST, env.now(), "AFTER").await;
        env.citizen("Ana").post(&meeting, "Жол?").await;
        let database = env.database().await;
        let columns: Vec<_> = comment::Column::iter().map(|column| column.as_str()).collect();
        let query = "query($id: ID!, $s: String) { meeting(id: $id) { comments(first: 1, filter: { search: $s }) { totalCount } } }";
        let count = async |search: Value| {
            let shown = env.anonymous().query(query, json!({ "id": meeting, "s": search })).await;
            shown["meeting"]["comments"]["totalCount"].clone()
        };
        let mut rows = 1;
        for (add, expected) in [(9_998, 9_999), (1, 10_000), (1, 10_000)] {
            let number = format!("{rows} + n");
            let changes = [("receipt", number.as_str()), ("posted_seq", &number), ("author_key", "'sub:' || n")];
            multiply(&database, ("comments", "receipt = 1"), &columns, add, &changes).await;
            rows += add;
            for search in [json!(null), json!("жол")] {
                assert_eq!(count(search.clone()).await, expected, "{rows} {search}");
            }
        }
    }
}

/// Changes and deletes rows as an older version does.
async fn change(database: &DatabaseConnection, random: &mut Rng, all: &mut Texts) {
    for _ in 0..40 {
        let one = random.below(all.len());
        let id: SqlValue = raw(&all[one].0).0.into();
        if random.below(3) == 0 {
            execute(database, "DELETE FROM meetings WHERE id = $1", vec![id]).await;
            all.remove(one);
        } else {
            let search = normalize_for_search(&random.text(8));
            execute(
                database,
                "UPDATE meetings SET search = $2, version = version + 1 WHERE id = $1",
                vec![id, search.clone().into()],
            )
            .await;
            all[one].1 = search;
        }
    }
}
