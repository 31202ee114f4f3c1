//! The issue and the request: their rows, and how they are loaded.

use std::sync::Arc;

use async_graphql::Context;
use entities::{
    ids::{IssueId, RequestId},
    issue, public_request,
};

use crate::{
    app::parse_code,
    domain::{
        global_id::{ISSUE, REQUEST},
        issues::parse_number,
        policy::{Action, IssueScope, SeeIssueInternals},
    },
    graphql::{
        context::ContextExt,
        entity::{Entity, UuidFormat},
        error::{ApiError, ApiResult},
        issues::loaders::ByNumber,
        regions::Region,
    },
};

/// A problem issue that a citizen raised (p. 3.5, 5).
#[derive(Clone)]
pub struct Issue(pub Arc<issue::Model>);

impl Issue {
    /// Returns the issue with this number, as people type it; `None` if it is no number.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn by_number(ctx: &Context<'_>, typed: &str) -> ApiResult<Option<Self>> {
        let Some(number) = parse_number(typed) else { return Ok(None) };
        Ok(ctx.load(ByNumber(number)).await?.map(Self))
    }

    /// Returns whether the viewer may do `A` with the issue.
    ///
    /// # Errors
    /// If the stored code is malformed.
    pub fn permits<A: for<'a> Action<On<'a> = IssueScope>>(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        Ok(ctx.app().may::<A>(ctx.viewer(), &self.0)?)
    }

    /// Returns whether the viewer sees the internals of the issue.
    ///
    /// # Errors
    /// If the stored code is malformed.
    pub fn shows_internals(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        self.permits::<SeeIssueInternals>(ctx)
    }
}

impl Entity for Issue {
    const PREFIX: &'static str = ISSUE;
    type Id = IssueId;
    type Format = UuidFormat;

    async fn load(ctx: &Context<'_>, id: IssueId) -> ApiResult<Option<Self>> {
        Ok(ctx.load(id).await?.map(Self))
    }
}

/// A request that was sent in before a meeting (p. 3.4). Created only from rows that the viewer may see.
#[derive(Clone)]
pub struct PublicRequest(pub Arc<public_request::Model>);

impl Entity for PublicRequest {
    const PREFIX: &'static str = REQUEST;
    type Id = RequestId;
    type Format = UuidFormat;

    async fn load(ctx: &Context<'_>, id: RequestId) -> ApiResult<Option<Self>> {
        Ok(ctx.load(id).await?.map(Self))
    }
}

/// Returns a unit by its stored code: its current version, or the last one if it no longer exists.
pub(super) fn unit(ctx: &Context<'_>, code: &str) -> ApiResult<Region> {
    Region::current(ctx, parse_code(code)?).ok_or(ApiError::NotFound)
}
