//! Lists of issues.

use chrono::{DateTime, NaiveDate, Utc};
use entities::{
    comment,
    enums::{IssueLevel, IssueState},
    ids::{IssueId, MeetingId},
    issue::{self, Column, Entity},
    issue_person, issue_source,
    kato::KatoCode,
    public_request, reception, registration,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, Select, Statement,
    sea_query::{Order, Query, SelectStatement, UnionType},
};

use crate::{
    domain::issues::is_open,
    store::{Store, keyset::PageRequest, subtree::within},
};

/// How many merges of a merged issue are followed.
const MERGE_DEPTH: usize = 3;

/// Order of a list of issues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IssueOrder {
    /// Newest first.
    #[default]
    Newest,
    /// Open ones by their deadlines, then the others.
    MostUrgent,
    /// Last changed first.
    LastChanged,
}

/// Filter of a list of issues. All given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssueFilter {
    /// About this unit or one below it.
    pub region: Option<KatoCode>,
    /// Raised at this meeting.
    pub meeting: Option<MeetingId>,
    /// Code of the responsible body.
    pub agency: Option<String>,
    /// Which bodies they need.
    pub level: Option<IssueLevel>,
    /// Any of these states.
    pub states: Option<Vec<IssueState>>,
    /// Code of the category.
    pub category: Option<String>,
    /// Whether the deadline has passed, as of this day.
    pub overdue: Option<(bool, NaiveDate)>,
    /// Whether so many are not satisfied that staff has to look again.
    pub unsatisfied: Option<bool>,
    /// Normalised terms that the texts must all contain.
    pub words: Vec<String>,
    /// Pseudonym of a person who follows them.
    pub followed_by: Option<String>,
    /// Only those in a publication.
    pub published: Option<PublishedIssues>,
    /// The order.
    pub order: IssueOrder,
}

/// Which issues are in a publication. Those that were merged into others are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedIssues {
    /// Raised at this meeting, or the target of one that was raised there and then merged.
    pub results_of: Option<MeetingId>,
    /// Raised before this time.
    pub raised_before: Option<DateTime<Utc>>,
    /// Open, or changed at this time or later.
    pub open_or_changed_since: Option<DateTime<Utc>>,
}

/// Sort key of an issue in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueCursor {
    /// When it was raised.
    Newest(DateTime<Utc>, IssueId),
    /// Its deadline.
    MostUrgent(NaiveDate, IssueId),
    /// When it last changed.
    LastChanged(DateTime<Utc>, IssueId),
}

impl IssueCursor {
    /// Returns the sort key of an issue.
    #[must_use]
    pub const fn of(order: IssueOrder, row: &issue::Model) -> Self {
        match order {
            IssueOrder::Newest => Self::Newest(row.created_at, row.id),
            IssueOrder::MostUrgent => Self::MostUrgent(row.urgent_by, row.id),
            IssueOrder::LastChanged => Self::LastChanged(row.updated_at, row.id),
        }
    }

    /// Returns the order of the lists that it belongs to.
    #[must_use]
    pub const fn order(self) -> IssueOrder {
        match self {
            Self::Newest(..) => IssueOrder::Newest,
            Self::MostUrgent(..) => IssueOrder::MostUrgent,
            Self::LastChanged(..) => IssueOrder::LastChanged,
        }
    }

    /// Returns the condition for the rows beyond it, where keys are larger or smaller.
    fn beyond(self, larger: bool) -> Condition {
        match self {
            Self::Newest(at, id) => beyond(Column::CreatedAt, at, id, larger),
            Self::MostUrgent(day, id) => beyond(Column::UrgentBy, day, id, larger),
            Self::LastChanged(at, id) => beyond(Column::UpdatedAt, at, id, larger),
        }
    }
}

impl IssueOrder {
    /// Returns whether rows are read from the largest key. Only the most urgent have the smallest.
    pub(in crate::store) const fn is_descending(self, backward: bool) -> bool {
        matches!(self, Self::MostUrgent) == backward
    }

    /// Returns the condition for the rows between the cursors of a page.
    pub(in crate::store) fn cursors(self, request: &PageRequest<IssueCursor>) -> Condition {
        let rises = !self.is_descending(false);
        Condition::all()
            .add_option(request.after.map(|cursor| cursor.beyond(rises)))
            .add_option(request.before.map(|cursor| cursor.beyond(!rises)))
    }
}

/// Returns the condition for larger or smaller keys than a key.
pub(in crate::store) fn beyond<V: Into<sea_orm::Value> + Copy>(
    column: Column,
    value: V,
    id: IssueId,
    larger: bool,
) -> Condition {
    let (bound, further) = if larger {
        (column.gte(value), Condition::any().add(column.gt(value)).add(Column::Id.gt(id)))
    } else {
        (column.lte(value), Condition::any().add(column.lt(value)).add(Column::Id.lt(id)))
    };
    // The first condition alone bounds the range of the index.
    Condition::all().add(bound).add(further)
}

impl Store {
    /// Returns the statement of [`Self::issues`] without a search, for tests of its query plan.
    #[must_use]
    pub fn issues_statement(&self, filter: &IssueFilter, request: &PageRequest<IssueCursor>) -> Statement {
        page_query(filter, request).build(self.reader().get_database_backend())
    }
}

