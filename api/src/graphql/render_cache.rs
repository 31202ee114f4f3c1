//! The render cache. Subscribers with the same operation, variables, language and audience form a group, and
//! each item is executed and serialised once per group.
//!
//! Sharing is not inferred from the operation: if a resolver reads the viewer
//! ([`crate::graphql::context::ContextExt::viewer`] records it), the rendering is used for that viewer only.
//! Anonymous viewers are all alike.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_graphql::{
    Request, Variables,
    parser::types::{ExecutableDocument, Selection},
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use entities::enums::Language;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::graphql::{
    attached_follower::Deliverer, prepared_operation::PreparedOperation, response_shape::ResponseShape,
    stream_item::RenderKey,
};

/// How long a rendering is shared: fields beside the event may change.
const RENDERING_TTL: TimeDelta = TimeDelta::seconds(1);
/// Maximum size of a subscription's operation and variables.
const MAX_OPERATION_BYTES: usize = 16 << 10;
/// Maximum number of renderings in a group.
const MAX_GROUP_RENDERINGS: usize = 1024;
/// Maximum size of the renderings in a group.
const MAX_GROUP_BYTES: usize = 8 << 20;
/// Maximum size of all renderings on a replica.
const MAX_TOTAL_BYTES: usize = 64 << 20;

/// The key of a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RenderGroupKey {
    query: String,
    operation: Option<String>,
    variables: String,
    language: Language,
    anonymous: bool,
}

impl RenderGroupKey {
    /// Creates the key of an operation, or `None` if the operation is too large. Variables that only say
    /// where to resume are ignored.
    #[must_use]
    pub fn new(query: String, prepared: &PreparedOperation, language: Language, anonymous: bool) -> Option<Self> {
        let to_json = |variables: &Variables| serde_json::to_string(variables).unwrap_or_default();
        if query.len() + to_json(&prepared.variables).len() > MAX_OPERATION_BYTES {
            return None;
        }
        let mut variables = prepared.variables.clone();
        for name in resume_variables(&query, &prepared.template.document) {
            variables.remove(name.as_str());
        }
        Some(Self {
            query,
            operation: prepared.template.operation_name.clone(),
            variables: to_json(&variables),
            language,
            anonymous,
        })
    }
}

/// Returns the variables that are used only as `after` or `epoch` of the root field.
fn resume_variables(query: &str, document: &ExecutableDocument) -> Vec<String> {
    let operation = document.operations.iter().next();
    let root = operation.and_then(|(_, operation)| operation.node.selection_set.node.items.first());
    let Some(Selection::Field(field)) = root.map(|root| &root.node) else { return Vec::new() };
    let variable = |argument: &str| {
        let argument = field.node.get_argument(argument)?.node.to_string();
        let name = argument.strip_prefix('$')?;
        // Its definition and this use.
        (count_uses(query, name) == 2).then(|| name.to_owned())
    };
    ["after", "epoch"].into_iter().filter_map(variable).collect()
}

/// Counts the occurrences of a variable in a document. Counting too many only prevents sharing.
fn count_uses(query: &str, name: &str) -> usize {
    let is_whole_name = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    query.split('$').skip(1).filter(|part| part.trim_start().strip_prefix(name).is_some_and(is_whole_name)).count()
}

/// The result of a rendering.
#[derive(Clone, Debug)]
pub enum Rendering {
    /// The JSON, shared by the group.
    Shared(Bytes),
    /// Each viewer needs a rendering of their own.
    PerViewer,
}

type CacheCell = Arc<OnceCell<Rendering>>;

/// A group of subscribers and their shared renderings.
pub struct RenderGroup {
    prepared: PreparedOperation,
    cached: Mutex<CachedRenderings>,
    /// Size of the renderings of all groups.
    total_bytes: Arc<AtomicUsize>,
    /// Delivers to the subscribers that have caught up, and the number of the tail it reads.
    deliverer: Mutex<Option<(u64, Arc<dyn Deliverer>)>>,
}

#[derive(Default)]
struct CachedRenderings {
    /// The cells, with their sizes.
    cells: HashMap<RenderKey, (CacheCell, usize)>,
    order: VecDeque<(RenderKey, DateTime<Utc>)>,
    bytes: usize,
}

