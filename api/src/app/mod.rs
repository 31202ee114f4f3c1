//! Commands, one file each: authorise, load, decide, save, record events, commit.
//!
//! A command reads `now` once, at its start. One transaction holds the rows, their events and the idempotency key. The
//! bus is notified after the commit, and the command returns only then.

pub mod agencies;
pub mod audit;
mod batcher;
pub mod database_health;
mod digest;
pub mod idempotency;
mod input;
pub mod isolation;
pub mod issues;
pub mod job_queue;
pub mod meetings;
pub mod normalization;
pub mod notifications;
pub mod personal_data;
pub mod protocol;
pub mod publications;
pub mod questions;
pub mod rate_limit;
pub mod reads;
pub mod receptions;
pub mod regions;
pub mod rejection;
pub mod retention;
pub mod revocations;
mod shared_reads;
pub mod time_split;
mod topics;
pub mod webhooks;

use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use entities::{ids::ReceptionId, kato::KatoCode, meeting};

pub use rejection::{CommandError, Rejection};
pub use topics::topics;

use crate::{
    clock::{Clock, almaty_date},
    domain::{
        author_name::name_key,
        norms::Norms,
        policy::{self, CommentScope, HostScope},
        receptions::Queue,
        regions::{RegionHistory, Tree},
        viewer::Viewer,
    },
    encryption::KeyRing,
    feed::Bus,
    idgen::IdGen,
    store::{Store, StoreError, Tx},
    webhooks::WebhookClient,
};

/// The slowest answer of the database's clock that is used to correct the local clock.
const MAX_CLOCK_LATENCY: TimeDelta = TimeDelta::milliseconds(200);

/// The dependencies of every command.
pub struct App {
    /// The database for commands, feeds and jobs.
    pub store: Store,
    /// The database for queries, with connections of its own, so that queries cannot block commands.
    pub reads: Store,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Generates ids.
    pub ids: Arc<dyn IdGen>,
    /// The classifier's units and their history.
    pub region_history: ArcSwap<RegionHistory>,
    /// The bodies to which issues are assigned, and the categories of issues.
    pub(in crate::app) reference_data: agencies::ReferenceData,
    /// The norms of the decree that are switched on.
    pub norms: Norms,
    /// The keys for personal data.
    pub(in crate::app) data_keys: KeyRing,
    /// Notifies the replicas of new feed events.
    pub bus: Arc<dyn Bus>,
    /// The settings of receptions.
    pub reception_rules: receptions::ReceptionRules,
    /// Sends events to receivers.
    pub(in crate::app) webhook_client: WebhookClient,
    /// What links to the service begin with, without a slash at the end.
    pub public_url: String,
    /// Limits mutations and cost for each person and address.
    pub rate_limiter: rate_limit::RateLimiter,
    /// Batches the posts of each meeting.
    pub(in crate::app) post_batcher: batcher::Batcher<questions::PendingPost>,
    pub(in crate::app) registration_batcher: batcher::Batcher<receptions::PendingRegistration>,
    /// Shares reads of the queue of a reception, in a version of the reception.
    pub(in crate::app) queue_reads: shared_reads::SharedReads<(reads::ReadPool, ReceptionId, i32), Queue>,
    /// The blocked words of meetings.
    pub(in crate::app) blocked_words: questions::blocked_words_cache::BlockedWordsCache,
}

impl App {
    /// Creates an app from its dependencies.
    #[must_use]
    pub fn new(with: AppParts) -> Arc<Self> {
        let AppParts { store, clock, ids, region_history, norms, data_keys, bus, .. } = with;
        let AppParts { reception_rules, webhook_client, public_url, limits, .. } = with;
        let rate_limiter = rate_limit::RateLimiter::new(limits, &clock);
        let reads = store.for_queries();
        Arc::new(Self {
            store,
            reads,
            clock,
            ids,
            region_history,
            reference_data: agencies::ReferenceData::default(),
            norms,
            data_keys,
            bus,
            reception_rules,
            webhook_client,
            public_url,
            rate_limiter,
            post_batcher: batcher::Batcher::default(),
            registration_batcher: batcher::Batcher::default(),
            queue_reads: shared_reads::SharedReads::default(),
            blocked_words: questions::blocked_words_cache::BlockedWordsCache::default(),
        })
    }
}

