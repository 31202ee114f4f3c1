//! Editions of the classifier, and the versions of its units.

use chrono::{DateTime, NaiveDate, Utc};
use entities::{kato::KatoCode, region_edition, region_version};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Set, sea_query::Expr,
};

use crate::{
    domain::regions::{Names, RegionDiff, RegionHistory, Unit, UnitVersion},
    store::{DatabaseEngine, Store, StoreError, Tx},
};

/// An edition to record.
#[derive(Clone, Debug)]
pub struct NewEdition {
    /// First day of the edition.
    pub dated: NaiveDate,
    /// Name of the imported file.
    pub source: String,
    /// SHA-256 of the units, in hex.
    pub digest: String,
    /// Number of units.
    pub units: usize,
    /// Time of the import.
    pub now: DateTime<Utc>,
    /// Whether it is the first edition, which corrects the embedded units.
    pub is_first: bool,
}

impl Tx {
    /// Locks out other imports until the end of the transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_regions(&self) -> Result<(), StoreError> {
        if self.engine() == DatabaseEngine::Postgres {
            self.inner().execute_unprepared("LOCK TABLE region_editions IN EXCLUSIVE MODE").await?;
        }
        Ok(())
    }

    /// Returns the first day of the newest edition, or `None` if there are only the embedded units.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_edition(&self) -> Result<Option<NaiveDate>, StoreError> {
        let newest = region_edition::Entity::find().order_by_desc(region_edition::Column::Id).one(self.inner()).await?;
        Ok(newest.map(|edition| edition.dated))
    }

    /// Returns the units and their history.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn region_history(&self) -> Result<RegionHistory, StoreError> {
        read_history(self.inner()).await
    }

    /// Inserts the embedded units if there are no units yet. Returns whether it did.
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

    /// Records an edition and applies its changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn apply_edition(&self, edition: &NewEdition, changes: &RegionDiff) -> Result<(), StoreError> {
        let replaced = changes.renamed.iter().chain(&changes.changed);
        let revisions = self.revisions().await?;
        let ended: Vec<KatoCode> = changes.ended.iter().map(|unit| unit.code).collect();
        self.end_units(&ended, edition.dated).await?;
        let outdated: Vec<KatoCode> = replaced.clone().map(|(old, _)| old.code).collect();
        if edition.is_first {
            self.delete_units(&outdated).await?;
        } else {
            self.end_units(&outdated, edition.dated).await?;
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

    async fn end_units(&self, codes: &[KatoCode], day: NaiveDate) -> Result<(), StoreError> {
        for chunk in codes.chunks(500) {
            region_version::Entity::update_many()
                .col_expr(region_version::Column::ValidTo, Expr::value(day))
                .filter(current_versions(chunk))
                .exec(self.inner())
                .await?;
        }
        Ok(())
    }

    /// Deletes the current versions of units, which the first edition corrects.
    async fn delete_units(&self, codes: &[KatoCode]) -> Result<(), StoreError> {
        for chunk in codes.chunks(500) {
            region_version::Entity::delete_many().filter(current_versions(chunk)).exec(self.inner()).await?;
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
    /// Returns the units and their history.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn region_history(&self) -> Result<RegionHistory, StoreError> {
        read_history(self.reader()).await
    }

    /// Returns whether there are any units.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_units(&self) -> Result<bool, StoreError> {
        Ok(region_version::Entity::find().one(self.reader()).await?.is_some())
    }

    /// Counts the imported editions. The count rises with every change of the units.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_editions(&self) -> Result<u64, StoreError> {
        Ok(region_edition::Entity::find().count(self.reader()).await?)
    }
}

fn current_versions(codes: &[KatoCode]) -> Condition {
    Condition::all()
        .add(region_version::Column::Code.is_in(codes.iter().map(KatoCode::as_str)))
        .add(region_version::Column::ValidTo.is_null())
}

async fn read_history(connection: &impl ConnectionTrait) -> Result<RegionHistory, StoreError> {
    let rows = region_version::Entity::find().all(connection).await?;
    let versions = rows.into_iter().map(version).collect::<Result<Vec<_>, _>>()?;
    RegionHistory::build(&versions).map_err(|_| StoreError::Corrupt("tree of units"))
}

fn version(row: region_version::Model) -> Result<UnitVersion, StoreError> {
    let code = |text: String| text.parse::<KatoCode>().map_err(|_| StoreError::Corrupt("classifier code"));
    Ok(UnitVersion {
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
