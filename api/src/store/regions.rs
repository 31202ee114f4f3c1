//! Editions of the classifier, and the states of its units.

use chrono::{DateTime, NaiveDate, Utc};
use entities::{kato::KatoCode, region_edition, region_version};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Set, sea_query::Expr,
};

use crate::{
    domain::regions::{Atlas, Difference, Names, Unit, Version},
    store::{Engine, Store, StoreError, Tx},
};

/// An edition to be recorded.
#[derive(Clone, Debug)]
pub struct NewEdition {
    /// From which day it holds.
    pub dated: NaiveDate,
    /// Name of the file.
    pub source: String,
    /// SHA-256 of its units, in hex.
    pub digest: String,
    /// How many units it holds.
    pub units: usize,
    /// When it is imported.
    pub now: DateTime<Utc>,
    /// Whether it is the first: it corrects the embedded units instead of succeeding them.
    pub base: bool,
}

impl Tx {
    /// Keeps two imports from running at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_regions(&self) -> Result<(), StoreError> {
        if self.engine() == Engine::Postgres {
            self.inner().execute_unprepared("LOCK TABLE region_editions IN EXCLUSIVE MODE").await?;
        }
        Ok(())
    }

    /// From which day the newest edition holds; none: only the embedded units are there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_edition(&self) -> Result<Option<NaiveDate>, StoreError> {
        let newest = region_edition::Entity::find().order_by_desc(region_edition::Column::Id).one(self.inner()).await?;
        Ok(newest.map(|edition| edition.dated))
    }

    /// The units as they are and were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn atlas(&self) -> Result<Atlas, StoreError> {
        read(self.inner()).await
    }

    /// Puts units there where none are yet; whether it did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seed_units(&self, units: Vec<Unit>) -> Result<bool, StoreError> {
        self.lock_regions().await?;
        if region_version::Entity::find().count(self.inner()).await? > 0 {
            return Ok(false);
        }
        self.insert_versions(units.into_iter().map(|unit| (1, unit)).collect()).await?;
        Ok(true)
    }

    /// Records an edition with what it changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn apply_edition(&self, edition: &NewEdition, changes: &Difference) -> Result<(), StoreError> {
        let replaced = changes.renamed.iter().chain(&changes.changed);
        let revisions = self.revisions().await?;
        let ended: Vec<KatoCode> = changes.ended.iter().map(|unit| unit.code).collect();
        self.end(&ended, edition.dated).await?;
        let outdated: Vec<KatoCode> = replaced.clone().map(|(old, _)| old.code).collect();
        if edition.base {
            self.erase(&outdated).await?;
        } else {
            self.end(&outdated, edition.dated).await?;
        }
        let mut versions = Vec::new();
        for unit in changes.added.iter().chain(replaced.map(|(_, new)| new)) {
            let last = revisions.get(unit.code.as_str()).copied().unwrap_or_default();
            versions.push((last + 1, unit.clone()));
        }
        self.insert_versions(versions).await?;
        let count = region_edition::Entity::find().count(self.inner()).await?;
        let number = |count: u64| i32::try_from(count).map_err(|_| StoreError::Corrupt("count of editions"));
        let row = region_edition::ActiveModel {
            id: Set(number(count)? + 1),
            dated: Set(edition.dated),
            source: Set(edition.source.clone()),
            digest: Set(edition.digest.clone()),
            units: Set(i32::try_from(edition.units).map_err(|_| StoreError::Corrupt("count of units"))?),
            imported_at: Set(edition.now),
        };
        region_edition::Entity::insert(row).exec_without_returning(self.inner()).await?;
        Ok(())
    }

    async fn end(&self, codes: &[KatoCode], day: NaiveDate) -> Result<(), StoreError> {
        for chunk in codes.chunks(500) {
            region_version::Entity::update_many()
                .col_expr(region_version::Column::ValidTo, Expr::value(day))
                .filter(held(chunk))
                .exec(self.inner())
                .await?;
        }
        Ok(())
    }

    /// The first edition corrects what the product carried; those states never were.
    async fn erase(&self, codes: &[KatoCode]) -> Result<(), StoreError> {
        for chunk in codes.chunks(500) {
            region_version::Entity::delete_many().filter(held(chunk)).exec(self.inner()).await?;
        }
        Ok(())
    }

    async fn revisions(&self) -> Result<std::collections::HashMap<String, i32>, StoreError> {
        let rows =
            region_version::Entity::find().order_by_asc(region_version::Column::Revision).all(self.inner()).await?;
        Ok(rows.into_iter().map(|row| (row.code, row.revision)).collect())
    }

    async fn insert_versions(&self, versions: Vec<(i32, Unit)>) -> Result<(), StoreError> {
        for chunk in versions.chunks(1000) {
            let rows = chunk.iter().map(|(revision, unit)| region_version::ActiveModel {
                code: Set(unit.code.to_string()),
                revision: Set(*revision),
                parent: Set(unit.parent.map(|code| code.to_string())),
                kind: Set(unit.kind),
                has_akim: Set(unit.has_akim),
                locality_kind: Set(unit.locality),
                name_kk: Set(unit.names.kk.clone()),
                name_ru: Set(unit.names.ru.clone()),
                valid_from: Set(unit.valid_from),
                valid_to: Set(unit.valid_to),
            });
            region_version::Entity::insert_many(rows).exec_without_returning(self.inner()).await?;
        }
        Ok(())
    }
}

impl Store {
    /// The units as they are and were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn atlas(&self) -> Result<Atlas, StoreError> {
        read(self.reader()).await
    }

    /// Whether any unit is there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_units(&self) -> Result<bool, StoreError> {
        Ok(region_version::Entity::find().one(self.reader()).await?.is_some())
    }

    /// How many editions have been imported: rises whenever the units change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_editions(&self) -> Result<u64, StoreError> {
        Ok(region_edition::Entity::find().count(self.reader()).await?)
    }
}

fn held(codes: &[KatoCode]) -> Condition {
    Condition::all()
        .add(region_version::Column::Code.is_in(codes.iter().map(KatoCode::as_str)))
        .add(region_version::Column::ValidTo.is_null())
}

async fn read(connection: &impl ConnectionTrait) -> Result<Atlas, StoreError> {
    let rows = region_version::Entity::find().all(connection).await?;
    let versions = rows.into_iter().map(version).collect::<Result<Vec<_>, _>>()?;
    Atlas::build(&versions).map_err(|_| StoreError::Corrupt("tree of units"))
}

fn version(row: region_version::Model) -> Result<Version, StoreError> {
    let code = |text: String| text.parse::<KatoCode>().map_err(|_| StoreError::Corrupt("classifier code"));
    Ok(Version {
        revision: row.revision,
        unit: Unit {
            code: code(row.code)?,
            parent: row.parent.map(code).transpose()?,
            kind: row.kind,
            has_akim: row.has_akim,
            locality: row.locality_kind,
            names: Names { kk: row.name_kk, ru: row.name_ru },
            valid_from: row.valid_from,
            valid_to: row.valid_to,
        },
    })
}
