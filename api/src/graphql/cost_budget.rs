//! Charges the cost of an operation to its caller before it is executed, on every transport.

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
        context::{RequestContext, SchemaData},
        error::{ApiError, ApiResult},
        expensive_queries::{Deadline, EXPENSIVE_COST},
        loader_dispatch::LoaderDispatch,
        meter::ResponseMemory,
        operation_limits::{cost_exceeded, parse_document},
        request_purpose::{RequestPurpose, purpose},
        subscription_stream::SubscriptionPhase,
    },
};

/// Maximum cost of a subscription per event.
pub const MAX_EVENT_COST: usize = 500;
/// Minimum cost of an operation, valid or not.
const MIN_COST: usize = 5;
/// Bytes of a document that cost one unit, valid or not.
const BYTES_PER_UNIT: usize = 64;

/// Admits an operation and charges for reading it, even if it is rejected later.
///
/// # Errors
/// `RATE_LIMITED` if the caller's budget is used up, or the responses in progress hold too much memory.
pub fn admit(
    request: &Request,
    requester: Requester<'_>,
    rate_limiter: &RateLimiter,
    memory: &ResponseMemory,
) -> ApiResult<PrepaidCost> {
    memory.check()?;
    let reading = MIN_COST + request.query.len() / BYTES_PER_UNIT;
    rate_limiter.charge(reading, 0, requester)?;
    Ok(PrepaidCost(reading))
}

/// The cost that was charged before validation.
#[derive(Clone, Copy, Debug)]
pub struct PrepaidCost(usize);

/// The schema extension that charges callers.
pub struct CostBudget;

impl ExtensionFactory for CostBudget {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::<RequestCost>::default()
    }
}

/// The mutations of a request by kind, and its cost.
#[derive(Default)]
struct RequestCost {
    posts: AtomicUsize,
    votes: AtomicUsize,
    others: AtomicUsize,
    cost: AtomicUsize,
}

#[async_graphql::async_trait::async_trait]
impl Extension for RequestCost {
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
        let phase = ctx.data_opt::<SubscriptionPhase>();
        if is_rendering(phase) {
            return Ok(result);
        }
        if phase.is_some() && result.complexity > MAX_EVENT_COST {
            return Err(vec![cost_exceeded()]);
        }
        if let (Some(schema_data), Some(request_context)) =
            (ctx.data_opt::<SchemaData>(), ctx.data_opt::<RequestContext>())
        {
            let (rate_limiter, requester) = (&schema_data.app.rate_limiter, request_context.requester());
            let prepaid = ctx.data_opt::<PrepaidCost>().map_or(0, |prepaid| prepaid.0);
            let counted =
                self.kinds().into_iter().try_for_each(|(kind, times)| rate_limiter.count(kind, times, requester));
            let charged = counted
                .and_then(|()| rate_limiter.charge(result.complexity.saturating_sub(prepaid), prepaid, requester));
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
        let execute = async {
            match ctx.data_opt::<LoaderDispatch>() {
                Some(dispatch) => dispatch.run(next.run(ctx, operation_name)).await,
                None => next.run(ctx, operation_name).await,
            }
        };
        match (ctx.data_opt::<SchemaData>(), ctx.data_opt::<Deadline>()) {
            (Some(schema_data), Some(deadline)) if is_expensive => {
                let ran = schema_data.expensive_queries.run(deadline, execute).await;
                ran.unwrap_or_else(|busy| Response::from_errors(vec![busy.at(Vec::new())]))
            }
            _ => execute.await,
        }
    }
}

/// Returns whether a subscription is executed for an event. It was charged when it started.
const fn is_rendering(phase: Option<&SubscriptionPhase>) -> bool {
    matches!(phase, Some(SubscriptionPhase::Render(_)))
}

impl RequestCost {
    /// Counts the mutations of the document that is executed: one operation without fragments.
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
