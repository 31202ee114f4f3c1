//! Names of the staff who act on a host's meetings.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use entities::host_staff_name::{ActiveModel, Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, sea_query::OnConflict};

use crate::store::{StoreError, Tx, batching::padded};

/// Names kept for each host. Older ones are dropped.
const MAX_NAMES: u64 = 500;

impl Tx {
    /// Records the name key of a staff member of a host.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remember_staff_name(
        &self,
        host_code: &str,
        name_key: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let row = ActiveModel {
            host_code: Set(host_code.to_owned()),
            name_key: Set(name_key.to_owned()),
            first_seen_at: Set(now),
        };
        let known = OnConflict::columns([Column::HostCode, Column::NameKey]).do_nothing().to_owned();
        if Entity::insert(row).on_conflict(known).exec_without_returning(self.inner()).await? == 0 {
            return Ok(());
        }
        let surplus: Option<DateTime<Utc>> = Entity::find()
            .select_only()
            .column(Column::FirstSeenAt)
            .filter(Column::HostCode.eq(host_code))
            .order_by_desc(Column::FirstSeenAt)
            .offset(MAX_NAMES)
            .limit(1)
            .into_tuple()
            .one(self.inner())
            .await?;
        if let Some(surplus) = surplus {
            let old = Entity::delete_many().filter(Column::HostCode.eq(host_code));
            old.filter(Column::FirstSeenAt.lte(surplus)).exec(self.inner()).await?;
        }
        Ok(())
    }

    /// Returns which of these name keys belong to the staff of a host.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn staff_names(&self, host_code: &str, keys: &[String]) -> Result<HashSet<String>, StoreError> {
        let found = Entity::find()
            .select_only()
            .column(Column::NameKey)
            .filter(Column::HostCode.eq(host_code))
            .filter(Column::NameKey.is_in(padded(keys.iter().cloned())));
        let rows: Vec<String> = found.into_tuple().all(self.inner()).await?;
        Ok(rows.into_iter().collect())
    }
}
