//! Bodies and categories of issues, as far as an operator changed or added them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use entities::{agency, enums::Stored as _, issue_category, kato::KatoCode};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait, ExprTrait, Iterable as _, QueryFilter as _, QuerySelect, Set,
    sea_query::{Expr, OnConflict},
};

use crate::{
    domain::{agencies::Agency, issue_categories::IssueCategory, localized_name::LocalizedName},
    store::{DatabaseEngine, Store, StoreError, Tx, batching::batches},
};

/// What an operator changed or added, and a number that changes with every change.
#[derive(Clone, Debug, Default)]
pub struct SavedReferenceData {
    /// Changes with every change.
    pub revision: i64,
    /// The bodies.
    pub agencies: Vec<Agency>,
    /// The categories.
    pub categories: Vec<IssueCategory>,
}

impl Tx {
    /// Locks out other changes of bodies and categories until the end of the transaction. It is the first lock of its commands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_reference_data(&self) -> Result<(), StoreError> {
        if self.engine() == DatabaseEngine::Postgres {
            self.inner().execute_unprepared("LOCK TABLE agencies, issue_categories IN EXCLUSIVE MODE").await?;
        }
        Ok(())
    }

    /// Returns what was saved.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reference_data(&self) -> Result<SavedReferenceData, StoreError> {
        read_all(self.inner()).await
    }

    /// Saves bodies. The kind of a body is kept if only a later version knows it, and so is the unit of one that has no other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_agencies(&self, agencies: &[Agency], now: DateTime<Utc>) -> Result<(), StoreError> {
        let units = self.units_of_later_versions(agencies).await?;
        let row = |agency: &Agency| {
            let unit = agency.region.map(|code| code.to_string());
            agency_row(agency, unit.or_else(|| units.get(&agency.code).cloned()), now)
        };
        let rows = |is_known: bool| {
            let wanted = agencies.iter().filter(move |agency| agency.kind.is_known() == is_known);
            wanted.map(row).collect::<Vec<_>>()
        };
        self.insert_rows(rows(true), Some(replace_agency(true))).await?;
        self.insert_rows(rows(false), Some(replace_agency(false))).await.map(drop)
    }

    /// Returns the stored units of bodies, by their codes, that this version cannot read.
    async fn units_of_later_versions(&self, agencies: &[Agency]) -> Result<HashMap<String, String>, StoreError> {
        use agency::{Column, Entity};
        let mut units = HashMap::new();
        for batch in batches(agencies) {
            let stored = Entity::find()
                .select_only()
                .columns([Column::Code, Column::RegionCode])
                .filter(Column::Code.is_in(batch.iter().map(|agency| agency.code.as_str())))
                .filter(Column::RegionCode.is_not_null());
            let stored: Vec<(String, String)> = stored.into_tuple().all(self.inner()).await?;
            units.extend(stored.into_iter().filter(|(_, unit)| unit.parse::<KatoCode>().is_err()));
        }
        Ok(units)
    }

    /// Saves categories.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_issue_categories(
        &self,
        categories: &[IssueCategory],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        use issue_category::{Column, Entity};
        let columns = Column::iter().filter(|column| !matches!(column, Column::Code | Column::Revision));
        let replace = OnConflict::column(Column::Code)
            .update_columns(columns)
            .value(Column::Revision, Expr::col((Entity, Column::Revision)).add(1))
            .to_owned();
        let rows = categories.iter().map(|category| category_row(category, now)).collect();
        self.insert_rows(rows, Some(replace)).await.map(drop)
    }
}

impl Store {
    /// Returns what was saved.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reference_data(&self) -> Result<SavedReferenceData, StoreError> {
        read_all(self.reader()).await
    }

    /// Returns the number that changes with every change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reference_data_revision(&self) -> Result<i64, StoreError> {
        // PostgreSQL returns sums as decimals.
        let agencies = Expr::col(agency::Column::Revision).sum().cast_as("bigint");
        let agencies = agency::Entity::find().select_only().column_as(agencies, "sum");
        let agencies: Option<Option<i64>> = agencies.into_tuple().one(self.reader()).await?;
        let categories = Expr::col(issue_category::Column::Revision).sum().cast_as("bigint");
        let categories = issue_category::Entity::find().select_only().column_as(categories, "sum");
        let categories: Option<Option<i64>> = categories.into_tuple().one(self.reader()).await?;
        Ok([agencies, categories].into_iter().flatten().flatten().sum())
    }
}

async fn read_all(connection: &impl ConnectionTrait) -> Result<SavedReferenceData, StoreError> {
    let agencies = agency::Entity::find().all(connection).await?;
    let categories = issue_category::Entity::find().all(connection).await?;
    let revisions = agencies.iter().map(|row| row.revision).chain(categories.iter().map(|row| row.revision));
    Ok(SavedReferenceData {
        revision: revisions.sum(),
        agencies: agencies.into_iter().map(agency_of).collect(),
        categories: categories.into_iter().map(category_of).collect(),
    })
}

fn agency_of(row: agency::Model) -> Agency {
    Agency {
        code: row.code,
        kind: row.kind,
        names: LocalizedName { kk: row.name_kk, ru: row.name_ru, en: row.name_en },
        // A row that a later version wrote otherwise must not hide all others.
        region: row.region_code.and_then(|code| code.parse().ok()),
        valid_from: row.valid_from,
        valid_to: row.valid_to,
        doubt: row.doubt,
    }
}

fn category_of(row: issue_category::Model) -> IssueCategory {
    let names = LocalizedName { kk: row.name_kk, ru: row.name_ru, en: row.name_en };
    IssueCategory { code: row.code, names, ordinal: row.ordinal }
}

fn agency_row(agency: &Agency, region_code: Option<String>, now: DateTime<Utc>) -> agency::ActiveModel {
    agency::ActiveModel {
        code: Set(agency.code.clone()),
        kind: Set(agency.kind),
        name_kk: Set(agency.names.kk.clone()),
        name_ru: Set(agency.names.ru.clone()),
        name_en: Set(agency.names.en.clone()),
        region_code: Set(region_code),
        valid_from: Set(agency.valid_from),
        valid_to: Set(agency.valid_to),
        doubt: Set(agency.doubt.clone()),
        changed_at: Set(now),
        revision: Set(1),
    }
}

fn category_row(category: &IssueCategory, now: DateTime<Utc>) -> issue_category::ActiveModel {
    issue_category::ActiveModel {
        code: Set(category.code.clone()),
        name_kk: Set(category.names.kk.clone()),
        name_ru: Set(category.names.ru.clone()),
        name_en: Set(category.names.en.clone()),
        ordinal: Set(category.ordinal),
        changed_at: Set(now),
        revision: Set(1),
    }
}

fn replace_agency(with_kind: bool) -> OnConflict {
    use agency::{Column, Entity};
    let replaced = |column: &Column| match column {
        Column::Code | Column::Revision => false,
        Column::Kind => with_kind,
        _ => true,
    };
    OnConflict::column(Column::Code)
        .update_columns(Column::iter().filter(replaced))
        .value(Column::Revision, Expr::col((Entity, Column::Revision)).add(1))
        .to_owned()
}
