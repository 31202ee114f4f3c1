//! What must hold for any document and any identity that comes from outside.

use std::sync::{Arc, LazyLock};

use async_graphql::{
    Request, Response, ServerError, ValidationResult, Value, Variables,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation},
    parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet},
};
use entities::kato::KatoCode;
use futures_util::FutureExt;

use crate::{
    graphql::{
        ApiSchema, Engine,
        limits::{MOST_ALIASES, MOST_NESTED, MOST_SELECTIONS, MOST_TOKENS},
        node::GlobalId,
        page::{Cursor, PageArgs, encode},
        prepare::prepare,
        schema::{DEEPEST, MOST_COST, builder},
        shape::Shape,
    },
    store::{comments::CommentCursor, meetings::MeetingCursor},
};

/// What stands between a document and its variables.
const SEPARATOR: &str = "\n---\n";
/// Marks a request whose operation is a subscription: it has no execution that could be halted, so its validation is.
struct Streams;
/// Said by [`Halt`].
const HALTED: &str = "valid, and not run";

static SCHEMA: LazyLock<ApiSchema> = LazyLock::new(|| builder().extension(Halt).finish());

/// Takes a document, and maybe a line `---` and its variables as JSON, as far as it would be run. Tells whether it would be.
pub fn query(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let (document, variables) = text.split_once(SEPARATOR).unwrap_or((&text, "{}"));
    let mut request =
        Request::new(document).variables(Variables::from_json(serde_json::from_str(variables).unwrap_or_default()));
    let kind = Engine::operation(&mut request);
    if matches!(kind, Ok(OperationType::Subscription)) {
        request = request.data(Streams);
    }
    let shape = Shape::of(document);
    let small = shape.tokens <= MOST_TOKENS && shape.depth <= MOST_NESTED;
    assert!(small || kind.is_err(), "what is too large was parsed");
    if let Some(document) = small.then(|| request.parsed_query().ok().cloned()).flatten() {
        prepared(Request::new(request.query.clone()).variables(request.variables.clone()));
        let written = Written::of(&document);
        assert!(written.depth <= shape.depth && written.tokens <= shape.tokens, "{written:?} is more than {shape:?}");
        let answer = run(request);
        if answer.is_ok() {
            assert!(kind.is_ok(), "what has no kind was run");
            assert!(written.aliases <= MOST_ALIASES && written_out(&document) <= MOST_SELECTIONS, "{written:?}");
        }
        return answer.is_ok();
    }
    assert!(run(request).is_err());
    false
}

/// Makes an operation ready, and looks at what would be executed.
fn prepared(request: Request) {
    let Some(Ok(ready)) = prepare(&SCHEMA, request).now_or_never() else { return };
    assert!(ready.validated.complexity <= MOST_COST && ready.document.fragments.is_empty());
    let written = Written::of(&ready.document);
    assert!(written.aliases <= 10 * MOST_SELECTIONS, "{written:?}");
}

/// Runs an operation up to its execution. Nothing on the way waits.
fn run(request: Request) -> Result<(), Vec<ServerError>> {
    let answer = SCHEMA.execute(request).now_or_never().unwrap_or_default();
    if answer.errors.iter().any(|error| error.message == HALTED) { Ok(()) } else { Err(answer.errors) }
}

/// Stops an operation that has passed everything, and looks at what it would have cost.
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
        assert!(found.complexity <= MOST_COST && found.depth <= DEEPEST, "{found:?}");
        match ctx.data_opt::<Streams>() {
            Some(Streams) => Err(vec![ServerError::new(HALTED, None)]),
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

/// The least that a document must have had as text, told from what the parser made of it.
#[derive(Debug, Default)]
struct Written {
    tokens: usize,
    depth: usize,
    aliases: usize,
}

impl Written {
    fn of(document: &ExecutableDocument) -> Self {
        let mut written = Self::default();
        for (_, operation) in document.operations.iter() {
            for definition in &operation.node.variable_definitions {
                // `$a: T`, in brackets
                written.tokens += 4;
                if let Some(default) = &definition.node.default_value {
                    written.value(&default.node, 1);
                }
            }
            written.set(&operation.node.selection_set.node, 0);
        }
        for fragment in document.fragments.values() {
            // `fragment F on T`
            written.tokens += 4;
            written.set(&fragment.node.selection_set.node, 0);
        }
        written
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

/// How many selections a document makes, its fragments followed as often as they are spread, and no further than may be.
fn written_out(document: &ExecutableDocument) -> usize {
    let mut waiting: Vec<&SelectionSet> =
        document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node).collect();
    let mut count = 0;
    while let Some(set) = waiting.pop() {
        count += set.items.len();
        if count > MOST_SELECTIONS {
            return count;
        }
        waiting.extend(set.items.iter().filter_map(|selection| match &selection.node {
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

/// Takes a text as an identity and as the cursor of each list. Tells whether it is any of them.
pub fn identity(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let id = GlobalId::parse(&text);
    if let Some(id) = id {
        let shown = id.show();
        assert_eq!(GlobalId::parse(&shown), Some(id), "{text} is shown as {shown:?}");
        assert_eq!(*shown, *text, "an identity has one form, so that it can be compared as text");
    }
    let cursors = [cursor::<KatoCode>(&text), cursor::<MeetingCursor>(&text), cursor::<CommentCursor>(&text)];
    id.is_some() || cursors.contains(&true)
}

/// Whether a text is a cursor of a list. One that is means the same once it was shown.
fn cursor<C: Cursor>(text: &str) -> bool {
    let read = |text: &str| PageArgs::forward(Some(1), Some(text.to_owned())).window::<C>().ok()?.after;
    let Some(cursor) = read(text) else { return false };
    let shown = encode(&cursor);
    assert_eq!(read(&shown).map(|again| encode(&again)), Some(shown));
    true
}
