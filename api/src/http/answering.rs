//! Running a query or a mutation to its one answer, whichever door it came through.

use std::{future::Future, panic::AssertUnwindSafe};

use async_graphql::{
    ErrorExtensionValues, PathSegment, Request, Response as Answer, ServerError, parser::types::OperationType,
};
use entities::enums::Language;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::{
    graphql::{
        engine::{Answered, Caller},
        expensive_queries::Deadline,
    },
    http::{
        Door,
        lines::{self, Line},
    },
    text,
};

/// A query or a mutation.
pub(in crate::http) struct Single {
    pub(in crate::http) request: Request,
    pub(in crate::http) operation: OperationType,
    pub(in crate::http) name: Option<String>,
    pub(in crate::http) caller: Caller,
    /// The door it came through.
    pub(in crate::http) through: &'static str,
    /// The trace it belongs to.
    pub(in crate::http) span: Span,
}

/// Begins an operation, and gives its answer. In a task of its own: a client that hangs up neither stops a mutation halfway nor
/// takes its line out of the log, and neither does the end of the service. A query that nobody waits for any longer ends there.
pub(in crate::http) fn answer(door: &Door, asked: Single) -> impl Future<Output = Answered> + Send + 'static {
    answer_holding(door, asked, ())
}

/// Does the same, and drops `held` as soon as the operation's work has ended, which may be after its answer, or after its client has left.
pub(in crate::http) fn answer_holding<T: Send + 'static>(
    door: &Door,
    asked: Single,
    held: T,
) -> impl Future<Output = Answered> + Send + 'static {
    let (tell, told) = oneshot::channel();
    let cancelled = CancellationToken::new();
    let waiting = cancelled.clone().drop_guard();
    let (span, language) = (asked.span.clone(), asked.caller.language);
    door.life.track(run(door.clone(), asked, tell, cancelled, held).instrument(span));
    let door = door.clone();
    async move {
        let _waiting = waiting;
        told.await.unwrap_or_else(|_| door.engine.answered(failure(&door, language, "INTERNAL"), language))
    }
}

async fn run<T>(door: Door, asked: Single, mut tell: oneshot::Sender<Answered>, cancelled: CancellationToken, held: T) {
    let Single { request, operation, name, caller, through, .. } = asked;
    let began = door.clock.now();
    let place = tokio::select! {
        place = door.concurrency.take(operation, door.clock.as_ref()) => Some(place),
        () = tell.closed() => None,
    };
    let busy = match &place {
        Some(Ok(_)) => None,
        Some(Err(_)) => Some(door.engine.overloaded(caller.language)),
        None => Some(failure(&door, caller.language, "CANCELLED")),
    };
    let deadline = Deadline { cancelled, timeout: door.limits.request_timeout };
    let executed = async {
        match busy {
            Some(busy) => busy,
            None => door.engine.execute(request, &caller, Some(deadline)).await,
        }
    };
    let mut executed = Box::pin(AssertUnwindSafe(executed).catch_unwind());
    let ended = tokio::select! {
        ended = tokio::time::timeout(door.limits.request_timeout, &mut executed) => Some(ended),
        () = tell.closed(), if operation != OperationType::Mutation => None,
    };
    let (answer, finished) = match ended {
        Some(Ok(Ok(answer))) => (answer, true),
        Some(Ok(Err(_))) => (failure(&door, caller.language, "INTERNAL"), true),
        Some(Err(_)) => (failure(&door, caller.language, "TIMEOUT"), false),
        None => (failure(&door, caller.language, "CANCELLED"), false),
    };
    let answer = door.engine.answered(answer, caller.language);
    let seconds = (door.clock.now() - began).to_std().unwrap_or_default().as_secs_f64();
    metrics::histogram!("kezdesu_request_seconds", "operation" => operation.to_string()).record(seconds);
    let (operation_name, code) = (operation.to_string(), code(&answer.errors));
    let viewer = lines::kind(&caller.viewer);
    let line = Line { door: through, operation: Some(&operation_name), name: name.as_deref(), viewer, code: &code };
    lines::tell(&line, &door, began);
    let goes_on = !finished && operation == OperationType::Mutation;
    // Whatever has ended gives back what it held before its client can ask for more.
    let rest = goes_on.then_some((executed, held, place));
    // Whoever has hung up wants no answer.
    let _ = tell.send(answer);
    if let Some((executed, _held, _place)) = rest {
        // It comes to its end all the same: its key tells which.
        let _ = executed.await;
    }
}

fn failure(door: &Door, language: Language, code: &'static str) -> Answer {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    let message = if code != "INTERNAL" {
        text::message(language, "error-timeout", &[])
    } else {
        let id = door.ids.next(door.clock.now()).simple().to_string();
        tracing::error!(error_id = %id, "an operation has panicked");
        extensions.set("errorId", id.as_str());
        text::message(language, "error-internal", &[("errorId", id.into())])
    };
    let mut error = ServerError::new(message, None);
    error.extensions = Some(extensions);
    // With a path, so that it is not taken for a fault of the request.
    error.path = vec![PathSegment::Field("operation".to_owned())];
    Answer::from_errors(vec![error])
}

/// The code of the first error; `OK` where there is none.
pub(in crate::http) fn code(errors: &[ServerError]) -> String {
    let code = errors.first().map(|error| {
        let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code").cloned());
        code.and_then(|code| match code {
            async_graphql::Value::String(code) => Some(code),
            _ => None,
        })
    });
    code.map_or_else(|| "OK".to_owned(), |code| code.unwrap_or_else(|| "INTERNAL".to_owned()))
}
