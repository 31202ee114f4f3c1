//! Executes a query or mutation, or starts a subscription, whatever transport it came through.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};

use async_graphql::{ErrorExtensionValues, PathSegment, Request, Response, ServerError, parser::types::OperationType};
use entities::enums::Language;
use futures_util::{
    FutureExt, StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{Instrument as _, Span};

use crate::{
    feed::Resume,
    graphql::{
        attached_follower::EventSink,
        caller::Caller,
        expensive_queries::Deadline,
        operation_response::{OperationResponse, SerializedResponse},
    },
    http::{
        HttpState,
        access_log::{self, AccessLogEntry},
        concurrency_limit::Overloaded,
    },
    text,
};

/// A query or mutation to execute.
pub(in crate::http) struct OperationRun {
    pub(in crate::http) request: Request,
    pub(in crate::http) operation: OperationType,
    pub(in crate::http) name: Option<String>,
    pub(in crate::http) caller: Caller,
    /// The transport, as it is logged.
    pub(in crate::http) transport: &'static str,
    /// Whether a rejection by a rate limit is held back here, while the operation keeps its place. Over HTTP, where
    /// others may wait for the same response, the handler does that.
    pub(in crate::http) holds_rejection: bool,
    /// The span of the request's trace.
    pub(in crate::http) span: Span,
}

/// Starts an operation in a task of its own, and returns its response.
///
/// When the client disconnects, a mutation still runs to its end and is logged; a query is cancelled.
/// Draining waits for both.
pub(in crate::http) fn execute(
    state: &Arc<HttpState>,
    operation_run: OperationRun,
) -> impl Future<Output = SerializedResponse> + Send + 'static {
    execute_holding(state, operation_run, ())
}

/// Like [`execute`], and drops `held` once the operation's work ends, which may be after the response or the
/// client's disconnect.
pub(in crate::http) fn execute_holding<T: Send + 'static>(
    state: &Arc<HttpState>,
    operation_run: OperationRun,
    held: T,
) -> impl Future<Output = SerializedResponse> + Send + 'static {
    let (sender, receiver) = oneshot::channel();
    let cancelled = CancellationToken::new();
    let guard = cancelled.clone().drop_guard();
    let (span, language) = (operation_run.span.clone(), operation_run.caller.language);
    state.lifecycle.track(run(Arc::clone(state), operation_run, sender, cancelled, held).instrument(span));
    let state = Arc::clone(state);
    async move {
        let _guard = guard;
        receiver
            .await
            .unwrap_or_else(|_| state.engine.serialize(error_response(&state, language, "INTERNAL"), language))
    }
}

/// Starts a subscription in a task of its own, and returns its responses. Rejects it if too many start at once.
///
/// The permit is held by that task, so that a connection that accepts no bytes cannot keep it.
pub(in crate::http) async fn subscribe(
    state: Arc<HttpState>,
    request: Request,
    caller: Caller,
    resume: Option<Resume>,
    sink: Option<Arc<dyn EventSink>>,
) -> BoxStream<'static, OperationResponse> {
    let rejected = |response| stream::iter([OperationResponse::Rejected(Box::new(response))]).boxed();
    let (language, starting) = (caller.language, Arc::clone(&state));
    let start = async move {
        match starting.concurrency.acquire(OperationType::Subscription, starting.clock.as_ref()).await {
            Ok(_permit) => starting.engine.responses(request, &caller, resume, sink).await,
            Err(Overloaded) => rejected(starting.engine.overloaded(caller.language)),
        }
    };
    let started = AbortOnDropHandle::new(tokio::spawn(start.in_current_span()));
    // An error means that the start panicked.
    started.await.unwrap_or_else(|_| rejected(error_response(&state, language, "INTERNAL")))
}

async fn run<T>(
    state: Arc<HttpState>,
    operation_run: OperationRun,
    mut sender: oneshot::Sender<SerializedResponse>,
    cancelled: CancellationToken,
    held: T,
) {
    let OperationRun { request, operation, name, caller, transport, holds_rejection, .. } = operation_run;
    let started = state.clock.now();
    let permit = tokio::select! {
        permit = state.concurrency.acquire(operation, state.clock.as_ref()) => Some(permit),
        () = sender.closed() => None,
    };
    let rejected = match &permit {
        Some(Ok(_)) => None,
        Some(Err(_)) => Some(state.engine.overloaded(caller.language)),
        None => Some(error_response(&state, caller.language, "CANCELLED")),
    };
    let deadline = Deadline { cancelled, timeout: state.limits.request_timeout };
    let executed = async {
        match rejected {
            Some(response) => response,
            None => state.engine.execute(request, &caller, Some(deadline)).await,
        }
    };
    let mut executed = Box::pin(AssertUnwindSafe(executed).catch_unwind());
    let ended = tokio::select! {
        ended = tokio::time::timeout(state.limits.request_timeout, &mut executed) => Some(ended),
        () = sender.closed(), if operation != OperationType::Mutation => None,
    };
    let (response, finished) = match ended {
        Some(Ok(Ok(response))) => (response, true),
        Some(Ok(Err(_))) => (error_response(&state, caller.language, "INTERNAL"), true),
        Some(Err(_)) => (error_response(&state, caller.language, "TIMEOUT"), false),
        None => (error_response(&state, caller.language, "CANCELLED"), false),
    };
    let response = state.engine.serialize(response, caller.language);
    let seconds = (state.clock.now() - started).to_std().unwrap_or_default().as_secs_f64();
    metrics::histogram!("kezdesu_request_seconds", "operation" => operation.to_string()).record(seconds);
    let (operation_name, code) = (operation.to_string(), error_code(&response.errors));
    let viewer = access_log::viewer_kind(&caller.viewer);
    let entry =
        AccessLogEntry { transport, operation: Some(&operation_name), name: name.as_deref(), viewer, code: &code };
    access_log::log_request(&entry, &state, started);
    let continues = !finished && operation == OperationType::Mutation;
    // Release the permit, and then what is held, before the client can send its next request.
    let rest = continues.then_some((executed, permit));
    if let Some(limit) = response.limit.filter(|_| holds_rejection) {
        limit.hold_back(sender.closed()).await;
    }
    let rest = rest.map(|(executed, permit)| (executed, held, permit));
    // An error means that the client has disconnected.
    let _ = sender.send(response);
    if let Some((executed, _held, _permit)) = rest {
        // A mutation that timed out runs to its end; its idempotency key tells the client the outcome.
        let _ = executed.await;
    }
}

fn error_response(state: &HttpState, language: Language, code: &'static str) -> Response {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    let message = if code != "INTERNAL" {
        text::message(language, "error-timeout", &[])
    } else {
        let id = state.ids.next(state.clock.now()).simple().to_string();
        tracing::error!(error_id = %id, "an operation panicked");
        extensions.set("errorId", id.as_str());
        text::message(language, "error-internal", &[("errorId", id.into())])
    };
    let mut error = ServerError::new(message, None);
    error.extensions = Some(extensions);
    // With a path, so that it does not count as a request error.
    error.path = vec![PathSegment::Field("operation".to_owned())];
    Response::from_errors(vec![error])
}

/// Returns the code of the first error, or `OK` if there is none.
pub(in crate::http) fn error_code(errors: &[ServerError]) -> String {
    let code = errors.first().map(|error| {
        let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code").cloned());
        code.and_then(|code| match code {
            async_graphql::Value::String(code) => Some(code),
            _ => None,
        })
    });
    code.map_or_else(|| "OK".to_owned(), |code| code.unwrap_or_else(|| "INTERNAL".to_owned()))
}
