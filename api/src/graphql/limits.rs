//! What an operation may ask for, checked before it is validated: the library's own limits come too late or not at all.

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
    CacheControl, Data, Name, Positioned, Request, ServerError, ServerResult, ValidationResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest, NextValidation},
    parser::{
        parse_query,
        types::{ExecutableDocument, Field, FragmentDefinition, Selection, SelectionSet},
    },
};

use crate::graphql::{error::ApiError, literals::normalized, prepare::Phase, schema::MOST_COST, shape::Shape};

/// How many errors of one kind are told of.
pub const MOST_ERRORS: usize = 20;
/// How many tokens a document may have.
pub const MOST_TOKENS: usize = 5_000;
/// How deep the brackets of a document may nest, those of values included.
pub const MOST_NESTED: usize = 64;
const LARGEST: Shape = Shape { tokens: MOST_TOKENS, depth: MOST_NESTED };
/// How many selections an operation may make, with its fragments written out.
pub const MOST_SELECTIONS: usize = 1_000;
/// How many aliases a document may have.
pub const MOST_ALIASES: usize = 50;
/// How many references can be resolved at once.
const MOST_REPRESENTATIONS: usize = 200;
/// How many values the variables of an operation may hold.
const MOST_VALUES: usize = 20_000;
/// How deep selections may nest, with fragments written out.
pub const DEEPEST_SELECTION: usize = 32;

/// The limits, as an extension of the schema.
pub struct Limited;

/// The limits of one request.
#[derive(Default)]
struct OfRequest {
    /// How many references each of its `_entities` may be given.
    references: AtomicUsize,
}

impl ExtensionFactory for Limited {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::<OfRequest>::default()
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for OfRequest {
    // Before the library follows the fragments of a document: it does so once for each time one is spread.
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        let mut request = next.run(ctx, request).await?;
        if phase(&request.data).is_none() {
            self.references.store(measured(&mut request)?, Ordering::Relaxed);
        }
        Ok(request)
    }

    // The library counts `_entities` as one object, however many it is asked for.
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let fits = |mut result: ValidationResult, references: usize| {
            result.complexity = result.complexity.saturating_mul(references.max(1));
            if result.complexity > MOST_COST { Err(vec![too_much()]) } else { Ok(result) }
        };
        match ctx.query_data.and_then(phase) {
            None => fits(next.run(ctx).await?, self.references.load(Ordering::Relaxed)),
            Some(Phase::Run(validated)) => Ok(*validated),
            Some(Phase::Validate { result, without_variables: false, references }) => {
                *result.lock() = Some(fits(next.run(ctx).await?, *references)?);
                Err(Vec::new())
            }
            Some(Phase::Validate { result, without_variables: true, .. }) => {
                let found = match next.run(ctx).await {
                    Ok(found) => found,
                    Err(errors) if errors.iter().all(needs_variables) => NOTHING_FOUND,
                    Err(errors) => return Err(errors.into_iter().filter(|error| !needs_variables(error)).collect()),
                };
                *result.lock() = Some(found);
                Err(Vec::new())
            }
        }
    }
}

/// What is told of a document whose cost depends on values that are not there.
const NOTHING_FOUND: ValidationResult =
    ValidationResult { cache_control: CacheControl { public: true, max_age: 0 }, complexity: 0, depth: 0 };

/// For what the library was given a request.
pub fn phase(data: &Data) -> Option<&Phase> {
    data.get(&TypeId::of::<Phase>())?.downcast_ref()
}

/// Whether an error only says that a cost cannot be told without the value of a variable.
fn needs_variables(error: &ServerError) -> bool {
    let name = error.message.strip_prefix("Variable ").and_then(|rest| rest.strip_suffix(" is not defined."));
    name.is_some_and(|name| !name.starts_with('"'))
}