pub(in crate::store) fn page_query(filter: &IssueFilter, request: &PageRequest<IssueCursor>) -> Select<Entity> {
    let column = match filter.order {
        IssueOrder::Newest => Column::CreatedAt,
        IssueOrder::MostUrgent => Column::UrgentBy,
        IssueOrder::LastChanged => Column::UpdatedAt,
    };
    let direction = if filter.order.is_descending(request.backward) { Order::Desc } else { Order::Asc };
    Entity::find()
        .filter(place(filter))
        .filter(other_conditions(filter))
        .filter(filter.order.cursors(request))
        .order_by(column, direction.clone())
        .order_by(Column::Id, direction)
        .limit(request.query_limit())
}

/// Conditions that indexes in the order of a list answer.
pub(in crate::store) fn place(filter: &IssueFilter) -> Condition {
    Condition::all()
        .add_option(filter.region.map(|unit| within(Column::RegionCode, unit)))
        .add_option(filter.meeting.map(|meeting| Column::MeetingId.eq(meeting)))
        .add_option(filter.agency.as_ref().map(|agency| Column::Responsible.eq(agency)))
        .add_option(filter.category.as_ref().map(|category| Column::Category.eq(category)))
}

pub(in crate::store) fn other_conditions(filter: &IssueFilter) -> Condition {
    let followed = filter.followed_by.as_ref().map(|person| {
        let followed = Query::select()
            .column(issue_person::Column::IssueId)
            .from(issue_person::Entity)
            .and_where(issue_person::Column::Person.eq(person))
            .and_where(issue_person::Column::Follows.eq(true))
            .to_owned();
        Column::Id.in_subquery(followed)
    });
    Condition::all()
        // Issues in an unknown state are in no list.
        .add(Column::State.is_in(filter.states.as_deref().unwrap_or(IssueState::ALL).iter().copied()))
        .add_option(filter.level.map(|level| Column::Level.eq(level)))
        .add_option(filter.overdue.map(|(overdue, today)| overdue_condition(overdue, today)))
        .add_option(filter.unsatisfied.map(|unsatisfied| Column::IsUnsatisfied.eq(unsatisfied)))
        .add_option(followed)
        .add_option(filter.published.as_ref().map(published_condition))
}

fn published_condition(published: &PublishedIssues) -> Condition {
    let open: Vec<_> = IssueState::ALL.iter().copied().filter(|state| is_open(*state)).collect();
    let open_or_changed = published
        .open_or_changed_since
        .map(|since| Condition::any().add(Column::State.is_in(open)).add(Column::UpdatedAt.gte(since)));
    Condition::all()
        .add(Column::MergedInto.is_null())
        .add_option(published.results_of.map(|meeting| Column::Id.in_subquery(results_of(meeting))))
        .add_option(published.raised_before.map(|end| Column::CreatedAt.lt(end)))
        .add_option(open_or_changed)
}

/// Selects the issues that were raised at a meeting or from anything of it, and those that they were merged into.
///
/// Merging moves what an issue was raised from. Those without any are followed up to [`MERGE_DEPTH`] times.
fn results_of(meeting: MeetingId) -> SelectStatement {
    let raised = |column: Column| {
        Query::select().column(column).from(Entity).and_where(Column::MeetingId.eq(meeting)).to_owned()
    };
    let mut all = raised(Column::Id);
    for sources in sources_of(meeting) {
        let issues = Query::select()
            .column(issue_source::Column::IssueId)
            .from(issue_source::Entity)
            .and_where(issue_source::Column::SourceId.in_subquery(sources))
            .to_owned();
        all.union(UnionType::Distinct, issues);
    }
    let mut merged = raised(Column::MergedInto).and_where(Column::MergedInto.is_not_null()).to_owned();
    for _ in 0..MERGE_DEPTH {
        all.union(UnionType::Distinct, merged.clone());
        merged = Query::select()
            .column(Column::MergedInto)
            .from(Entity)
            .and_where(Column::Id.in_subquery(merged))
            .and_where(Column::MergedInto.is_not_null())
            .to_owned();
    }
    all
}

/// Selects the comments of a meeting, the registrations of its receptions, and the requests sent in for it.
fn sources_of(meeting: MeetingId) -> [SelectStatement; 3] {
    let receptions = Query::select()
        .column(reception::Column::Id)
        .from(reception::Entity)
        .and_where(reception::Column::MeetingId.eq(meeting))
        .to_owned();
    [
        Query::select()
            .column(comment::Column::Id)
            .from(comment::Entity)
            .and_where(comment::Column::MeetingId.eq(meeting))
            .to_owned(),
        Query::select()
            .column(registration::Column::Id)
            .from(registration::Entity)
            .and_where(registration::Column::ReceptionId.in_subquery(receptions))
            .to_owned(),
        Query::select()
            .column(public_request::Column::Id)
            .from(public_request::Entity)
            .and_where(public_request::Column::MeetingId.eq(meeting))
            .to_owned(),
    ]
}

fn overdue_condition(overdue: bool, today: NaiveDate) -> Condition {
    let open: Vec<_> = IssueState::ALL.iter().copied().filter(|state| is_open(*state)).collect();
    // Only open issues have a deadline in this column.
    let condition = Condition::all().add(Column::UrgentBy.lt(today)).add(Column::State.is_in(open));
    if overdue { condition } else { condition.not() }
}