impl RenderGroup {
    /// Returns a request that executes the operation once more.
    #[must_use]
    pub fn request(&self) -> Request {
        self.prepared.to_request()
    }

    /// Returns the shape of the responses.
    #[must_use]
    pub fn response_shape(&self) -> &ResponseShape {
        &self.prepared.template.response_shape
    }

    /// Returns the deliverer of a tail's events, and creates it for the first subscriber.
    #[must_use]
    pub fn deliverer(&self, tail: u64, create: impl FnOnce() -> Arc<dyn Deliverer>) -> Arc<dyn Deliverer> {
        let mut current = self.deliverer.lock();
        match &*current {
            Some((number, deliverer)) if *number == tail => Arc::clone(deliverer),
            _ => Arc::clone(&current.insert((tail, create())).1),
        }
    }

    /// Returns the cache cell of a key. Evicts expired renderings.
    #[must_use]
    pub fn entry(&self, key: RenderKey, now: DateTime<Utc>) -> CacheCell {
        let mut cached = self.cached.lock();
        while cached.order.len() > MAX_GROUP_RENDERINGS || cached.is_expired(now) {
            self.evict_oldest(&mut cached);
        }
        let CachedRenderings { cells, order, .. } = &mut *cached;
        let (cell, _) = cells.entry(key.clone()).or_insert_with(|| {
            order.push_back((key, now));
            (CacheCell::default(), 0)
        });
        Arc::clone(cell)
    }

    /// Records the size of a rendering, and evicts the oldest ones above the group's limit.
    fn record_size(&self, key: &RenderKey, bytes: usize) {
        let mut cached = self.cached.lock();
        let Some((_, size)) = cached.cells.get_mut(key) else { return };
        *size = bytes;
        cached.bytes += bytes;
        self.total_bytes.fetch_add(bytes, Ordering::Relaxed);
        while cached.bytes > MAX_GROUP_BYTES {
            self.evict_oldest(&mut cached);
        }
    }

    /// Evicts expired renderings.
    fn evict_expired(&self, now: DateTime<Utc>) {
        let mut cached = self.cached.lock();
        while cached.is_expired(now) {
            self.evict_oldest(&mut cached);
        }
    }

    /// Evicts the oldest renderings while the total is above its limit.
    fn evict_until_within_total(&self) {
        let mut cached = self.cached.lock();
        while cached.bytes > 0 && self.total_bytes.load(Ordering::Relaxed) > MAX_TOTAL_BYTES {
            self.evict_oldest(&mut cached);
        }
    }

    fn evict_oldest(&self, cached: &mut CachedRenderings) {
        let Some((oldest, _)) = cached.order.pop_front() else { return };
        let Some((_, bytes)) = cached.cells.remove(&oldest) else { return };
        cached.bytes -= bytes;
        self.total_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl CachedRenderings {
    fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.order.front().is_some_and(|(_, at)| now - *at > RENDERING_TTL)
    }
}

impl Drop for RenderGroup {
    fn drop(&mut self) {
        self.total_bytes.fetch_sub(self.cached.get_mut().bytes, Ordering::Relaxed);
    }
}

/// The groups of this replica. A group exists as long as it has subscribers.
#[derive(Default)]
pub struct RenderCache {
    index: Mutex<GroupIndex>,
    /// Size of all renderings.
    bytes: Arc<AtomicUsize>,
}

#[derive(Default)]
struct GroupIndex {
    groups: HashMap<RenderGroupKey, Weak<RenderGroup>>,
    /// The number of groups at which empty ones are removed.
    sweep_at: usize,
}

impl RenderCache {
    /// Joins the group of a key, or creates it.
    #[must_use]
    pub fn join(&self, key: RenderGroupKey, prepared: PreparedOperation) -> Arc<RenderGroup> {
        let mut index = self.index.lock();
        if let Some(group) = index.groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        let group = Arc::new(RenderGroup {
            prepared,
            cached: Mutex::default(),
            total_bytes: Arc::clone(&self.bytes),
            deliverer: Mutex::default(),
        });
        if index.groups.len() >= index.sweep_at {
            index.groups.retain(|_, group| group.strong_count() > 0);
            index.sweep_at = Ord::max(index.groups.len() * 2, 64);
        }
        index.groups.insert(key, Arc::downgrade(&group));
        group
    }

