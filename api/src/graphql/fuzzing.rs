//! Fuzz targets: the rules that hold for any document, id and cursor.

use std::sync::{Arc, LazyLock};

use async_graphql::{
    Request, Response, ServerError, ValidationResult, Value, Variables,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation},
    parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet},
};
use entities::kato::KatoCode;
use futures_util::FutureExt;

use crate::{
    app::reads::{AuditCursor, CommentCursor, MeetingCursor},
    graphql::{
        ApiSchema,
        document_scan::DocumentSize,
        node::GlobalId,
        operation_cache::OperationCache,
        operation_limits::{MAX_ALIASES, MAX_BRACKET_DEPTH, MAX_COST, MAX_DEPTH, MAX_SELECTIONS, MAX_TOKENS},
        page::{Cursor, PageArgs, encode},
        preparation::{operation_type, prepare},
        prepared_operation::{OperationTemplate, PreparedOperation},
        schema::builder,
    },
};

/// Separates a document from its variables.
const SEPARATOR: &str = "\n---\n";
/// Marks a request for a subscription. It has no execution to stop, so its validation is stopped.
struct IsSubscription;
/// The error of [`Halt`].
const HALTED: &str = "valid, and not run";

static SCHEMA: LazyLock<ApiSchema> = LazyLock::new(|| builder().extension(Halt).finish());

/// Validates a document, with its variables as JSON after a line `---`. Returns whether it would be executed.
pub fn query(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let (document, variables) = text.split_once(SEPARATOR).unwrap_or((&text, "{}"));
    let mut request =
        Request::new(document).variables(Variables::from_json(serde_json::from_str(variables).unwrap_or_default()));
    let kind = operation_type(&mut request);
    if matches!(kind, Ok(OperationType::Subscription)) {
        request = request.data(IsSubscription);
    }
    let size = DocumentSize::of(document);
    let is_small = size.tokens <= MAX_TOKENS && size.depth <= MAX_BRACKET_DEPTH;
    assert!(is_small || kind.is_err(), "parsed a document above the limits");
    if let Some(document) = is_small.then(|| request.parsed_query().ok().cloned()).flatten() {
        check_preparation(&request);
        let stats = DocumentStats::of(&document);
        assert!(stats.depth <= size.depth && stats.tokens <= size.tokens, "{stats:?} exceeds {size:?}");
        let response = run(request);
        if response.is_ok() {
            assert!(kind.is_ok(), "executed an operation of unknown type");
            assert!(stats.aliases <= MAX_ALIASES && expanded_selections(&document) <= MAX_SELECTIONS, "{stats:?}");
        }
        return response.is_ok();
    }
    assert!(run(request).is_err());
    false
}

/// Prepares an operation, checks the document to execute, and compares it with that of the cache.
fn check_preparation(request: &Request) {
    let cache = OperationCache::default();
    let request = || Request::new(request.query.clone()).variables(request.variables.clone());
    let prepare = |request| prepare(&SCHEMA, &cache, request).now_or_never().and_then(Result::ok);
    let Some(prepared) = prepare(request()) else { return };
    let OperationTemplate { validation, document, .. } = &*prepared.template;
    assert!(validation.complexity <= MAX_COST && document.fragments.is_empty());
    let stats = DocumentStats::of(document);
    assert!(stats.aliases <= 10 * MAX_SELECTIONS, "{stats:?}");
    let mut again = request();
    if cache.find(&mut again).is_some() {
        let found = prepare(again).map(|found| describe(&found));
        assert_eq!(found, Some(describe(&prepared)));
    }
}

/// Describes what is executed, for a comparison.
pub(in crate::graphql) fn describe(prepared: &PreparedOperation) -> String {
    let request = prepared.to_request();
    let template = &prepared.template;
    format!("{:?} {:?} {:?}", template.document, template.validation, request.variables)
}

/// Runs an operation up to its execution. Nothing blocks before that.
fn run(request: Request) -> Result<(), Vec<ServerError>> {
    let response = SCHEMA.execute(request).now_or_never().unwrap_or_default();
    if response.errors.iter().any(|error| error.message == HALTED) { Ok(()) } else { Err(response.errors) }
}

/// Stops a valid operation before its execution, and checks its cost.
struct Halt;

