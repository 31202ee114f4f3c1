//! What the resolvers of mutations have in common: retries and payloads.

use async_graphql::Context;

use crate::{
    app::CommandError,
    graphql::{
        context::ContextExt,
        error::ApiResult,
        refusal::{Refusal, outcome},
    },
};

/// Runs a command, and retries it once if it lost a race for a lock: it has then written nothing.
pub(in crate::graphql) async fn run_with_retry<T, F>(command: impl Fn() -> F) -> Result<T, CommandError>
where
    F: Future<Output = Result<T, CommandError>>,
{
    match command().await {
        Err(CommandError::Store(error)) if error.is_conflict() => {
            tracing::warn!(error = error.chain(), "a command lost a race for a lock and is retried");
            command().await
        }
        other => other,
    }
}

/// Converts the result of a command into a payload.
pub(in crate::graphql) fn payload<T, P>(
    ctx: &Context<'_>,
    result: Result<T, CommandError>,
    make: impl FnOnce(Option<T>, Option<Refusal>) -> P,
) -> ApiResult<P> {
    let (done, refusal) = outcome(result, ctx.language())?;
    Ok(make(done, refusal))
}
