//! What belongs to issues: sources, plans, reports, released descriptions and people.

use chrono::{DateTime, Utc};
use entities::{
    comment,
    ids::{CommentId, IssueId, PlanStepId},
    issue_description, issue_person, issue_report, issue_source, issue_step,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel as _, QueryFilter, QueryOrder,
    QuerySelect, Set,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use crate::{
    domain::issues::Step,
    store::{Store, StoreError, Tx, batching::padded},
};

/// A report on an issue.
#[derive(Clone, Debug)]
pub struct QuarterReport {
    /// The newest report of the quarter.
    pub row: issue_report::Model,
    /// What that of the quarter before said, which may have been replaced since.
    pub previous_percent: Option<i32>,
}

impl Tx {
    /// Returns the issues that were raised from these sources. The caller's insert fails if another one comes in between.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sources_in_use(&self, sources: &[Uuid]) -> Result<Vec<issue_source::Model>, StoreError> {
        use issue_source::{Column, Entity};
        Ok(Entity::find().filter(Column::SourceId.is_in(padded(sources.iter().copied()))).all(self.inner()).await?)
    }

    /// Returns the sources of issues.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sources_of(&self, issues: &[IssueId]) -> Result<Vec<issue_source::Model>, StoreError> {
        use issue_source::{Column, Entity};
        let rows = Entity::find().filter(Column::IssueId.is_in(padded(issues.iter().copied())));
        Ok(rows.order_by_asc(Column::IssueId).order_by_asc(Column::Ordinal).all(self.inner()).await?)
    }

    /// Adds sources to an issue. Returns how many had no issue yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_sources(&self, rows: Vec<issue_source::Model>) -> Result<u64, StoreError> {
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
        let known = OnConflict::column(issue_source::Column::SourceId).do_nothing().to_owned();
        self.insert_rows(rows, Some(known)).await
    }

    /// Moves the sources of issues to another issue, after its own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_sources(&self, from: &[IssueId], into: IssueId, after: i32) -> Result<(), StoreError> {
        use issue_source::Column;
        let moved = self.sources_of(from).await?;
        let rows = moved.into_iter().zip(after.saturating_add(1)..).map(|(row, ordinal)| {
            let mut moved = row.clone().into_active_model();
            moved.issue_id = Set(into);
            moved.ordinal = Set(ordinal);
            (row.into_active_model(), moved)
        });
        self.update_rows::<issue_source::ActiveModel>(Column::SourceId, rows.collect::<Vec<_>>()).await
    }

    /// Returns the plan of an issue in its order, struck steps included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan(&self, issue: IssueId) -> Result<Vec<Step>, StoreError> {
        use issue_step::{Column, Entity};
        let rows = Entity::find().filter(Column::IssueId.eq(issue)).order_by_asc(Column::Ordinal);
        Ok(rows.all(self.inner()).await?.into_iter().map(step).collect())
    }

    /// Adds steps to a plan.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_steps(&self, issue: IssueId, steps: &[Step]) -> Result<(), StoreError> {
        let rows = steps.iter().map(|step| step_row(issue, step).into_active_model().reset_all()).collect();
        self.insert_rows::<issue_step::ActiveModel>(rows, None).await.map(drop)
    }

    /// Saves changed steps, each given as read and as it will be.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_steps(&self, issue: IssueId, changes: &[(Step, Step)]) -> Result<(), StoreError> {
        let row = |step: &Step| step_row(issue, step).into_active_model();
        let rows = changes.iter().map(|(before, after)| (row(before), row(after)));
        self.update_rows::<issue_step::ActiveModel>(issue_step::Column::Id, rows.collect::<Vec<_>>()).await
    }

    /// Returns the newest report of an issue by quarter.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reports(&self, issue: IssueId) -> Result<Vec<issue_report::Model>, StoreError> {
        use issue_report::{Column, Entity};
        let rows = Entity::find().filter(Column::IssueId.eq(issue)).order_by_asc(Column::Quarter);
        Ok(rows.all(self.inner()).await?)
    }

    /// Saves a report. It takes the place of another for the same quarter.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_report(&self, row: issue_report::Model) -> Result<(), StoreError> {
        use issue_report::{Column, Entity};
        let columns = [Column::Text, Column::Percent, Column::ReportedAt, Column::ReportedBy];
        let again = OnConflict::columns([Column::IssueId, Column::Quarter]).update_columns(columns).to_owned();
        let insert = Entity::insert(row.into_active_model().reset_all()).on_conflict(again);
        insert.exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Adds a released description as the next edition.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn insert_description(&self, issue: IssueId, text: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        use issue_description::{Column, Entity, Model};
        let last = Entity::find()
            .select_only()
            .column_as(Column::Edition.max(), "last")
            .filter(Column::IssueId.eq(issue))
            .into_tuple::<Option<i32>>()
            .one(self.inner())
            .await?;
        let edition = last.flatten().unwrap_or_default().saturating_add(1);
        let row = Model { issue_id: issue, edition, text: text.to_owned(), released_at: at };
        Entity::insert(row.into_active_model().reset_all()).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    /// Returns the people of issues: from whose words they were raised, and who follow them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people_of(&self, issues: &[IssueId]) -> Result<Vec<issue_person::Model>, StoreError> {
        use issue_person::{Column, Entity};
        let rows = Entity::find().filter(Column::IssueId.is_in(padded(issues.iter().copied())));
        Ok(rows.order_by_asc(Column::IssueId).order_by_asc(Column::Person).all(self.inner()).await?)
    }

    /// Saves people of issues. A row takes the place of another for the same person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_people(&self, rows: Vec<issue_person::Model>) -> Result<(), StoreError> {
        use issue_person::Column;
        let rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
        let columns = [Column::Raised, Column::Follows, Column::Satisfied, Column::Comment];
        let again = OnConflict::columns([Column::IssueId, Column::Person]).update_columns(columns).to_owned();
        self.insert_rows::<issue_person::ActiveModel>(rows, Some(again)).await.map(drop)
    }

    /// Returns the row of a person about an issue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_of(&self, issue: IssueId, person: &str) -> Result<Option<issue_person::Model>, StoreError> {
        Ok(issue_person::Entity::find_by_id((issue, person.to_owned())).one(self.inner()).await?)
    }

    /// Deletes the people of issues.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_people(&self, issues: &[IssueId]) -> Result<(), StoreError> {
        use issue_person::{Column, Entity};
        let of = Column::IssueId.is_in(padded(issues.iter().copied()));
        Entity::delete_many().filter(of).exec(self.inner()).await?;
        Ok(())
    }

    /// Forgets what people said of the outcome of an issue.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_answers(&self, issue: IssueId) -> Result<(), StoreError> {
        use issue_person::{Column, Entity};
        Entity::update_many()
            .col_expr(Column::Satisfied, Expr::value(Option::<bool>::None))
            .col_expr(Column::Comment, Expr::value(Option::<String>::None))
            .filter(Column::IssueId.eq(issue))
            .exec(self.inner())
            .await?;
        Ok(())
    }

    /// Returns the author keys of comments, and of those that were merged into them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn authors_of(&self, comments: &[CommentId]) -> Result<Vec<String>, StoreError> {
        use comment::{Column, Entity};
        let ids = || padded(comments.iter().copied());
        let mut authors = Vec::new();
        for of in [Column::Id.is_in(ids()), Column::MergedInto.is_in(ids())] {
            let keys = Entity::find().select_only().column(Column::AuthorKey).filter(of);
            let keys: Vec<Option<String>> = keys.into_tuple().all(self.inner()).await?;
            authors.extend(keys.into_iter().flatten());
        }
        Ok(authors)
    }
}

