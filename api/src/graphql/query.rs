//! The query fields and the resolvers of federation entities.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use crate::{
    clock::almaty_date,
    domain::regions::UnitFilter,
    graphql::{
        context::ContextExt,
        enums::RegionKind,
        error::{ApiError, ApiResult},
        meetings::{Broadcast, Meeting, MeetingConnection, MeetingFilterInput, list_meetings},
        node::{Entity as _, Node, find, parse_id},
        page::{PageArgs, connection_cost, page_cost, region_search_cost},
        questions::Comment,
        regions::{Region, RegionConnection, dedup_kinds, list_regions},
        scalars::{Date, KatoCode},
        viewer::Viewer,
    },
};

/// Maximum number of ids per look-up.
const MAX_NODES: usize = 100;

/// What can be read.
pub struct Query;

/// What can be read.
#[Object]
impl Query {
    /// The thing with this identity; null when there is none, or it is not for the viewer.
    #[graphql(tag = "public")]
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The identity.")] id: ID) -> ApiResult<Option<Node>> {
        Node::load(ctx, &id).await
    }

    /// The things with these identities, in their order; null in the place of one that is not there, or not for the viewer.
    #[graphql(tag = "public", complexity = "ids.len().saturating_mul(child_complexity).saturating_add(1)")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The identities, at most 100.")] ids: Vec<ID>,
    ) -> ApiResult<Vec<Option<Node>>> {
        if ids.len() > MAX_NODES {
            return Err(ApiError::bad("ids"));
        }
        futures_util::future::try_join_all(ids.iter().map(|id| Node::load(ctx, id))).await
    }

    /// Who is asking; null when anonymous.
    #[graphql(tag = "public")]
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        ctx.viewer().person().cloned().map(Viewer)
    }

    /// The unit with this code, as it is; one that has ended, as it last was.
    #[graphql(tag = "public")]
    async fn region(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Classifier code, nine digits.")] code: KatoCode,
    ) -> Option<Region> {
        Region::current(ctx, code.0)
    }

    /// Units of the classifier, in its order: each unit before those below it.
    #[graphql(
        tag = "public",
        complexity = "page_cost(first, last, child_complexity).saturating_add(region_search_cost(search.as_deref()))"
    )]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn regions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only units directly below this one.")] parent: Option<KatoCode>,
        #[graphql(desc = "Only units of these kinds.")] kinds: Option<Vec<RegionKind>>,
        #[graphql(
            desc = "Only units with names that begin with these words, in Kazakh or Russian; Kazakh letters may \
                          be typed as Russian ones. At most 20 words and 200 code points. Signs alone are looked for as they are."
        )]
        search: Option<String>,
        #[graphql(desc = "Only units with, or without, an akim.")] has_akim: Option<bool>,
        #[graphql(desc = "Units as they were on this date.")] as_of: Option<Date>,
        #[graphql(desc = "How many from the beginning, 1 to 100; 20 unless told.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> ApiResult<RegionConnection> {
        let app = ctx.app();
        let date = as_of.map_or_else(|| almaty_date(app.clock.now()), |date| date.0);
        let tree = Arc::clone(app.region_history.load().at(date));
        let kinds = dedup_kinds(kinds);
        let parent = parent.map(|code| code.0);
        let (kinds, search) = (kinds.as_deref(), search.as_deref());
        let selection = UnitFilter { parent, within: None, kinds, has_akim, search };
        list_regions(ctx, &tree, &selection, PageArgs { first, after, last, before }).await
    }

    /// The meeting with this identity.
    #[graphql(tag = "public")]
    async fn meeting(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The identity.")] id: ID,
    ) -> ApiResult<Option<Meeting>> {
        Meeting::load(ctx, parse_id::<Meeting>(&id, "id")?).await
    }

    /// Meetings, by their planned beginning, earliest first.
    #[graphql(
        tag = "public",
        complexity = "connection_cost(first, last, child_complexity).saturating_add(MeetingFilterInput::cost(&filter))"
    )]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn meetings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<MeetingFilterInput>,
        #[graphql(desc = "How many from the beginning, 1 to 100; 20 unless told.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only those before this cursor.")] before: Option<String>,
    ) -> ApiResult<MeetingConnection> {
        let filter = filter.unwrap_or_default().parse()?;
        list_meetings(ctx, filter, PageArgs { first, after, last, before }).await
    }

    #[graphql(entity)]
    async fn region_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Region>> {
        find(ctx, &id).await
    }

    #[graphql(entity)]
    async fn region_by_code(&self, ctx: &Context<'_>, code: KatoCode) -> Option<Region> {
        Region::current(ctx, code.0)
    }

    #[graphql(entity)]
    async fn meeting_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Meeting>> {
        find(ctx, &id).await
    }

    #[graphql(entity)]
    async fn comment_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Comment>> {
        find(ctx, &id).await
    }

    #[graphql(entity)]
    async fn broadcast_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Broadcast>> {
        find(ctx, &id).await
    }
}
