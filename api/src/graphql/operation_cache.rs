//! A cache of prepared operations. Parsing, validating and rewriting a document costs more than running most of
//! them, and clients send the same documents with other variables.

use std::{num::NonZeroUsize, sync::Arc};

use async_graphql::{
    Name, Positioned, Request, Value, Variables,
    parser::types::{OperationType, VariableDefinition},
};
use lru::LruCache;
use parking_lot::Mutex;

use crate::graphql::{
    field_merge::VariableUses,
    operation_limits::{MAX_VARIABLE_VALUES, count_variables},
    prepared_operation::{OperationTemplate, PreparedOperation},
    variables::coerce_variables,
};

/// Maximum number of cached documents.
const MAX_DOCUMENTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);
/// Maximum number of cached forms of a document.
const MAX_FORMS: usize = 4;
/// Maximum size of a cached operation, in bytes.
const MAX_OPERATION_BYTES: usize = 256 << 10;
/// Maximum size of all cached operations, in bytes.
const MAX_BYTES: usize = 32 << 20;
/// Approximate size of a field of a prepared document, with its shape.
const FIELD_BYTES: usize = 1 << 10;

/// What a variable must be for a cached operation to apply.
#[derive(Clone, Debug, PartialEq)]
pub enum VariableForm {
    /// It is absent.
    Absent,
    /// It is present, with any valid value.
    Present,
    /// It is a list of this length, or a single value (`None`).
    Length(Option<usize>),
    /// It has this value.
    Value(Value),
}

impl VariableForm {
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Absent, None) | (Self::Present, Some(_)) => true,
            (Self::Length(length), Some(value)) => *length == list_length(value),
            (Self::Value(expected), Some(value)) => expected == value,
            _ => false,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Value(value) => size_of::<Self>() + serde_json::to_vec(value).map_or(0, |json| json.len()),
            Self::Absent | Self::Present | Self::Length(_) => size_of::<Self>(),
        }
    }
}

/// Returns what each declared variable must be for a document that was prepared with these variables.
pub fn variable_forms(
    definitions: &[Positioned<VariableDefinition>],
    variables: &Variables,
    uses: &VariableUses,
) -> Vec<(Name, VariableForm)> {
    let form = |name: &Name| match variables.get(name) {
        None => VariableForm::Absent,
        Some(value) if uses.by_value.contains(name) => VariableForm::Value(value.clone()),
        Some(value) if uses.by_length.contains(name) => VariableForm::Length(list_length(value)),
        Some(_) => VariableForm::Present,
    };
    let names = definitions.iter().map(|definition| &definition.node.name.node);
    names.map(|name| (name.clone(), form(name))).collect()
}

/// Returns the length of a list, or `None` for any other value.
fn list_length(value: &Value) -> Option<usize> {
    match value {
        Value::List(items) => Some(items.len()),
        _ => None,
    }
}

/// A prepared operation, and the variables for which it holds.
pub struct CachedOperation {
    /// The declared variables.
    pub definitions: Vec<Positioned<VariableDefinition>>,
    /// What each declared variable must be.
    pub forms: Vec<(Name, VariableForm)>,
    /// The length of the longest list in the variables, if the document has an `_entities` field, whose cost it
    /// multiplies.
    pub longest_list: Option<usize>,
    /// Number of fields of the document.
    pub fields: usize,
    /// The operation.
    pub template: Arc<OperationTemplate>,
}

impl CachedOperation {
    /// Returns the operation with the variables of a request, or `None` if it does not hold for them.
    fn with_variables(&self, given: &Variables) -> Option<PreparedOperation> {
        let (values, longest_list) = count_variables(given);
        if values > MAX_VARIABLE_VALUES || self.longest_list.is_some_and(|expected| expected != longest_list) {
            return None;
        }
        let variables = coerce_variables(&self.definitions, given).ok()?;
        let holds = self.forms.iter().all(|(name, form)| form.matches(variables.get(name)));
        holds.then(|| PreparedOperation { template: Arc::clone(&self.template), variables })
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.template.operation_name == other.template.operation_name
            && self.forms == other.forms
            && self.longest_list == other.longest_list
    }

    fn size(&self) -> usize {
        self.fields * FIELD_BYTES + self.forms.iter().map(|(_, form)| form.size()).sum::<usize>()
    }
}

/// The cached operations of a request's document, attached to the request.
#[derive(Clone)]
struct Found(Vec<Arc<CachedOperation>>);

/// Prepared operations by document. The least recently used are evicted above the limit.
pub struct OperationCache(Mutex<CachedDocuments>);

struct CachedDocuments {
    documents: LruCache<Box<str>, Vec<Arc<CachedOperation>>>,
    bytes: usize,
}

impl Default for OperationCache {
    fn default() -> Self {
        Self(Mutex::new(CachedDocuments { documents: LruCache::new(MAX_DOCUMENTS), bytes: 0 }))
    }
}

impl OperationCache {
    /// Looks a request's document up, and attaches what is cached to the request. Returns the type of the
    /// operation.
    pub fn find(&self, request: &mut Request) -> Option<OperationType> {
        let mut found = self.0.lock().documents.get(request.query.as_str())?.clone();
        found.retain(|operation| operation.template.operation_name == request.operation_name);
        let operation = found.first()?.template.operation;
        request.data.insert(Found(found));
        Some(operation)
    }

    /// Inserts a prepared operation.
    pub fn insert(&self, document: &str, operation: CachedOperation) {
        let size = document.len() + operation.size();
        if size > MAX_OPERATION_BYTES {
            return;
        }
        let mut cached = self.0.lock();
        let CachedDocuments { documents, bytes } = &mut *cached;
        match documents.get_mut(document) {
            // Another request has prepared the same.
            Some(forms) if forms.iter().any(|known| known.is_alike(&operation)) => {}
            Some(forms) => {
                if forms.len() >= MAX_FORMS {
                    *bytes = bytes.saturating_sub(forms.remove(0).size());
                }
                *bytes += operation.size();
                forms.push(Arc::new(operation));
            }
            None => {
                *bytes += size;
                let evicted = documents.push(document.into(), vec![Arc::new(operation)]);
                *bytes = bytes.saturating_sub(evicted.map_or(0, document_size));
            }
        }
        while *bytes > MAX_BYTES {
            let Some(evicted) = documents.pop_lru() else { break };
            *bytes = bytes.saturating_sub(document_size(evicted));
        }
    }
}

fn document_size((document, forms): (Box<str>, Vec<Arc<CachedOperation>>)) -> usize {
    document.len() + forms.iter().map(|operation| operation.size()).sum::<usize>()
}

/// Returns the operation found by [`OperationCache::find`] that holds for the request's variables.
pub fn prepared(request: &Request) -> Option<PreparedOperation> {
    found(request)?.iter().find_map(|operation| operation.with_variables(&request.variables))
}

/// Returns the operation found by [`OperationCache::find`], whatever its variables.
pub fn template(request: &Request) -> Option<&OperationTemplate> {
    found(request)?.first().map(|operation| &*operation.template)
}

fn found(request: &Request) -> Option<&[Arc<CachedOperation>]> {
    let found = request.data.get(&std::any::TypeId::of::<Found>())?.downcast_ref::<Found>()?;
    Some(&found.0)
}

#[cfg(test)]
mod tests;
