//! What can be done. Every act gives its object or a refusal, exactly one of the two.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use crate::{
    case::{Case, CaseState, KatoCode},
    graphql::{
        case::CaseObject,
        context::Scene,
        error::{ApiError, ApiResult},
    },
    register::{ActError, MoveCase, OpenCase, Refused},
};

/// A case to be opened.
#[derive(InputObject)]
pub(in crate::graphql) struct OpenCaseInput {
    /// The unit it is about.
    region_code: KatoCode,
    /// The question it is about. A question has one case at most.
    comment_id: Option<ID>,
    /// The issue it is about; not together with `commentId`. An issue has one case at most.
    issue_id: Option<ID>,
    /// What it is about: one line of at most 200 characters.
    title: String,
    /// A UUID made once for each case. The same key with the same input gives the first result again.
    idempotency_key: String,
}

/// A case to be moved.
#[derive(InputObject)]
pub(in crate::graphql) struct MoveCaseInput {
    /// The case.
    case_id: ID,
    /// Where to. A closed case may be taken up again; none becomes OPEN again.
    state: CaseState,
    /// What the staff is to know, at most 2,000 characters; null leaves what is noted, an empty text takes it away.
    note: Option<String>,
}

/// Why an act on a case was refused. A code never changes its meaning.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graphql) enum CaseRefusalCode {
    /// A part of the input breaks a rule: `field` names it.
    Invalid,
    /// There is no such case: `field` names the part of the input.
    NotFound,
    /// The idempotency key was used before with another input.
    KeyReused,
    /// There is a case about this question or issue already: ask the question or the issue for it.
    AlreadyOpen,
    /// The case cannot come into this state from the one it is in.
    WrongState,
}

/// Why an act on a case was refused. Nothing was written.
#[derive(SimpleObject)]
pub(in crate::graphql) struct CaseRefusal {
    /// The reason, for programs.
    code: CaseRefusalCode,
    /// The reason in English, for those who build a client.
    message: String,
    /// Which part of the input it is about.
    field: Option<String>,
}

impl From<Refused> for CaseRefusal {
    fn from(refused: Refused) -> Self {
        let (code, field) = match refused {
            Refused::Invalid(field) => (CaseRefusalCode::Invalid, Some(field)),
            Refused::NotFound(field) => (CaseRefusalCode::NotFound, Some(field)),
            Refused::TwoTopics => (CaseRefusalCode::Invalid, Some("issueId")),
            Refused::KeyReused => (CaseRefusalCode::KeyReused, Some("idempotencyKey")),
            Refused::AlreadyOpen(field) => (CaseRefusalCode::AlreadyOpen, Some(field)),
            Refused::WrongState { .. } => (CaseRefusalCode::WrongState, Some("state")),
        };
        Self { code, message: refused.to_string(), field: field.map(str::to_owned) }
    }
}

/// A case, or a refusal.
#[derive(SimpleObject)]
pub(in crate::graphql) struct CasePayload {
    /// The case.
    case: Option<CaseObject>,
    /// Why nothing was written.
    refusal: Option<CaseRefusal>,
}

fn payload(result: Result<Case, ActError>) -> ApiResult<CasePayload> {
    match result {
        Ok(case) => Ok(CasePayload { case: Some(CaseObject(case)), refusal: None }),
        Err(ActError::Refused(refused)) => Ok(CasePayload { case: None, refusal: Some(refused.into()) }),
        Err(ActError::Unauthenticated) => Err(ApiError::Unauthenticated),
        Err(ActError::Forbidden) => Err(ApiError::Forbidden),
        Err(ActError::Store(error)) => Err(error.into()),
    }
}

/// The root of everything that is done.
pub(in crate::graphql) struct Mutation;

/// Everything that can be done.
#[Object]
impl Mutation {
    /// Opens a case; for the agency's staff.
    #[graphql(tag = "internal")]
    async fn open_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The case.")] input: OpenCaseInput,
    ) -> ApiResult<CasePayload> {
        let OpenCaseInput { region_code: region, comment_id, issue_id, title, idempotency_key: key } = input;
        let (comment, issue) = (comment_id.map(|id| id.0), issue_id.map(|id| id.0));
        let wish = OpenCase { region, comment, issue, title, key };
        payload(ctx.register().open(ctx.viewer(), wish).await)
    }

    /// Brings a case into another state; for the agency's staff.
    #[graphql(tag = "internal")]
    async fn move_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The move.")] input: MoveCaseInput,
    ) -> ApiResult<CasePayload> {
        let wish = MoveCase { id: input.case_id.0, to: input.state, note: input.note };
        payload(ctx.register().move_case(ctx.viewer(), wish).await)
    }
}