/// The dependencies that an [`App`] is created from.
pub struct AppParts {
    /// The database.
    pub store: Store,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Generates ids.
    pub ids: Arc<dyn IdGen>,
    /// The classifier's units and their history.
    pub region_history: ArcSwap<RegionHistory>,
    /// The norms of the decree that are switched on.
    pub norms: Norms,
    /// The keys for personal data.
    pub data_keys: KeyRing,
    /// Notifies the replicas of new feed events.
    pub bus: Arc<dyn Bus>,
    /// The settings of receptions.
    pub reception_rules: receptions::ReceptionRules,
    /// Sends events to receivers.
    pub webhook_client: WebhookClient,
    /// What links to the service begin with, without a slash at the end.
    pub public_url: String,
    /// Rate limits for each person and address.
    pub limits: rate_limit::RateLimits,
}

impl App {
    /// Returns the tree of units in force today.
    #[must_use]
    pub fn tree(&self) -> Arc<Tree> {
        Arc::clone(self.region_history.load().at(almaty_date(self.clock.now())))
    }

    /// Returns a host with the units above it today. A host that has ended keeps its last ancestors.
    #[must_use]
    pub fn host_scope(&self, host: KatoCode) -> HostScope {
        let region_history = self.region_history.load();
        let ancestors =
            region_history.unit_on(host, almaty_date(self.clock.now())).map_or_else(Vec::new, |(tree, node)| {
                tree.ancestors(node).filter_map(|node| tree.unit(node)).map(|unit| unit.code).collect()
            });
        HostScope { host, ancestors }
    }

    /// Returns the scope of a meeting's host.
    ///
    /// # Errors
    /// When the stored code is malformed.
    pub fn host_scope_of(&self, meeting: &meeting::Model) -> Result<HostScope, StoreError> {
        Ok(self.host_scope(parse_code(&meeting.host_code)?))
    }

    /// Reserves the name of a staff member of the host, so that no author can choose it.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::app) async fn remember_staff(
        &self,
        tx: &Tx,
        viewer: &Viewer,
        host: &HostScope,
    ) -> Result<(), StoreError> {
        match viewer.person().filter(|_| policy::is_staff(viewer, host)) {
            Some(person) => tx.remember_staff_name(host.host.as_str(), &name_key(&person.name), self.now()).await,
            None => Ok(()),
        }
    }

    /// Returns which comments of a meeting the viewer may see.
    ///
    /// # Errors
    /// When the stored host code is malformed.
    pub fn comment_scope(&self, viewer: &Viewer, meeting: &meeting::Model) -> Result<CommentScope, StoreError> {
        Ok(policy::comment_scope(viewer, &self.host_scope_of(meeting)?))
    }

    /// Returns whether a failure means that the database is busy and not that it is broken.
    #[must_use]
    pub fn is_overload(&self, error: &StoreError) -> bool {
        self.store.is_overload(error)
    }

    /// Corrects the clock by the database's clock, so that all replicas share one time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_clock(&self) -> Result<(), StoreError> {
        let asked = self.now();
        if let Some(shared) = self.store.time().await? {
            let took = self.now() - asked;
            // Assumes that the database answered halfway, which is too imprecise for slow answers.
            if took <= MAX_CLOCK_LATENCY {
                self.clock.correct(asked + took / 2 - shared);
            }
        }
        Ok(())
    }

    /// Commits, then notifies the bus.
    pub(in crate::app) async fn commit(&self, tx: Tx) -> Result<(), StoreError> {
        for advanced in tx.commit().await? {
            self.bus.publish(advanced);
        }
        Ok(())
    }

    /// Returns the current time. Commands call it once, at their start.
    pub(in crate::app) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

/// Parses a stored classifier code.
///
/// # Errors
/// When it is malformed.
pub fn parse_code(stored: &str) -> Result<KatoCode, StoreError> {
    stored.parse().map_err(|_| StoreError::Corrupt("classifier code"))
}
