//! One file an act: authorise, load, decide, save, record, commit.
//!
//! `now` is read once, at the start of an act. One transaction holds the rows, their events and the idempotency key; the bus
//! is told after the commit, and nothing is answered before it.

pub mod idempotency;
pub mod isolation;
pub mod meetings;
pub mod normalization;
pub mod questions;
pub mod rate_limit;
pub mod regions;
pub mod rejection;
pub mod time_split;

use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use entities::{kato::KatoCode, meeting};

pub use rejection::{CommandError, Rejection};

use crate::{
    clock::{Clock, almaty_date},
    domain::{
        author_name::name_key,
        norms::Norms,
        policy::{self, CommentScope, MeetingScope},
        regions::{Atlas, Tree},
        viewer::Viewer,
    },
    feed::Bus,
    idgen::IdGen,
    store::{Store, StoreError, Tx},
};

/// How long the database may take to say the time, and be believed.
const SURE: TimeDelta = TimeDelta::milliseconds(200);

/// What every act works with.
pub struct App {
    /// The database, as commands, feeds and jobs use it.
    pub store: Store,
    /// The database, as queries read it: with connections of their own, so that no flood of them keeps a command waiting.
    pub reads: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Fresh identities.
    pub ids: Arc<dyn IdGen>,
    /// The units of the classifier, as they are and as they were.
    pub atlas: ArcSwap<Atlas>,
    /// The norms of the decree.
    pub norms: Norms,
    /// Tells the replicas that a feed has grown.
    pub bus: Arc<dyn Bus>,
    /// How often a person and an address may act.
    pub rate_limiter: rate_limit::RateLimiter,
    /// Posts that wait for their transaction.
    pub(in crate::app) lines: questions::lines::Lines,
}

impl App {
    /// An app over its collaborators.
    #[must_use]
    pub fn new(with: AppParts) -> Arc<Self> {
        let AppParts { store, clock, ids, atlas, norms, bus, limits } = with;
        let rate_limiter = rate_limit::RateLimiter::new(limits, &clock);
        let reads = store.for_queries();
        Arc::new(Self {
            store,
            reads,
            clock,
            ids,
            atlas,
            norms,
            bus,
            rate_limiter,
            lines: questions::lines::Lines::default(),
        })
    }
}

/// What an app is made of.
pub struct AppParts {
    /// The database.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Fresh identities.
    pub ids: Arc<dyn IdGen>,
    /// The units of the classifier.
    pub atlas: ArcSwap<Atlas>,
    /// The norms of the decree.
    pub norms: Norms,
    /// Tells the replicas that a feed has grown.
    pub bus: Arc<dyn Bus>,
    /// How often a person and an address may act.
    pub limits: rate_limit::RateLimits,
}

/// The units above a meeting's host, and the host: what a permission is judged by.
pub struct Host {
    code: KatoCode,
    above: Vec<KatoCode>,
}

impl Host {
    /// The host as the policy sees it.
    #[must_use]
    pub fn scope(&self) -> MeetingScope<'_> {
        MeetingScope { host: self.code, host_ancestors: &self.above }
    }
}

impl App {
    /// The units as they are today.
    #[must_use]
    pub fn tree(&self) -> Arc<Tree> {
        Arc::clone(self.atlas.load().at(almaty_date(self.clock.now())))
    }

    /// The host of a meeting, by the units as they are today. A host that has ended still has those above it.
    #[must_use]
    pub fn host(&self, code: KatoCode) -> Host {
        let atlas = self.atlas.load();
        let above = atlas.unit_on(code, almaty_date(self.clock.now())).map_or_else(Vec::new, |(tree, node)| {
            tree.ancestors(node).filter_map(|node| tree.unit(node)).map(|unit| unit.code).collect()
        });
        Host { code, above }
    }

    /// The host of a stored meeting.
    ///
    /// # Errors
    /// When the stored code is not one.
    pub fn host_of(&self, meeting: &meeting::Model) -> Result<Host, StoreError> {
        Ok(self.host(code_of(&meeting.host_code)?))
    }

    /// Remembers the name of whoever runs the meetings of a host, with what they do: nobody else may choose to be shown by it.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::app) async fn remember_staff(&self, tx: &Tx, viewer: &Viewer, host: &Host) -> Result<(), StoreError> {
        match viewer.person().filter(|_| policy::is_staff(viewer, &host.scope())) {
            Some(person) => tx.remember_staff_name(host.code.as_str(), &name_key(&person.name), self.now()).await,
            None => Ok(()),
        }
    }

    /// Which comments of a meeting the viewer may see.
    ///
    /// # Errors
    /// When the stored host is not a code.
    pub fn comment_scope(&self, viewer: &Viewer, meeting: &meeting::Model) -> Result<CommentScope, StoreError> {
        Ok(policy::comment_scope(viewer, &self.host_of(meeting)?.scope()))
    }

    /// Sets the clock by the database's, so that replicas on machines whose clocks differ count the same time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_clock(&self) -> Result<(), StoreError> {
        let asked = self.now();
        if let Some(shared) = self.store.time().await? {
            let took = self.now() - asked;
            // As of the middle of the question: a slow answer says too little of when it was given.
            if took <= SURE {
                self.clock.correct(asked + took / 2 - shared);
            }
        }
        Ok(())
    }

    /// Commits, then tells the bus.
    pub(in crate::app) async fn commit(&self, tx: Tx) -> Result<(), StoreError> {
        for poke in tx.commit().await? {
            self.bus.poke(poke);
        }
        Ok(())
    }

    /// The present moment, read once an act.
    pub(in crate::app) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }
}

/// A code as it is stored.
///
/// # Errors
/// When it is not one.
pub fn code_of(stored: &str) -> Result<KatoCode, StoreError> {
    stored.parse().map_err(|_| StoreError::Corrupt("classifier code"))
}
