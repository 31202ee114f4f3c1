//! Searches columns of normalised text: rows that contain all words of a search, wherever they are in a word.
//!
//! A column has an index of trigrams (`migration/src/text_index.rs`). It finds the rows of rare words, but in no order, so
//! a frequent word would cost a sort of half of the table. A page is therefore sought in the order of the list first:
//! where a word is frequent, a page is full soon. Only if it is not, the index answers. Words of one and two characters have no
//! trigram, so that a search of these alone reads the list until the page is full.

use sea_orm::{
    ColumnTrait, Condition, DbBackend, EntityTrait, FromQueryResult, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _, Select, Statement, TryGetableMany,
    sea_query::{Alias, Asterisk, Expr, ExprTrait as _, Func, LikeExpr, Query, SimpleExpr},
};

use crate::{
    domain::normalization::TRIGRAM,
    store::{DatabaseEngine, Store, StoreError, counts::MAX_COUNT},
};

/// Rows that are read in order before the index is asked.
const FIRST_ROWS: u64 = 1_000;
/// How many times as many rows are read in order if that can be expected to fill the page.
const MORE_ROWS: u64 = 8;
/// Words that are looked up in the index, longest first. The rows that they leave are filtered by the others.
const INDEXED_WORDS: usize = 3;
/// Characters of a word that are looked up in SQLite's index.
const INDEXED_CHARACTERS: usize = 12;

/// Returns the condition that a column contains a text literally.
pub(in crate::store) fn contains(column: impl ColumnTrait, text: &str) -> SimpleExpr {
    let literal = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    column.like(LikeExpr::new(format!("%{literal}%")).escape('\\'))
}

/// A search, in the forms that lists need.
pub(in crate::store) trait Search {
    /// Returns the condition that is checked for each row that is read.
    fn by_reading(&self, engine: DatabaseEngine) -> Condition;
    /// Returns the same condition in a form that indexes answer, or `None` if all words are too short for them.
    fn by_index(&self, engine: DatabaseEngine) -> Option<Condition>;
    /// Returns the statement that counts at least as many matches in SQLite's full-text table as the search has, up to
    /// [`MAX_COUNT`], or `None` if all words are too short for it.
    fn match_count(&self) -> Option<Statement>;
}

/// The words of a search, all of which a column must contain.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct TextSearch<'a, C> {
    /// A column with an index of trigrams, in a table whose primary key is `id`.
    pub column: C,
    /// The words.
    pub words: &'a [String],
}

impl<C: ColumnTrait> Search for TextSearch<'_, C> {
    fn by_reading(&self, engine: DatabaseEngine) -> Condition {
        self.words.iter().fold(Condition::all(), |all, word| all.add(self.read(engine, word)))
    }

    fn by_index(&self, engine: DatabaseEngine) -> Option<Condition> {
        let indexed = self.indexed_words();
        let condition = match engine {
            _ if indexed.is_empty() => return None,
            DatabaseEngine::Sqlite => self.by_reading(engine).add(self.matches(&indexed)),
            DatabaseEngine::Postgres => self.words.iter().fold(Condition::all(), |all, word| {
                let is_indexed = indexed.contains(&word.as_str());
                all.add(if is_indexed { contains(self.column, word) } else { self.read(engine, word) })
            }),
        };
        Some(condition)
    }

    fn match_count(&self) -> Option<Statement> {
        let words = self.indexed_words();
        let count = format!(
            "SELECT count(*) AS matches FROM (SELECT rowid FROM {index} WHERE {index} MATCH ? LIMIT {MAX_COUNT})",
            index = self.index()
        );
        let values = [match_expression(&words).into()];
        (!words.is_empty()).then(|| Statement::from_sql_and_values(DbBackend::Sqlite, count, values))
    }
}

impl<C: ColumnTrait> TextSearch<'_, C> {
    /// On PostgreSQL in a form that no index answers, so that the planner keeps to the order of the list.
    fn read(&self, engine: DatabaseEngine, word: &str) -> SimpleExpr {
        match engine {
            DatabaseEngine::Sqlite => contains(self.column, word),
            DatabaseEngine::Postgres => {
                Func::cust("strpos").arg(Expr::col(self.column.as_column_ref())).arg(word).gt(0)
            }
        }
    }

    fn indexed_words(&self) -> Vec<&str> {
        let mut words: Vec<(usize, &str)> =
            self.words.iter().map(|word| (word.chars().count(), word.as_str())).collect();
        words.retain(|(length, _)| *length >= TRIGRAM);
        words.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        words.into_iter().take(INDEXED_WORDS).map(|(_, word)| word).collect()
    }

    /// The condition that the full-text table has the trigrams of these words. It has no positions, so the text itself
    /// must be checked too.
    fn matches(&self, words: &[&str]) -> SimpleExpr {
        let table = self.table();
        Expr::cust_with_values(
            format!(
                "{table}.id IN (SELECT {index}_rows.id FROM {index}
                 JOIN {index}_rows ON {index}_rows.row_number = {index}.rowid WHERE {index} MATCH ?)",
                index = self.index()
            ),
            [match_expression(words)],
        )
    }

    fn table(&self) -> String {
        self.column.entity_name().to_string()
    }

    fn index(&self) -> String {
        format!("{}_{}_trigrams", self.table(), self.column.as_str())
    }
}

