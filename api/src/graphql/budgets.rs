//! Charges what an operation costs to its caller before it runs, over whichever transport it came.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_graphql::{
    Request, Response, ServerError, ServerResult, ValidationResult,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextPrepareRequest, NextValidation},
    parser::types::{ExecutableDocument, OperationType, Selection},
};

use crate::{
    app::rate_limit::{MutationKind, RateLimiter, Requester},
    graphql::{
        context::{Asker, Rooms},
        error::{ApiError, ApiResult},
        expensive_queries::{Deadline, EXPENSIVE_COST},
        live::Turn,
        loader_dispatch::LoaderDispatch,
        meter::ResponseMemory,
        operation_limits::{cost_exceeded, parse_document, purpose},
        preparation::RequestPurpose,
    },
};

/// What a subscription may cost at each of its events.
pub const MOST_EVENT_COST: usize = 500;
/// What an operation costs at least, valid or not.
const LEAST_COST: usize = 5;
/// How many bytes of a document cost one unit, valid or not.
const BYTES_A_UNIT: usize = 64;

/// Takes an operation in: charges its reading, since what is refused further on has been read.
///
/// # Errors
/// `RATE_LIMITED` when the caller has too few units left, or the answers under way hold too much memory.
pub fn admit(request: &Request, from: Requester<'_>, rates: &RateLimiter, memory: &ResponseMemory) -> ApiResult<Paid> {
    memory.check()?;
    let reading = LEAST_COST + request.query.len() / BYTES_A_UNIT;
    rates.charge(reading, 0, from)?;
    Ok(Paid(reading))
}

/// How many units an operation has paid before it was validated.
#[derive(Clone, Copy, Debug)]
pub struct Paid(usize);

/// Charges callers, as an extension of the schema.
pub struct Budgeted;

impl ExtensionFactory for Budgeted {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::<OfRequest>::default()
    }
}

/// How many mutations of each kind one request makes.
#[derive(Default)]
struct OfRequest {
    posts: AtomicUsize,
    votes: AtomicUsize,
    others: AtomicUsize,
    cost: AtomicUsize,
}

#[async_graphql::async_trait::async_trait]
impl Extension for OfRequest {
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        let mut request = next.run(ctx, request).await?;
        if matches!(purpose(&request.data), Some(RequestPurpose::Execute(_))) {
            self.count(parse_document(&mut request)?);
        }
        Ok(request)
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        let turn = ctx.data_opt::<Turn>();
        if is_rendering(turn) {
            return Ok(result);
        }
        if turn.is_some() && result.complexity > MOST_EVENT_COST {
            return Err(vec![cost_exceeded()]);
        }
        if let (Some(rooms), Some(asker)) = (ctx.data_opt::<Rooms>(), ctx.data_opt::<Asker>()) {
            let (rates, requester) = (&rooms.app.rate_limiter, asker.requester());
            let paid = ctx.data_opt::<Paid>().map_or(0, |paid| paid.0);
            let counted = self.kinds().into_iter().try_for_each(|(kind, times)| rates.count(kind, times, requester));
            let charged = counted.and_then(|()| rates.charge(result.complexity.saturating_sub(paid), paid, requester));
            charged.map_err(|limit| vec![ApiError::from(limit).at(Vec::new())])?;
        }
        self.cost.store(result.complexity, Ordering::Relaxed);
        Ok(result)
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let is_expensive = self.cost.load(Ordering::Relaxed) >= EXPENSIVE_COST;
        let run = async {
            match ctx.data_opt::<LoaderDispatch>() {
                Some(dispatch) => dispatch.run(next.run(ctx, operation_name)).await,
                None => next.run(ctx, operation_name).await,
            }
        };
        match (ctx.data_opt::<Rooms>(), ctx.data_opt::<Deadline>()) {
            (Some(rooms), Some(deadline)) if is_expensive => {
                let ran = rooms.expensive_queries.run(deadline, run).await;
                ran.unwrap_or_else(|busy| Response::from_errors(vec![busy.at(Vec::new())]))
            }
            _ => run.await,
        }
    }
}

/// Whether a subscription is executed for one of its events, and so was paid for when it began.
const fn is_rendering(turn: Option<&Turn>) -> bool {
    matches!(turn, Some(Turn::Render(_)))
}

impl OfRequest {
    /// Counts the mutations of a document as it is executed: one operation without fragments.
    fn count(&self, document: &ExecutableDocument) {
        let Some((_, operation)) = document.operations.iter().next() else { return };
        if operation.node.ty != OperationType::Mutation {
            return;
        }
        for selection in &operation.node.selection_set.node.items {
            let Selection::Field(field) = &selection.node else { continue };
            let count = match field.node.name.node.as_str() {
                "postComment" => &self.posts,
                "voteComment" => &self.votes,
                name if name.starts_with("__") => continue,
                _ => &self.others,
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn kinds(&self) -> [(MutationKind, usize); 3] {
        [
            (MutationKind::Post, self.posts.load(Ordering::Relaxed)),
            (MutationKind::Vote, self.votes.load(Ordering::Relaxed)),
            (MutationKind::Other, self.others.load(Ordering::Relaxed)),
        ]
    }
}