impl ExtensionFactory for Halt {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Halt {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let found = next.run(ctx).await?;
        assert!(found.complexity <= MAX_COST && found.depth <= MAX_DEPTH, "{found:?}");
        match ctx.data_opt::<IsSubscription>() {
            Some(IsSubscription) => Err(vec![ServerError::new(HALTED, None)]),
            None => Ok(found),
        }
    }

    async fn execute(&self, _: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> Response {
        halted()
    }
}

fn halted() -> Response {
    Response::from_errors(vec![ServerError::new(HALTED, None)])
}

/// The minimum size of a document's text, from its parsed form.
#[derive(Debug, Default)]
struct DocumentStats {
    tokens: usize,
    depth: usize,
    aliases: usize,
}

impl DocumentStats {
    fn of(document: &ExecutableDocument) -> Self {
        let mut stats = Self::default();
        for (_, operation) in document.operations.iter() {
            for definition in &operation.node.variable_definitions {
                // `$a: T`, in brackets
                stats.tokens += 4;
                if let Some(default) = &definition.node.default_value {
                    stats.value(&default.node, 1);
                }
            }
            stats.set(&operation.node.selection_set.node, 0);
        }
        for fragment in document.fragments.values() {
            // `fragment F on T`
            stats.tokens += 4;
            stats.set(&fragment.node.selection_set.node, 0);
        }
        stats
    }

    fn set(&mut self, set: &SelectionSet, depth: usize) {
        if set.items.is_empty() {
            return;
        }
        self.tokens += 2;
        self.depth = self.depth.max(depth + 1);
        for selection in &set.items {
            self.tokens += 1;
            match &selection.node {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.node.alias.is_some());
                    self.tokens += 2 * usize::from(field.node.alias.is_some());
                    for (_, argument) in &field.node.arguments {
                        self.tokens += 2;
                        let constant = argument.node.clone().into_const_with(|_| Ok::<_, ()>(Value::Null));
                        self.value(&constant.unwrap_or_default(), depth + 2);
                    }
                    self.set(&field.node.selection_set.node, depth + 1);
                }
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node, depth + 1),
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn value(&mut self, value: &Value, depth: usize) {
        self.tokens += 1;
        self.depth = self.depth.max(depth);
        match value {
            Value::List(items) => {
                self.depth = self.depth.max(depth + 1);
                items.iter().for_each(|item| self.value(item, depth + 1));
            }
            Value::Object(fields) => {
                self.depth = self.depth.max(depth + 1);
                fields.values().for_each(|item| self.value(item, depth + 1));
            }
            _ => {}
        }
    }
}

/// Returns the number of selections with fragments expanded, counting slightly beyond the limit at most.
fn expanded_selections(document: &ExecutableDocument) -> usize {
    let mut pending: Vec<&SelectionSet> =
        document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node).collect();
    let mut count = 0;
    while let Some(set) = pending.pop() {
        count += set.items.len();
        if count > MAX_SELECTIONS {
            return count;
        }
        pending.extend(set.items.iter().filter_map(|selection| match &selection.node {
            Selection::Field(field) => Some(&field.node.selection_set.node),
            Selection::InlineFragment(inline) => Some(&inline.node.selection_set.node),
            Selection::FragmentSpread(spread) => {
                let fragment = document.fragments.get(&spread.node.fragment_name.node)?;
                Some(&fragment.node.selection_set.node)
            }
        }));
    }
    count
}

/// Parses a text as an id and as the cursor of each list. Returns whether it is any of them.
pub fn identity(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let id = GlobalId::parse(&text);
    if let Some(id) = id {
        let shown = id.show();
        assert_eq!(GlobalId::parse(&shown), Some(id), "{text} is written as {shown:?}");
        assert_eq!(*shown, *text, "an id has one text form");
    }
    let cursors = [
        cursor::<KatoCode>(&text),
        cursor::<MeetingCursor>(&text),
        cursor::<CommentCursor>(&text),
        cursor::<AuditCursor>(&text),
    ];
    id.is_some() || cursors.contains(&true)
}

/// Returns whether a text is a cursor, and checks that it survives a round trip.
fn cursor<C: Cursor>(text: &str) -> bool {
    let read = |text: &str| PageArgs::forward(Some(1), Some(text.to_owned())).request::<C>().ok()?.after;
    let Some(cursor) = read(text) else { return false };
    let shown = encode(&cursor);
    assert_eq!(read(&shown).map(|again| encode(&again)), Some(shown));
    true
}
