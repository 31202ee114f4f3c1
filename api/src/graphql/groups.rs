//! Shared rendering: whoever follows with the same operation, variables, language and audience is one group, and what is the
//! same for its members is executed and serialised once.
//!
//! Whether something is the same is not guessed from the operation. A rendering in which anything asked who the viewer is
//! ([`crate::graphql::context::Scene::viewer`] remembers it) is that viewer's alone; only the anonymous are all alike.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
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

use crate::graphql::{live::Same, outline::Outline};

/// How long a rendering is shown to others: what it tells beside its event may change.
const FRESH: TimeDelta = TimeDelta::seconds(1);
/// How many bytes an operation that is followed may have, with its variables.
const MOST_BYTES: usize = 16 << 10;
/// How many renderings a group holds at most.
const MOST: usize = 1024;

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
    /// The group of a request; none where it is too large to be kept for a follower and run at each event. The variables that only
    /// say where to resume make no difference.
    #[must_use]
    pub fn new(request: &Request, document: &ExecutableDocument, language: Language, anonymous: bool) -> Option<Self> {
        let text = |variables: &Variables| serde_json::to_string(variables).unwrap_or_default();
        if request.query.len() + text(&request.variables).len() > MOST_BYTES {
            return None;
        }
        let resuming = resume_variables(request, document);
        let mut variables = request.variables.clone();
        variables.retain(|known, _| !resuming.iter().any(|name| known.as_str() == name));
        Some(Self {
            query: request.query.clone(),
            operation: request.operation_name.clone(),
            variables: text(&variables),
            language,
            anonymous,
        })
    }
}

/// The variables that are the root field's `after` and `epoch`, and nothing else.
fn resume_variables(request: &Request, document: &ExecutableDocument) -> Vec<String> {
    let wished = request.operation_name.as_deref();
    let mut operations = document.operations.iter();
    let operation = operations.find(|(name, _)| wished.is_none() || name.map(async_graphql::Name::as_str) == wished);
    let root = operation.and_then(|(_, operation)| operation.node.selection_set.node.items.first());
    let Some(Selection::Field(field)) = root.map(|root| &root.node) else { return Vec::new() };
    let variable = |argument: &str| {
        let argument = field.node.get_argument(argument)?.node.to_string();
        let name = argument.strip_prefix('$')?;
        // Its definition and this one use.
        (uses(&request.query, name) == 2).then(|| name.to_owned())
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
    query: String,
    operation: Option<String>,
    variables: Variables,
    document: ExecutableDocument,
    /// What every answer must look like.
    pub outline: Outline,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    places: HashMap<Same, Place>,
    order: VecDeque<(Same, DateTime<Utc>)>,
}

impl Group {
    /// The request of the group, to be executed once more.
    #[must_use]
    pub fn request(&self) -> Request {
        let mut request = Request::new(self.query.clone()).variables(self.variables.clone());
        request.operation_name.clone_from(&self.operation);
        request.set_parsed_query(self.document.clone());
        request
    }

    /// The place where a rendering is kept for as long as it is fresh.
    #[must_use]
    pub fn place(&self, same: Same, now: DateTime<Utc>) -> Place {
        let mut shown = self.shown.lock();
        let Shown { places, order } = &mut *shown;
        while order.len() > MOST || order.front().is_some_and(|(_, at)| now - *at > FRESH) {
            if let Some((old, _)) = order.pop_front() {
                places.remove(&old);
            }
        }
        Arc::clone(places.entry(same).or_insert_with(|| {
            order.push_back((same, now));
            Place::default()
        }))
    }
}

/// The groups of this replica, each for as long as somebody belongs to it.
#[derive(Default)]
pub struct Groups(Mutex<Known>);

#[derive(Default)]
struct Known {
    groups: HashMap<GroupKey, Weak<Group>>,
    /// At how many those that nobody belongs to are looked for.
    sweep_at: usize,
}

impl Groups {
    /// The group of a request.
    #[must_use]
    pub fn join(&self, key: GroupKey, variables: &Variables, document: &ExecutableDocument) -> Arc<Group> {
        let mut known = self.0.lock();
        if let Some(group) = known.groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        let group = Arc::new(Group {
            query: key.query.clone(),
            operation: key.operation.clone(),
            variables: variables.clone(),
            document: document.clone(),
            outline: Outline::of(document, key.operation.as_deref()).unwrap_or_default(),
            shown: Mutex::default(),
        });
        if known.groups.len() >= known.sweep_at {
            known.groups.retain(|_, group| group.strong_count() > 0);
            known.sweep_at = Ord::max(known.groups.len() * 2, 64);
        }
        known.groups.insert(key, Arc::downgrade(&group));
        group
    }

    /// How many groups there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().groups.values().filter(|group| group.strong_count() > 0).count()
    }
}
