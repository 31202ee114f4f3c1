//! Limits the size and cost of an operation before validation. The library's own limits apply too late or not
//! at all.

use std::{
    any::TypeId,
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_graphql::{
    CacheControl, Name, Positioned, Request, ServerError, ServerResult, ValidationResult, Value, Variables,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest, NextValidation},
    parser::{
        parse_query,
        types::{ExecutableDocument, Field, FragmentDefinition, Selection, SelectionSet},
    },
};

use crate::graphql::{
    document_scan::DocumentSize,
    error::ApiError,
    literals::normalize_strings,
    request_purpose::{RequestPurpose, purpose},
};

/// Maximum number of errors of one kind in a response.
pub const MAX_ERRORS: usize = 20;
/// Maximum number of tokens in a document.
pub const MAX_TOKENS: usize = 5_000;
/// Maximum nesting depth of brackets in a document, including those of values.
pub const MAX_BRACKET_DEPTH: usize = 64;
const MAX_DOCUMENT_SIZE: DocumentSize = DocumentSize { tokens: MAX_TOKENS, depth: MAX_BRACKET_DEPTH };
/// Maximum number of selections in an operation, with fragments expanded.
pub const MAX_SELECTIONS: usize = 1_000;
/// Maximum number of aliases in a document.
pub const MAX_ALIASES: usize = 50;
/// Maximum number of representations that a request resolves.
const MAX_REPRESENTATIONS: usize = 200;
/// Maximum number of values in the variables of an operation.
pub const MAX_VARIABLE_VALUES: usize = 20_000;
/// Maximum depth of selections, with fragments expanded.
pub const MAX_SELECTION_DEPTH: usize = 32;
/// Maximum depth of an operation.
pub const MAX_DEPTH: usize = 15;
/// Maximum cost of an operation. The cost of a list is that of its maximum length.
pub const MAX_COST: usize = 10_000;

/// The schema extension that applies the limits.
pub struct OperationLimits;

/// The limits of one request.
#[derive(Default)]
struct RequestLimits {
    /// Length of the longest list, which is what each `_entities` field may receive; 0 without such a field.
    representations: AtomicUsize,
}

impl ExtensionFactory for OperationLimits {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::<RequestLimits>::default()
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for RequestLimits {
    // Runs before the library follows fragments, which it does once per spread.
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        let mut request = next.run(ctx, request).await?;
        if purpose(&request.data).is_none() {
            self.representations.store(check_size(&mut request)?, Ordering::Relaxed);
        }
        Ok(request)
    }

    // The library counts `_entities` as one object, however many representations it receives.
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let check_cost = |mut result: ValidationResult, representations: usize| {
            result.complexity = result.complexity.saturating_mul(representations.max(1));
            if result.complexity > MAX_COST { Err(vec![cost_exceeded()]) } else { Ok(result) }
        };
        match ctx.query_data.and_then(purpose) {
            None => check_cost(next.run(ctx).await?, self.representations.load(Ordering::Relaxed)),
            Some(RequestPurpose::Execute(validated)) => Ok(*validated),
            Some(RequestPurpose::Validate { result, without_variables: false, representations }) => {
                *result.lock() = Some(check_cost(next.run(ctx).await?, *representations)?);
                Err(Vec::new())
            }
            Some(RequestPurpose::Validate { result, without_variables: true, .. }) => {
                let found = match next.run(ctx).await {
                    Ok(found) => found,
                    Err(errors) if errors.iter().all(is_missing_variable) => NO_RESULT,
                    Err(errors) => {
                        return Err(errors.into_iter().filter(|error| !is_missing_variable(error)).collect());
                    }
                };
                *result.lock() = Some(found);
                Err(Vec::new())
            }
        }
    }
}

/// The result for a document whose cost depends on missing values.
const NO_RESULT: ValidationResult =
    ValidationResult { cache_control: CacheControl { public: true, max_age: 0 }, complexity: 0, depth: 0 };

/// Returns whether an error only says that the cost depends on a missing variable.
fn is_missing_variable(error: &ServerError) -> bool {
    let name = error.message.strip_prefix("Variable ").and_then(|rest| rest.strip_suffix(" is not defined."));
    name.is_some_and(|name| !name.starts_with('"'))
}

