//! The mutation root, and the helpers of its resolvers.

use async_graphql::{Context, MergedObject};

use crate::{
    app::CommandError,
    graphql::{
        context::ContextExt,
        error::ApiResult,
        meetings::MeetingMutation,
        questions::QuestionMutation,
        refusal::{Refusal, outcome},
    },
};

/// Every mutation takes one `input` and returns a payload with either the object or a refusal.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct Mutation(MeetingMutation, QuestionMutation);

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
