//! Searches issues: their public texts, and within the viewer's scope the texts for staff.

use chrono::{DateTime, NaiveDate, Utc};
use entities::{
    ids::IssueId,
    issue::{self, Column, Entity},
};
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryTrait as _, Statement};

use crate::{
    domain::policy::InternalsScope,
    store::{
        DatabaseEngine, Store, StoreError,
        issue_lists::{IssueCursor, IssueFilter, IssueOrder, beyond, other_conditions, page_query, place},
        keyset::{PageRequest, PageSlice},
        search::{Search, SearchedPage, TextSearch},
        subtree::within,
    },
};

/// The words of a search and where they are sought.
pub(in crate::store) struct IssueSearch<'a> {
    /// In the texts for everybody.
    public: Option<TextSearch<'a, Column>>,
    /// In the texts for staff, of the issues that a condition selects.
    staff: Option<(Condition, TextSearch<'a, Column>)>,
}

impl<'a> IssueSearch<'a> {
    /// Seeks words in the texts that the viewer may read.
    pub fn new(scope: &InternalsScope, words: &'a [String]) -> Self {
        let text = |column| TextSearch { column, words };
        match scope {
            InternalsScope::Everything => {
                Self { public: None, staff: Some((Condition::all(), text(Column::StaffSearch))) }
            }
            InternalsScope::Of { units, agencies } => {
                let own = units.iter().fold(Condition::any(), |any, unit| any.add(within(Column::RegionCode, *unit)));
                let own = own.add_option(
                    (!agencies.is_empty()).then(|| Column::Responsible.is_in(agencies.iter().map(String::as_str))),
                );
                // A condition without members would select everything.
                let staff = (!own.is_empty()).then(|| (own, text(Column::StaffSearch)));
                Self { public: Some(text(Column::Search)), staff }
            }
        }
    }
}

impl Search for IssueSearch<'_> {
    fn by_reading(&self, engine: DatabaseEngine) -> Condition {
        let staff = self.staff.as_ref().map(|(own, text)| both(own.clone(), text.by_reading(engine)));
        Condition::any().add_option(self.public.map(|text| text.by_reading(engine))).add_option(staff)
    }

    fn by_index(&self, engine: DatabaseEngine) -> Option<Condition> {
        // All texts are sought for the same words, so either all are indexed or none is.
        let public = self.public.and_then(|text| text.by_index(engine));
        let staff = self.staff.as_ref().and_then(|(own, text)| Some(both(own.clone(), text.by_index(engine)?)));
        let any = Condition::any().add_option(public).add_option(staff);
        (!any.is_empty()).then_some(any)
    }

    fn match_count(&self) -> Option<Statement> {
        // The texts for staff hold the public ones.
        self.staff.as_ref().map(|(_, text)| *text).or(self.public)?.match_count()
    }
}

fn both(one: Condition, other: Condition) -> Condition {
    Condition::all().add(one).add(other)
}

type Page<'a, K> = SearchedPage<'a, Entity, K, IssueSearch<'a>>;

/// A searched page in one of the orders.
enum OrderedPage<'a> {
    ByTime(Page<'a, (DateTime<Utc>, IssueId)>),
    ByDay(Page<'a, (NaiveDate, IssueId)>),
}

fn searched_page<'a>(
    scope: &InternalsScope,
    filter: &'a IssueFilter,
    request: &PageRequest<IssueCursor>,
) -> OrderedPage<'a> {
    let rows = Entity::find().filter(place(filter)).filter(filter.order.cursors(request));
    let search = IssueSearch::new(scope, &filter.words);
    let (rest, limit) = (other_conditions(filter), request.query_limit());
    let descending = filter.order.is_descending(request.backward);
    match filter.order {
        IssueOrder::Newest => OrderedPage::ByTime(SearchedPage {
            rows,
            key: &[Column::CreatedAt, Column::Id],
            descending,
            before: |(at, id), descending| beyond(Column::CreatedAt, at, id, descending),
            rest,
            search,
            limit,
        }),
        IssueOrder::LastChanged => OrderedPage::ByTime(SearchedPage {
            rows,
            key: &[Column::UpdatedAt, Column::Id],
            descending,
            before: |(at, id), descending| beyond(Column::UpdatedAt, at, id, descending),
            rest,
            search,
            limit,
        }),
        IssueOrder::MostUrgent => OrderedPage::ByDay(SearchedPage {
            rows,
            key: &[Column::UrgentBy, Column::Id],
            descending,
            before: |(day, id), descending| beyond(Column::UrgentBy, day, id, descending),
            rest,
            search,
            limit,
        }),
    }
}

impl Store {
    /// Returns a page of the issues that a filter allows. Texts that are not released are searched within the scope only.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issues(
        &self,
        scope: &InternalsScope,
        filter: &IssueFilter,
        request: &PageRequest<IssueCursor>,
    ) -> Result<PageSlice<issue::Model>, StoreError> {
        let rows = if filter.words.is_empty() {
            page_query(filter, request).all(self.reader()).await?
        } else {
            self.search_issues(scope, filter, request).await?
        };
        Ok(request.slice(rows))
    }

    /// Counts the issues that a filter allows, up to [`crate::store::counts::MAX_COUNT`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_issues(&self, scope: &InternalsScope, filter: &IssueFilter) -> Result<u64, StoreError> {
        let rows = Entity::find().filter(place(filter)).filter(other_conditions(filter));
        if filter.words.is_empty() {
            return self.count(rows).await;
        }
        self.count_searched(rows, IssueSearch::new(scope, &filter.words)).await
    }

    /// Returns the rows of a page of issues with the words of a filter.
    async fn search_issues(
        &self,
        scope: &InternalsScope,
        filter: &IssueFilter,
        request: &PageRequest<IssueCursor>,
    ) -> Result<Vec<issue::Model>, StoreError> {
        match searched_page(scope, filter, request) {
            OrderedPage::ByTime(page) => self.searched_page(&page).await,
            OrderedPage::ByDay(page) => self.searched_page(&page).await,
        }
    }

    /// Returns the statements that a search of issues may run, to explain their plans: in order, and by the indexes.
    #[must_use]
    pub fn issue_search_statements(
        &self,
        scope: &InternalsScope,
        filter: &IssueFilter,
        request: &PageRequest<IssueCursor>,
    ) -> (Statement, Option<Statement>) {
        let (engine, backend) = (self.engine(), self.reader().get_database_backend());
        match searched_page(scope, filter, request) {
            OrderedPage::ByTime(page) => (page.by_reading(engine, None).build(backend), page.by_index(engine)),
            OrderedPage::ByDay(page) => (page.by_reading(engine, None).build(backend), page.by_index(engine)),
        }
    }
}