    /// Records the size of a rendering. Above the total limit, expired renderings of all groups are evicted
    /// first, then the oldest ones of this group.
    pub fn record_size(&self, group: &RenderGroup, key: &RenderKey, bytes: usize, now: DateTime<Utc>) {
        group.record_size(key, bytes);
        if self.bytes.load(Ordering::Relaxed) <= MAX_TOTAL_BYTES {
            return;
        }
        let groups: Vec<_> = self.index.lock().groups.values().filter_map(Weak::upgrade).collect();
        for group in groups {
            group.evict_expired(now);
        }
        group.evict_until_within_total();
    }

    /// Returns the number of groups with subscribers.
    #[must_use]
    pub fn count(&self) -> usize {
        self.index.lock().groups.values().filter(|group| group.strong_count() > 0).count()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use futures_util::FutureExt as _;

    use super::*;
    use crate::graphql::{operation_cache::OperationCache, preparation::prepare};

    const MIB: usize = 1 << 20;

    fn test_group(groups: &RenderCache, language: Language) -> Arc<RenderGroup> {
        join_group(groups, "subscription { meetings { seq } }", language)
    }

    fn join_group(groups: &RenderCache, query: &str, language: Language) -> Arc<RenderGroup> {
        let schema = crate::graphql::schema::builder().finish();
        let cache = OperationCache::default();
        let prepared = prepare(&schema, &cache, Request::new(query)).now_or_never().unwrap().unwrap();
        groups.join(RenderGroupKey::new(query.to_owned(), &prepared, language, true).unwrap(), prepared)
    }

    /// Stores a rendering of this size.
    fn render(groups: &RenderCache, group: &RenderGroup, number: u64, bytes: usize, now: DateTime<Utc>) {
        let key = RenderKey::Split(number, 0);
        let _ = group.entry(key.clone(), now).set(Rendering::PerViewer);
        groups.record_size(group, &key, bytes, now);
    }

    /// Returns whether a rendering is cached.
    fn is_cached(group: &RenderGroup, number: u64) -> bool {
        group.cached.lock().cells.contains_key(&RenderKey::Split(number, 0))
    }

    #[test]
    fn evicts_the_oldest_renderings_of_a_group_above_its_limit() {
        let (groups, now) = (RenderCache::default(), DateTime::UNIX_EPOCH);
        let group = test_group(&groups, Language::Kk);
        for number in 0..20 {
            render(&groups, &group, number, MIB, now);
        }
        assert_eq!(
            (0..20).filter(|number| is_cached(&group, *number)).collect::<Vec<_>>(),
            (12..20).collect::<Vec<_>>()
        );
        assert_eq!(groups.bytes.load(Ordering::Relaxed), MAX_GROUP_BYTES);
        render(&groups, &group, 20, MAX_GROUP_BYTES + 1, now);
        assert!(!is_cached(&group, 20), "a rendering above the limit is not cached");
        assert_eq!(groups.bytes.load(Ordering::Relaxed), 0);
        render(&groups, &group, 21, MIB, now);
        drop(group);
        assert_eq!(groups.bytes.load(Ordering::Relaxed), 0, "a group's bytes are released with it");
    }

    #[test]
    fn evicts_expired_renderings_of_all_groups_first() {
        let (groups, now) = (RenderCache::default(), DateTime::UNIX_EPOCH);
        let bytes = |groups: &RenderCache| groups.bytes.load(Ordering::Relaxed);
        let all: Vec<_> = (0..9)
            .map(|number| {
                join_group(&groups, &format!("subscription {{ meetings(after: {number}) {{ seq }} }}"), Language::Kk)
            })
            .collect();
        let (last, others) = all.split_last().unwrap();
        for group in others {
            (0..8).for_each(|number| render(&groups, group, number, MIB, now));
        }
        assert_eq!(bytes(&groups), MAX_TOTAL_BYTES);
        render(&groups, last, 0, MIB, now);
        assert!(
            !is_cached(last, 0) && others.iter().all(|group| is_cached(group, 0)),
            "nothing is expired, so it is not cached"
        );
        let later = now + RENDERING_TTL + TimeDelta::milliseconds(1);
        render(&groups, last, 1, MIB, later);
        assert!(is_cached(last, 1) && !others.iter().any(|group| is_cached(group, 0)));
        assert_eq!(bytes(&groups), MIB);
    }
}