/// Checks the size of a request before anything follows its fragments. Returns the maximum number of
/// representations of each `_entities` field, or 0 without such a field.
///
/// # Errors
/// If it exceeds a limit or cannot be parsed.
pub fn check_size(request: &mut Request) -> ServerResult<usize> {
    let (values, longest_given) = count_variables(&request.variables);
    let collector = StatsCollector { longest_list: longest_given, ..StatsCollector::default() };
    let Some((OperationStats { aliases, entities, .. }, longest_list)) = collector.document(parse_document(request)?)
    else {
        return Err(cost_exceeded());
    };
    if values > MAX_VARIABLE_VALUES || aliases > MAX_ALIASES || entities * longest_list > MAX_REPRESENTATIONS {
        return Err(cost_exceeded());
    }
    Ok(if entities > 0 { longest_list } else { 0 })
}

/// Marks a request whose document is already parsed. It is not scanned again, and its text may differ from
/// what the parser read.
struct ParsedMarker;

/// Returns the parsed document of a request. Documents that are too long or too deep are not parsed.
///
/// # Errors
/// If it is too large or cannot be parsed.
pub fn parse_document(request: &mut Request) -> ServerResult<&ExecutableDocument> {
    // The parser's message quotes the line, with the values in it.
    let syntax = |error: ServerError| ApiError::Syntax.at(error.locations);
    if !request.data.contains_key(&TypeId::of::<ParsedMarker>()) {
        if !MAX_DOCUMENT_SIZE.allows(&request.query) {
            return Err(cost_exceeded());
        }
        if let Cow::Owned(text) = normalize_strings(&request.query) {
            let document = parse_query(text).map_err(|error| syntax(error.into()))?;
            request.set_parsed_query(document);
        }
        request.parsed_query().map_err(syntax)?;
        request.data.insert(ParsedMarker);
    }
    request.parsed_query().map_err(syntax)
}

/// The size of selections, with fragments expanded.
#[derive(Clone, Copy, Default)]
struct OperationStats {
    selections: usize,
    aliases: usize,
    /// Number of `_entities` fields.
    entities: usize,
}

impl OperationStats {
    const fn add(&mut self, other: Self) {
        self.selections += other.selections;
        self.aliases += other.aliases;
        self.entities += other.entities;
    }
}

/// Collects the size of a document.
#[derive(Default)]
struct StatsCollector<'a> {
    /// The size of each fragment, and the greatest depth at which it is within the limit.
    fragments: HashMap<&'a Name, (OperationStats, usize)>,
    longest_list: usize,
}

impl<'a> StatsCollector<'a> {
    /// Returns the size of the document and the length of its longest list, or `None` above the limit.
    fn document(mut self, document: &'a ExecutableDocument) -> Option<(OperationStats, usize)> {
        let mut all = OperationStats::default();
        for (_, operation) in document.operations.iter() {
            for definition in &operation.node.variable_definitions {
                let default = definition.node.default_value.as_ref().map(|value| count_values(&value.node));
                self.longest_list = self.longest_list.max(default.map_or(0, |(_, longest_list)| longest_list));
            }
            all.add(self.selections(document, &operation.node.selection_set.node, 0)?);
        }
        for (name, fragment) in &document.fragments {
            self.fragment(document, name, fragment, 0)?;
        }
        (all.selections <= MAX_SELECTIONS).then_some((all, self.longest_list))
    }

    fn selections(
        &mut self,
        document: &'a ExecutableDocument,
        set: &'a SelectionSet,
        depth: usize,
    ) -> Option<OperationStats> {
        let mut all = OperationStats::default();
        if set.items.is_empty() {
            return Some(all);
        }
        // Fragment cycles end here too.
        let below = Some(depth + 1).filter(|depth| *depth <= MAX_SELECTION_DEPTH)?;
        for selection in &set.items {
            all.selections += 1;
            all.add(match &selection.node {
                Selection::Field(field) => {
                    let mut stats = self.selections(document, &field.node.selection_set.node, below)?;
                    stats.add(self.field(&field.node));
                    stats
                }
                Selection::InlineFragment(inline) => {
                    self.selections(document, &inline.node.selection_set.node, below)?
                }
                Selection::FragmentSpread(spread) => {
                    match document.fragments.get_key_value(&spread.node.fragment_name.node) {
                        Some((name, fragment)) => self.fragment(document, name, fragment, below)?,
                        None => OperationStats::default(),
                    }
                }
            });
            if all.selections > MAX_SELECTIONS {
                return None;
            }
        }
        Some(all)
    }