impl Store {
    /// Returns the sources of issues in their order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_sources(&self, issues: &[IssueId]) -> Result<Vec<issue_source::Model>, StoreError> {
        use issue_source::{Column, Entity};
        let rows = Entity::find().filter(Column::IssueId.is_in(padded(issues.iter().copied())));
        Ok(rows.order_by_asc(Column::IssueId).order_by_asc(Column::Ordinal).all(self.reader()).await?)
    }

    /// Returns which issues were raised from these sources.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issues_from(&self, sources: &[Uuid]) -> Result<Vec<issue_source::Model>, StoreError> {
        use issue_source::{Column, Entity};
        Ok(Entity::find().filter(Column::SourceId.is_in(padded(sources.iter().copied()))).all(self.reader()).await?)
    }

    /// Returns the plans of issues in their order, without struck steps.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plans(&self, issues: &[IssueId]) -> Result<Vec<(IssueId, Step)>, StoreError> {
        plans_in(self.reader(), issues).await
    }

    /// Returns the reports on issues by quarter.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_reports(&self, issues: &[IssueId]) -> Result<Vec<QuarterReport>, StoreError> {
        use issue_report::{Column, Entity};
        let rows = Entity::find().filter(Column::IssueId.is_in(padded(issues.iter().copied())));
        let rows = rows.order_by_asc(Column::IssueId).order_by_asc(Column::Quarter).all(self.reader()).await?;
        let mut before: Option<(IssueId, i32)> = None;
        let with_previous = |row: issue_report::Model| {
            let previous = before.replace((row.issue_id, row.percent)).filter(|(issue, _)| *issue == row.issue_id);
            QuarterReport { row, previous_percent: previous.map(|(_, percent)| percent) }
        };
        Ok(rows.into_iter().map(with_previous).collect())
    }

    /// Returns the rows of a person about these issues.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_person(&self, person: &str, issues: &[IssueId]) -> Result<Vec<issue_person::Model>, StoreError> {
        use issue_person::{Column, Entity};
        let rows = Entity::find().filter(Column::Person.eq(person));
        Ok(rows.filter(Column::IssueId.is_in(padded(issues.iter().copied()))).all(self.reader()).await?)
    }
}

/// Returns the plans of issues in their order, without struck steps.
pub(in crate::store) async fn plans_in(
    connection: &impl ConnectionTrait,
    issues: &[IssueId],
) -> Result<Vec<(IssueId, Step)>, StoreError> {
    use issue_step::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::IssueId.is_in(padded(issues.iter().copied())))
        .filter(Column::StruckAt.is_null())
        .order_by_asc(Column::IssueId)
        .order_by_asc(Column::Ordinal);
    Ok(rows.all(connection).await?.into_iter().map(|row| (row.issue_id, step(row))).collect())
}

fn step(row: issue_step::Model) -> Step {
    let issue_step::Model { id, issue_id: _, ordinal, action, executor, due, done_at, struck_at } = row;
    Step { id, ordinal, action, executor, due, done_at, struck_at }
}

fn step_row(issue: IssueId, step: &Step) -> issue_step::Model {
    let Step { id, ordinal, action, executor, due, done_at, struck_at } = step.clone();
    let id: PlanStepId = id;
    issue_step::Model { id, issue_id: issue, ordinal, action, executor, due, done_at, struck_at }
}