/// Measures a request before anything follows its fragments. Gives how many references each of its `_entities` may be given; 0: it
/// has none.
///
/// # Errors
/// When it is too much, or cannot be parsed.
pub fn measured(request: &mut Request) -> ServerResult<usize> {
    let (values, given) = request
        .variables
        .values()
        .map(extent)
        .fold((0, 0), |(all, most), (count, longest)| (all + count, most.max(longest)));
    let count = Count { longest: given, ..Count::default() };
    let Some((Tally { aliases, entities, .. }, longest)) = count.document(parsed(request)?) else {
        return Err(too_much());
    };
    if values > MOST_VALUES || aliases > MOST_ALIASES || entities * longest > MOST_REPRESENTATIONS {
        return Err(too_much());
    }
    Ok(if entities > 0 { longest } else { 0 })
}

/// Says that the document of a request was parsed already: it need not be measured again, and its text alone may not be what the
/// parser has read.
struct Parsed;

/// The document of a request, which is parsed only if it is neither too long nor too deep for that.
///
/// # Errors
/// When it is, or cannot be parsed.
pub fn parsed(request: &mut Request) -> ServerResult<&ExecutableDocument> {
    // The parser shows the line at which it stopped, with all that it holds.
    let syntax = |error: ServerError| ApiError::Syntax.at(error.locations);
    if !request.data.contains_key(&TypeId::of::<Parsed>()) {
        if !LARGEST.holds(&request.query) {
            return Err(too_much());
        }
        if let Cow::Owned(text) = normalized(&request.query) {
            let document = parse_query(text).map_err(|error| syntax(error.into()))?;
            request.set_parsed_query(document);
        }
        request.parsed_query().map_err(syntax)?;
        request.data.insert(Parsed);
    }
    request.parsed_query().map_err(syntax)
}

/// What selections come to, with their fragments written out.
#[derive(Clone, Copy, Default)]
struct Tally {
    selections: usize,
    aliases: usize,
    /// How many fields resolve references.
    entities: usize,
}

impl Tally {
    const fn add(&mut self, other: Self) {
        self.selections += other.selections;
        self.aliases += other.aliases;
        self.entities += other.entities;
    }
}

/// Counts what a document comes to.
#[derive(Default)]
struct Count<'a> {
    /// What is behind one spread of a fragment, and how deep it was found to fit.
    fragments: HashMap<&'a Name, (Tally, usize)>,
    longest: usize,
}

impl<'a> Count<'a> {
    /// What everything comes to, and the length of the longest list; none once there are more selections than may be.
    fn document(mut self, document: &'a ExecutableDocument) -> Option<(Tally, usize)> {
        let mut all = Tally::default();
        for (_, operation) in document.operations.iter() {
            for definition in &operation.node.variable_definitions {
                let default = definition.node.default_value.as_ref().map(|value| extent(&value.node));
                self.longest = self.longest.max(default.map_or(0, |(_, longest)| longest));
            }
            all.add(self.selections(document, &operation.node.selection_set.node, 0)?);
        }
        for (name, fragment) in &document.fragments {
            self.fragment(document, name, fragment, 0)?;
        }
        (all.selections <= MOST_SELECTIONS).then_some((all, self.longest))
    }