    fn fragment(
        &mut self,
        document: &'a ExecutableDocument,
        name: &'a Name,
        fragment: &'a Positioned<FragmentDefinition>,
        depth: usize,
    ) -> Option<OperationStats> {
        if let Some((known, max_depth)) = self.fragments.get(name)
            && depth <= *max_depth
        {
            return Some(*known);
        }
        let stats = self.selections(document, &fragment.node.selection_set.node, depth)?;
        self.fragments.insert(name, (stats, depth));
        Some(stats)
    }

    fn field(&mut self, field: &Field) -> OperationStats {
        for (_, argument) in &field.arguments {
            let constant = argument.node.clone().into_const_with(|_| Ok::<_, ()>(Value::Null));
            self.longest_list = self.longest_list.max(constant.as_ref().map_or(0, |value| count_values(value).1));
        }
        let entities = usize::from(field.name.node == "_entities");
        OperationStats { selections: 0, aliases: usize::from(field.alias.is_some()), entities }
    }
}

/// Returns the number of values in variables, and the length of their longest list.
pub fn count_variables(variables: &Variables) -> (usize, usize) {
    let counted = variables.values().map(count_values);
    counted.fold((0, 0), |(total, max), (count, longest)| (total + count, max.max(longest)))
}

/// Returns the number of values in a value, and the length of its longest list.
fn count_values(value: &Value) -> (usize, usize) {
    let sum = |values: &mut dyn Iterator<Item = &Value>, own: usize| {
        values.map(count_values).fold((1, own), |(total, max), (count, longest)| (total + count, max.max(longest)))
    };
    match value {
        Value::List(items) => sum(&mut items.iter(), items.len()),
        Value::Object(fields) => sum(&mut fields.values(), 0),
        _ => (1, 0),
    }
}

/// Returns the error for an operation that exceeds a limit.
pub fn cost_exceeded() -> ServerError {
    ApiError::CostExceeded.at(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether a document is within the limits.
    fn is_allowed(query: &str) -> bool {
        let mut request = Request::new(query);
        let collected = parse_document(&mut request).map(|document| StatsCollector::default().document(document));
        matches!(collected, Ok(Some((stats, _))) if stats.aliases <= MAX_ALIASES)
    }

    fn doubling(fragments: usize) -> String {
        let each = (0..fragments).map(|n| format!("fragment f{n} on Query {{ ...f{} ...f{} }}", n + 1, n + 1));
        format!("{{ ...f0 }} {} fragment f{fragments} on Query {{ a }}", each.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn counts_a_fragment_at_every_spread() {
        assert!(is_allowed(&doubling(7)));
        assert!(!is_allowed(&doubling(9)), "1,024 selections");
        assert!(!is_allowed(&doubling(30)));
        let wide = format!("{{ {} }} fragment f on Query {{ {} }}", "...f ".repeat(30), "a ".repeat(30));
        assert!(is_allowed(&wide));
        assert!(!is_allowed(&wide.replace("...f", "...f ...f")));
    }

    #[test]
    fn rejects_fragment_cycles() {
        assert!(!is_allowed("{ ...f } fragment f on Query { ...g ...g } fragment g on Query { ...f ...f }"));
        assert!(!is_allowed("{ a } fragment f on Query { ...f }"), "even if no operation spreads them");
        let chain = |n: usize, end: &str| (0..n).fold(end.to_owned(), |inner, _| format!("a {{ {inner} }}"));
        let joined = format!(
            "{{ ...f ...g }} fragment f on Query {{ {} }} fragment g on Query {{ {} }}",
            chain(20, "a"),
            chain(20, "...f")
        );
        assert!(!is_allowed(&joined), "a fragment that fits at the top need not fit below");
        assert!(is_allowed("{ ...unknown }"), "the library reports it");
    }

    #[test]
    fn limits_the_depth_of_brackets_of_every_kind() {
        let nested = |open: &str, close: &str, times: usize| {
            [format!("{{ a(b: {}1{}) }}", open.repeat(times), close.repeat(times)), {
                format!("query($a: T = {}1{}) {{ a }}", open.repeat(times), close.repeat(times))
            }]
        };
        for (open, close) in [("[", "]"), ("{c:", "}"), ("[{c:", "}]")] {
            let each = open.matches(['[', '{']).count();
            assert!(nested(open, close, 60 / each).iter().all(|query| is_allowed(query)), "{open}");
            assert!(!nested(open, close, 100).iter().any(|query| is_allowed(query)), "{open}");
            assert!(!nested(open, close, 100_000).iter().any(|query| is_allowed(query)), "{open}");
        }
        assert!(!is_allowed(&"{a".repeat(100_000)), "unclosed brackets are not parsed either");
    }
}
