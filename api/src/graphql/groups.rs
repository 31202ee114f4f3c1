//! Shared rendering: whoever follows with the same operation, variables, language and audience is one group, and what is the
//! same for its members is executed and serialised once.
//!
//! Whether something is the same is not guessed from the operation. A rendering in which anything asked who the viewer is
//! ([`crate::graphql::context::Scene::viewer`] remembers it) is that viewer's alone; only the anonymous are all alike.

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

use crate::graphql::{live::Same, preparation::PreparedOperation, response_shape::ResponseShape};

/// How long a rendering is shown to others: what it tells beside its event may change.
const FRESH: TimeDelta = TimeDelta::seconds(1);
/// How many bytes an operation that is followed may have, with its variables.
const MOST_BYTES: usize = 16 << 10;
/// How many renderings a group holds at most.
const MOST: usize = 1024;
/// How many bytes of renderings a group holds at most.
const GROUP_BYTES: usize = 8 << 20;
/// How many bytes of renderings all groups of a replica hold at most.
const ALL_BYTES: usize = 64 << 20;

/// What makes followers one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupKey {
    query: String,
    operation: Option<String>,
    variables: String,
    language: Language,
    anonymous: bool,
}

impl GroupKey {
    /// The group of an operation that was written so; none where it is too large to be kept for a follower and run at each event. The
    /// variables that only say where to resume make no difference.
    #[must_use]
    pub fn new(query: String, prepared: &PreparedOperation, language: Language, anonymous: bool) -> Option<Self> {
        let text = |variables: &Variables| serde_json::to_string(variables).unwrap_or_default();
        if query.len() + text(&prepared.variables).len() > MOST_BYTES {
            return None;
        }
        let mut variables = prepared.variables.clone();
        for name in resume_variables(&query, &prepared.document) {
            variables.remove(name.as_str());
        }
        Some(Self {
            query,
            operation: prepared.operation_name.clone(),
            variables: text(&variables),
            language,
            anonymous,
        })
    }
}

/// The variables that are the root field's `after` and `epoch`, and nothing else.
fn resume_variables(query: &str, document: &ExecutableDocument) -> Vec<String> {
    let operation = document.operations.iter().next();
    let root = operation.and_then(|(_, operation)| operation.node.selection_set.node.items.first());
    let Some(Selection::Field(field)) = root.map(|root| &root.node) else { return Vec::new() };
    let variable = |argument: &str| {
        let argument = field.node.get_argument(argument)?.node.to_string();
        let name = argument.strip_prefix('$')?;
        // Its definition and this one use.
        (uses(query, name) == 2).then(|| name.to_owned())
    };
    ["after", "epoch"].into_iter().filter_map(variable).collect()
}

/// How often a variable is named in a document. Counting too many only costs sharing.
fn uses(query: &str, name: &str) -> usize {
    let whole = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    query.split('$').skip(1).filter(|part| part.trim_start().strip_prefix(name).is_some_and(whole)).count()
}

/// What came of a rendering.
#[derive(Clone, Debug)]
pub enum Rendered {
    /// The same for the whole group.
    Shared(Bytes),
    /// Each member's own.
    Alone,
}

type Place = Arc<OnceCell<Rendered>>;

/// The followers of one operation, as far as they are shown the same.
pub struct Group {
    prepared: PreparedOperation,
    shown: Mutex<Shown>,
    /// How many bytes all groups hold.
    all_bytes: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Shown {
    /// The places, with how many bytes each holds.
    places: HashMap<Same, (Place, usize)>,
    order: VecDeque<(Same, DateTime<Utc>)>,
    bytes: usize,
}

impl Group {
    /// The request of the group, to be executed once more.
    #[must_use]
    pub fn request(&self) -> Request {
        self.prepared.to_request()
    }

    /// What every answer must look like.
    #[must_use]
    pub const fn response_shape(&self) -> &ResponseShape {
        &self.prepared.response_shape
    }

    /// The place where a rendering is kept for as long as it is fresh.
    #[must_use]
    pub fn place(&self, same: Same, now: DateTime<Utc>) -> Place {
        let mut shown = self.shown.lock();
        while shown.order.len() > MOST || shown.is_stale(now) {
            self.forget_oldest(&mut shown);
        }
        let Shown { places, order, .. } = &mut *shown;
        let (place, _) = places.entry(same.clone()).or_insert_with(|| {
            order.push_back((same, now));
            (Place::default(), 0)
        });
        Arc::clone(place)
    }

    /// Takes note of how large a rendering is, and forgets the oldest of the group for it.
    fn weigh(&self, same: &Same, bytes: usize) {
        let mut shown = self.shown.lock();
        let Some((_, weight)) = shown.places.get_mut(same) else { return };
        *weight = bytes;
        shown.bytes += bytes;
        self.all_bytes.fetch_add(bytes, Ordering::Relaxed);
        while shown.bytes > GROUP_BYTES {
            self.forget_oldest(&mut shown);
        }
    }

    /// Forgets what is shown to nobody any more.
    fn forget_stale(&self, now: DateTime<Utc>) {
        let mut shown = self.shown.lock();
        while shown.is_stale(now) {
            self.forget_oldest(&mut shown);
        }
    }

    /// Forgets the oldest for as long as all groups together hold too much, and this one anything.
    fn forget_until_all_fit(&self) {
        let mut shown = self.shown.lock();
        while shown.bytes > 0 && self.all_bytes.load(Ordering::Relaxed) > ALL_BYTES {
            self.forget_oldest(&mut shown);
        }
    }