    fn selections(&mut self, document: &'a ExecutableDocument, set: &'a SelectionSet, depth: usize) -> Option<Tally> {
        let mut all = Tally::default();
        if set.items.is_empty() {
            return Some(all);
        }
        // Fragments that spread each other end here too.
        let below = Some(depth + 1).filter(|depth| *depth <= DEEPEST_SELECTION)?;
        for selection in &set.items {
            all.selections += 1;
            all.add(match &selection.node {
                Selection::Field(field) => {
                    let mut tally = self.selections(document, &field.node.selection_set.node, below)?;
                    tally.add(self.field(&field.node));
                    tally
                }
                Selection::InlineFragment(inline) => {
                    self.selections(document, &inline.node.selection_set.node, below)?
                }
                Selection::FragmentSpread(spread) => {
                    match document.fragments.get_key_value(&spread.node.fragment_name.node) {
                        Some((name, fragment)) => self.fragment(document, name, fragment, below)?,
                        None => Tally::default(),
                    }
                }
            });
            if all.selections > MOST_SELECTIONS {
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
    ) -> Option<Tally> {
        if let Some((known, fits)) = self.fragments.get(name)
            && depth <= *fits
        {
            return Some(*known);
        }
        let tally = self.selections(document, &fragment.node.selection_set.node, depth)?;
        self.fragments.insert(name, (tally, depth));
        Some(tally)
    }

    fn field(&mut self, field: &Field) -> Tally {
        for (_, argument) in &field.arguments {
            let constant = argument.node.clone().into_const_with(|_| Ok::<_, ()>(Value::Null));
            self.longest = self.longest.max(constant.as_ref().map_or(0, |value| extent(value).1));
        }
        let entities = usize::from(field.name.node == "_entities");
        Tally { selections: 0, aliases: usize::from(field.alias.is_some()), entities }
    }
}

/// How many values a value holds, and the length of the longest list in it.
fn extent(value: &Value) -> (usize, usize) {
    let all = |values: &mut dyn Iterator<Item = &Value>, longest: usize| {
        values.map(extent).fold((1, longest), |(all, most), (count, longest)| (all + count, most.max(longest)))
    };
    match value {
        Value::List(items) => all(&mut items.iter(), items.len()),
        Value::Object(fields) => all(&mut fields.values(), 0),
        _ => (1, 0),
    }
}

/// The refusal of what is too much.
pub fn too_much() -> ServerError {
    ApiError::TooCostly.at(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the limits let a document through.
    fn passes(query: &str) -> bool {
        let mut request = Request::new(query);
        let counted = parsed(&mut request).map(|document| Count::default().document(document));
        matches!(counted, Ok(Some((tally, _))) if tally.aliases <= MOST_ALIASES)
    }

    fn doubling(fragments: usize) -> String {
        let each = (0..fragments).map(|n| format!("fragment f{n} on Query {{ ...f{} ...f{} }}", n + 1, n + 1));
        format!("{{ ...f0 }} {} fragment f{fragments} on Query {{ a }}", each.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_fragment_counts_as_often_as_it_is_spread() {
        assert!(passes(&doubling(7)));
        assert!(!passes(&doubling(9)), "two to the ninth, twice");
        assert!(!passes(&doubling(30)));
        let wide = format!("{{ {} }} fragment f on Query {{ {} }}", "...f ".repeat(30), "a ".repeat(30));
        assert!(passes(&wide));
        assert!(!passes(&wide.replace("...f", "...f ...f")));
    }

    #[test]
    fn fragments_that_spread_each_other_are_too_much() {
        assert!(!passes("{ ...f } fragment f on Query { ...g ...g } fragment g on Query { ...f ...f }"));
        assert!(!passes("{ a } fragment f on Query { ...f }"), "also where nothing spreads them");
        let chain = |n: usize, end: &str| (0..n).fold(end.to_owned(), |inner, _| format!("a {{ {inner} }}"));
        let joined = format!(
            "{{ ...f ...g }} fragment f on Query {{ {} }} fragment g on Query {{ {} }}",
            chain(20, "a"),
            chain(20, "...f")
        );
        assert!(!passes(&joined), "a fragment that fits at the top need not fit below");
        assert!(passes("{ ...unknown }"), "the library says so in its own words");
    }

    #[test]
    fn a_document_nests_only_so_deep_whatever_it_nests() {
        let nested = |open: &str, close: &str, times: usize| {
            [format!("{{ a(b: {}1{}) }}", open.repeat(times), close.repeat(times)), {
                format!("query($a: T = {}1{}) {{ a }}", open.repeat(times), close.repeat(times))
            }]
        };
        for (open, close) in [("[", "]"), ("{c:", "}"), ("[{c:", "}]")] {
            let each = open.matches(['[', '{']).count();
            assert!(nested(open, close, 60 / each).iter().all(|query| passes(query)), "{open}");
            assert!(!nested(open, close, 100).iter().any(|query| passes(query)), "{open}");
            assert!(!nested(open, close, 100_000).iter().any(|query| passes(query)), "{open}");
        }
        assert!(!passes(&"{a".repeat(100_000)), "and is not parsed where it does not end");
    }
}