/// Returns the full-text expression for texts with all trigrams of some words, each as a quoted string.
fn match_expression(words: &[&str]) -> String {
    let trigrams = words.iter().flat_map(|word| {
        let characters: Vec<char> = word.chars().take(INDEXED_CHARACTERS).collect();
        characters.windows(TRIGRAM).map(|three| three.iter().collect::<String>()).collect::<Vec<_>>()
    });
    let quoted = trigrams.map(|trigram| format!("\"{}\"", trigram.replace('"', "\"\"")));
    quoted.collect::<Vec<_>>().join(" AND ")
}

/// A page of a list that is searched.
pub(in crate::store) struct SearchedPage<'a, E: EntityTrait, K, S> {
    /// The rows from the cursor on, unordered, by conditions that indexes in the order of the list answer.
    pub rows: Select<E>,
    /// The columns of the sort key.
    pub key: &'a [E::Column],
    /// Whether the rows are read from the largest key.
    pub descending: bool,
    /// Returns the condition for keys before a key, as the rows are read: smaller, or larger if they are read descending.
    pub before: fn(K, bool) -> Condition,
    /// The other conditions.
    pub rest: Condition,
    /// The search.
    pub search: S,
    /// The number of rows to find.
    pub limit: u64,
}

impl<E: EntityTrait, K, S: Search> SearchedPage<'_, E, K, S> {
    const fn order(&self) -> Order {
        if self.descending { Order::Desc } else { Order::Asc }
    }

    fn ordered(&self, rows: Select<E>) -> Select<E> {
        self.key.iter().fold(rows, |rows, column| rows.order_by(*column, self.order()))
    }

    /// The rows of the page, read in order, up to a key.
    pub fn by_reading(&self, engine: DatabaseEngine, end: Option<K>) -> Select<E> {
        let rows = self.rows.clone().filter(self.rest.clone()).filter(self.search.by_reading(engine));
        let rows = if let Some(key) = end { rows.filter((self.before)(key, self.descending)) } else { rows };
        self.ordered(rows).limit(self.limit)
    }

    /// The rows of the page by the index. On PostgreSQL the subquery keeps the planner from reading the list in order.
    pub fn by_index(&self, engine: DatabaseEngine) -> Option<Statement> {
        let rows = self.rows.clone().filter(self.rest.clone()).filter(self.search.by_index(engine)?);
        if engine == DatabaseEngine::Sqlite {
            return Some(self.ordered(rows).limit(self.limit).build(DbBackend::Sqlite));
        }
        let table = Alias::new(E::default().table_name());
        let mut page = Query::select();
        page.column(Asterisk).from_subquery(rows.offset(0).into_query(), table).limit(self.limit);
        for column in self.key {
            page.order_by(column.as_column_ref(), self.order());
        }
        Some(DbBackend::Postgres.build(&page))
    }
}

impl Store {
    /// Returns the rows of a page of a searched list.
    pub(in crate::store) async fn searched_page<
        E: EntityTrait,
        K: TryGetableMany + Send + Sync,
        S: Search + Send + Sync,
    >(
        &self,
        page: &SearchedPage<'_, E, K, S>,
    ) -> Result<Vec<E::Model>, StoreError> {
        let (found, is_whole) = self.read_in_order(page, FIRST_ROWS).await?;
        if is_whole {
            return Ok(found);
        }
        let Some(by_index) = page.by_index(self.engine) else {
            return Ok(page.by_reading(self.engine, None).all(self.reader()).await?);
        };
        let expected = u64::try_from(found.len()).unwrap_or(u64::MAX).saturating_mul(MORE_ROWS);
        if expected >= page.limit {
            let (found, is_whole) = self.read_in_order(page, FIRST_ROWS * MORE_ROWS).await?;
            if is_whole {
                return Ok(found);
            }
        }
        Ok(E::Model::find_by_statement(by_index).all(self.reader()).await?)
    }

    /// Searches the first rows of a list, and returns whether the page is full or the list ends there.
    async fn read_in_order<E: EntityTrait, K: TryGetableMany + Send + Sync, S: Search + Send + Sync>(
        &self,
        page: &SearchedPage<'_, E, K, S>,
        rows: u64,
    ) -> Result<(Vec<E::Model>, bool), StoreError> {
        let end = page.ordered(page.rows.clone()).select_only().columns(page.key.iter().copied()).offset(rows).limit(1);
        let end: Option<K> = end.into_tuple().one(self.reader()).await?;
        let is_last = end.is_none();
        let found = page.by_reading(self.engine, end).all(self.reader()).await?;
        let is_full = u64::try_from(found.len()).is_ok_and(|count| count >= page.limit);
        Ok((found, is_full || is_last))
    }

    /// Counts the rows that a search finds, up to [`MAX_COUNT`].
    pub(in crate::store) async fn count_searched<E: EntityTrait>(
        &self,
        rows: Select<E>,
        search: impl Search + Send + Sync,
    ) -> Result<u64, StoreError> {
        let by_index = if self.is_indexed(&search).await? { search.by_index(self.engine) } else { None };
        self.count(rows.filter(by_index.unwrap_or_else(|| search.by_reading(self.engine)))).await
    }

    /// PostgreSQL decides itself. SQLite reads the table if there are so many matches that it soon finds enough.
    async fn is_indexed(&self, search: &(impl Search + Send + Sync)) -> Result<bool, StoreError> {
        let Some(count) = search.match_count() else { return Ok(false) };
        if self.engine == DatabaseEngine::Postgres {
            return Ok(true);
        }
        let (matches,) = Matches::find_by_statement(count).one(self.reader()).await?.map_or((0,), |row| (row.matches,));
        Ok(u64::try_from(matches).is_ok_and(|matches| matches < MAX_COUNT))
    }
}

#[derive(FromQueryResult)]
struct Matches {
    matches: i64,
}