    fn forget_oldest(&self, shown: &mut Shown) {
        let Some((old, _)) = shown.order.pop_front() else { return };
        let Some((_, bytes)) = shown.places.remove(&old) else { return };
        shown.bytes -= bytes;
        self.all_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Shown {
    fn is_stale(&self, now: DateTime<Utc>) -> bool {
        self.order.front().is_some_and(|(_, at)| now - *at > FRESH)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.all_bytes.fetch_sub(self.shown.get_mut().bytes, Ordering::Relaxed);
    }
}

/// The groups of this replica, each for as long as somebody belongs to it.
#[derive(Default)]
pub struct Groups {
    known: Mutex<Known>,
    /// How many bytes of renderings they hold.
    bytes: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Known {
    groups: HashMap<GroupKey, Weak<Group>>,
    /// At how many those that nobody belongs to are looked for.
    sweep_at: usize,
}

impl Groups {
    /// The group of a request.
    #[must_use]
    pub fn join(&self, key: GroupKey, prepared: PreparedOperation) -> Arc<Group> {
        let mut known = self.known.lock();
        if let Some(group) = known.groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        let group = Arc::new(Group { prepared, shown: Mutex::default(), all_bytes: Arc::clone(&self.bytes) });
        if known.groups.len() >= known.sweep_at {
            known.groups.retain(|_, group| group.strong_count() > 0);
            known.sweep_at = Ord::max(known.groups.len() * 2, 64);
        }
        known.groups.insert(key, Arc::downgrade(&group));
        group
    }

    /// Takes note of how large a rendering of a group is. Where all hold too much by it, what is stale goes first, wherever it is, and
    /// then what is oldest in this group: who comes to it later has it rendered once more.
    pub fn weigh(&self, group: &Group, same: &Same, bytes: usize, now: DateTime<Utc>) {
        group.weigh(same, bytes);
        if self.bytes.load(Ordering::Relaxed) <= ALL_BYTES {
            return;
        }
        let groups: Vec<_> = self.known.lock().groups.values().filter_map(Weak::upgrade).collect();
        for group in groups {
            group.forget_stale(now);
        }
        group.forget_until_all_fit();
    }

    /// How many groups there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.known.lock().groups.values().filter(|group| group.strong_count() > 0).count()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use futures_util::FutureExt as _;

    use super::*;
    use crate::graphql::preparation::prepare;

    const MIB: usize = 1 << 20;

    fn group(groups: &Groups, language: Language) -> Arc<Group> {
        joined(groups, "subscription { meetings { seq } }", language)
    }

    fn joined(groups: &Groups, query: &str, language: Language) -> Arc<Group> {
        let schema = crate::graphql::schema::builder().finish();
        let prepared = prepare(&schema, Request::new(query)).now_or_never().unwrap().unwrap();
        groups.join(GroupKey::new(query.to_owned(), &prepared, language, true).unwrap(), prepared)
    }

    /// Renders something of so many bytes.
    fn render(groups: &Groups, group: &Group, number: u64, bytes: usize, now: DateTime<Utc>) {
        let same = Same::Split(number, 0);
        let _ = group.place(same.clone(), now).set(Rendered::Alone);
        groups.weigh(group, &same, bytes, now);
    }

    /// Whether a rendering is still there.
    fn has(group: &Group, number: u64) -> bool {
        group.shown.lock().places.contains_key(&Same::Split(number, 0))
    }

    #[test]
    fn a_group_forgets_its_oldest_renderings_beyond_its_bytes() {
        let (groups, now) = (Groups::default(), DateTime::UNIX_EPOCH);
        let one = group(&groups, Language::Kk);
        for number in 0..20 {
            render(&groups, &one, number, MIB, now);
        }
        assert_eq!((0..20).filter(|number| has(&one, *number)).collect::<Vec<_>>(), (12..20).collect::<Vec<_>>());
        assert_eq!(groups.bytes.load(Ordering::Relaxed), GROUP_BYTES);
        render(&groups, &one, 20, GROUP_BYTES + 1, now);
        assert!(!has(&one, 20), "what is larger than all it may hold is not kept");
        assert_eq!(groups.bytes.load(Ordering::Relaxed), 0);
        render(&groups, &one, 21, MIB, now);
        drop(one);
        assert_eq!(groups.bytes.load(Ordering::Relaxed), 0, "it goes with its group");
    }

    #[test]
    fn all_groups_together_forget_what_is_stale_first() {
        let (groups, now) = (Groups::default(), DateTime::UNIX_EPOCH);
        let bytes = |groups: &Groups| groups.bytes.load(Ordering::Relaxed);
        let all: Vec<_> = (0..9)
            .map(|number| {
                joined(&groups, &format!("subscription {{ meetings(after: {number}) {{ seq }} }}"), Language::Kk)
            })
            .collect();
        let (last, others) = all.split_last().unwrap();
        for one in others {
            (0..8).for_each(|number| render(&groups, one, number, MIB, now));
        }
        assert_eq!(bytes(&groups), ALL_BYTES);
        render(&groups, last, 0, MIB, now);
        assert!(!has(last, 0) && others.iter().all(|one| has(one, 0)), "nothing is stale: it is not kept");
        let later = now + FRESH + TimeDelta::milliseconds(1);
        render(&groups, last, 1, MIB, later);
        assert!(has(last, 1) && !others.iter().any(|one| has(one, 0)));
        assert_eq!(bytes(&groups), MIB);
    }
}
