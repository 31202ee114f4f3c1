//! The root of all mutations, and what they share.

use async_graphql::{Context, MergedObject};

use crate::{
    app::CommandError,
    graphql::{
        context::Scene,
        error::ApiResult,
        meetings::MeetingMutation,
        questions::QuestionMutation,
        refusal::{Refusal, outcome},
    },
};

/// Every mutation takes one `input` and gives a payload with the object or a refusal: exactly one of the two.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct Mutation(MeetingMutation, QuestionMutation);

/// Runs a command, and once more where it lost a race for a lock: then it has written nothing.
pub(in crate::graphql) async fn run<T, F>(command: impl Fn() -> F) -> Result<T, CommandError>
where
    F: Future<Output = Result<T, CommandError>>,
{
    match command().await {
        Err(CommandError::Store(error)) if error.is_conflict() => {
            tracing::warn!(error = error.chain(), "a command lost a race for a lock, and is run once more");
            command().await
        }
        other => other,
    }
}

/// Turns the outcome of an act into a payload.
pub(in crate::graphql) fn payload<T, P>(
    ctx: &Context<'_>,
    result: Result<T, CommandError>,
    make: impl FnOnce(Option<T>, Option<Refusal>) -> P,
) -> ApiResult<P> {
    let (done, refusal) = outcome(result, ctx.language())?;
    Ok(make(done, refusal))
}
