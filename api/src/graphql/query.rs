//! The query fields and the resolvers of federation entities.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use crate::{
    clock::almaty_date,
    domain::regions::UnitFilter,
    graphql::{
        agencies::{Agency, IssueCategory, agencies_cost, issue_categories, list_agencies},
        audit::{AuditEntryConnection, AuditFilterInput, list_audit_log},
        context::ContextExt,
        entity::{Entity as _, find, parse_id},
        enums::{AgencyKind, RegionKind},
        error::{ApiError, ApiResult},
        issues::{
            Issue, IssueConnection, IssueFilterInput, PublicRequest, PublicRequestConnection, RequestFilterInput,
            list_issues, list_requests,
        },
        meetings::{Broadcast, Meeting, MeetingConnection, MeetingFilterInput, list_meetings},
        node::Node,
        page::{PageArgs, connection_cost, page_cost, region_search_cost},
        publications::{
            Publication, PublicationConnection, PublicationDraft, PublicationDraftInput, PublicationFilterInput,
            draft_publication, list_publications,
        },
        questions::Comment,
        receptions::{Reception, Registration},
        regions::{Region, RegionConnection, dedup_kinds, list_regions},
        scalars::{Date, KatoCode},
        viewer::Viewer,
        webhooks::{Webhook, list_webhooks},
    },
};

/// Maximum number of ids per look-up.
const MAX_NODES: usize = 100;
/// How many categories of issues there are, about.
const CATEGORIES: usize = 30;
/// The number of webhooks by which their list is priced. Few owners have more, and statements are limited too.
const PRICED_WEBHOOKS: i32 = 5;

/// Queries.
pub struct Query;

/// Queries.
#[Object]
impl Query {
    /// The object with this id; null if it does not exist or the viewer may not see it.
    #[graphql(tag = "public")]
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The global id.")] id: ID) -> ApiResult<Option<Node>> {
        Node::load(ctx, &id).await
    }

    /// The objects with these ids, in the same order; null for one that does not exist or that the viewer may
    /// not see.
    #[graphql(tag = "public", complexity = "ids.len().saturating_mul(child_complexity).saturating_add(1)")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global ids, at most 100.")] ids: Vec<ID>,
    ) -> ApiResult<Vec<Option<Node>>> {
        if ids.len() > MAX_NODES {
            return Err(ApiError::bad("ids"));
        }
        futures_util::future::try_join_all(ids.iter().map(|id| Node::load(ctx, id))).await
    }

    /// The caller; null if anonymous.
    #[graphql(tag = "public")]
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        ctx.viewer().person().cloned().map(Viewer)
    }

    /// The unit with this code: its current version, or the last one if it no longer exists.
    #[graphql(tag = "public")]
    async fn region(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Classifier code, nine digits.")] code: KatoCode,
    ) -> Option<Region> {
        Region::current(ctx, code.0)
    }

    /// Units of the classifier, in its order: each unit before its children.
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
            desc = "Only units whose names contain words that start with these, in Kazakh or Russian; Kazakh letters may be \
                    typed as Russian ones. At most 20 words and 200 code points. A search of symbols only is matched exactly."
        )]
        search: Option<String>,
        #[graphql(desc = "Only units with an akim, or only those without.")] has_akim: Option<bool>,
        #[graphql(desc = "Units as of this date.")] as_of: Option<Date>,
        #[graphql(desc = "Number of items from the start, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
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

    /// The meeting with this id.
    #[graphql(tag = "public")]
    async fn meeting(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id.")] id: ID,
    ) -> ApiResult<Option<Meeting>> {
        Meeting::load(ctx, parse_id::<Meeting>(&id, "id")?).await
    }

    /// Meetings by planned start, earliest first.
    #[graphql(
        tag = "public",
        complexity = "connection_cost(first, last, child_complexity).saturating_add(MeetingFilterInput::cost(&filter))"
    )]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn meetings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter.")] filter: Option<MeetingFilterInput>,
        #[graphql(desc = "Number of items from the start, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> ApiResult<MeetingConnection> {
        let filter = filter.unwrap_or_default().parse()?;
        list_meetings(ctx, filter, PageArgs { first, after, last, before }).await
    }

    /// The reception with this id; null for a draft unless the viewer is staff of it.
    #[graphql(tag = "public")]
    async fn reception(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id.")] id: ID,
    ) -> ApiResult<Option<Reception>> {
        Reception::load(ctx, parse_id::<Reception>(&id, "id")?).await
    }

    /// The registration with this id; null unless it is the viewer's own or the viewer is staff of the reception.
    #[graphql(tag = "public")]
    async fn registration(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global id.")] id: ID,
    ) -> ApiResult<Option<Registration>> {
        Registration::load(ctx, parse_id::<Registration>(&id, "id")?).await
    }

    /// The agency with this code, whether it still exists or not.
    #[graphql(tag = "public")]
    async fn agency(&self, ctx: &Context<'_>, #[graphql(desc = "The code.")] code: String) -> Option<Agency> {
        Agency::by_code(ctx, &code)
    }

    /// The agencies that exist today, by kind and then by code.
    #[graphql(tag = "public", complexity = "agencies_cost(kinds.as_deref(), child_complexity)")]
    async fn agencies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only agencies of these kinds.")] kinds: Option<Vec<AgencyKind>>,
    ) -> Vec<Agency> {
        list_agencies(ctx, kinds)
    }

    /// The categories of issues, in the order in which they are offered.
    #[graphql(tag = "public", complexity = "CATEGORIES.saturating_mul(child_complexity).saturating_add(1)")]
    async fn issue_categories(&self, ctx: &Context<'_>) -> Vec<IssueCategory> {
        issue_categories(ctx)
    }

    /// Entries of the audit log, newest first. ADMIN and ADMINISTRATION see all, AKIMAT and MODERATOR those of hosts in
    /// their scope; nobody else sees any.
    #[graphql(tag = "internal", complexity = "connection_cost(first, None, child_complexity)")]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter; an empty one selects all entries.")] filter: AuditFilterInput,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<AuditEntryConnection> {
        list_audit_log(ctx, filter.parse()?, PageArgs::forward(first, after)).await
    }

    /// The issue with this id.
    #[graphql(tag = "public")]
    async fn issue(&self, ctx: &Context<'_>, #[graphql(desc = "The global id.")] id: ID) -> ApiResult<Option<Issue>> {
        Issue::load(ctx, parse_id::<Issue>(&id, "id")?).await
    }

    /// The issue with this number. An issue that was merged keeps its number: see `mergedInto`.
    #[graphql(tag = "public")]
    async fn issue_by_number(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number, for example `ALM-2026-000123`; in any case, and with or without the zeros.")]
        number: String,
    ) -> ApiResult<Option<Issue>> {
        Issue::by_number(ctx, &number).await
    }

    /// Issues, newest first unless the filter says otherwise. Everybody sees them; who raised them, and descriptions that are
    /// not released, are for staff.
    #[graphql(
        tag = "public",
        complexity = "connection_cost(first, last, child_complexity).saturating_add(IssueFilterInput::cost(&filter))"
    )]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn issues(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter.")] filter: Option<IssueFilterInput>,
        #[graphql(desc = "Number of items from the start, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Number of items from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> ApiResult<IssueConnection> {
        let filter = filter.unwrap_or_default().parse(ctx)?;
        list_issues(ctx, filter, PageArgs { first, after, last, before }).await
    }

    /// Requests that were sent in before meetings, oldest first. AKIMAT and MODERATOR see those of their units, GOVERNMENT,
    /// ADMINISTRATION and ADMIN all; nobody else sees any.
    #[graphql(
        tag = "internal",
        complexity = "connection_cost(first, None, child_complexity).saturating_add(RequestFilterInput::cost(&filter))"
    )]
    async fn public_requests(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter.")] filter: Option<RequestFilterInput>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<PublicRequestConnection> {
        list_requests(ctx, filter.unwrap_or_default().parse()?, PageArgs::forward(first, after)).await
    }

    #[graphql(entity)]
    async fn issue_entity_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Issue>> {
        find(ctx, &id).await
    }

    #[graphql(entity)]
    async fn issue_entity_by_number(&self, ctx: &Context<'_>, number: String) -> ApiResult<Option<Issue>> {
        Issue::by_number(ctx, &number).await
    }

    #[graphql(entity)]
    async fn public_request_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<PublicRequest>> {
        find(ctx, &id).await
    }

    /// Publications, newest first: every edition, for everybody.
    #[graphql(tag = "public", complexity = "connection_cost(first, None, child_complexity)")]
    async fn publications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter.")] filter: Option<PublicationFilterInput>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<PublicationConnection> {
        list_publications(ctx, filter.unwrap_or_default().parse()?, PageArgs::forward(first, after)).await
    }

    /// What `publish` would publish, and what is missing. For those who may publish it: akimat staff, agencies and the Government, by kind.
    #[graphql(tag = "internal")]
    async fn publication_draft(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to publish.")] input: PublicationDraftInput,
    ) -> ApiResult<PublicationDraft> {
        draft_publication(ctx, input.parse()?).await
    }

    #[graphql(entity)]
    async fn publication_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Publication>> {
        find(ctx, &id).await
    }

    /// The webhooks of the viewer's agencies and of akimats in the viewer's units, oldest first; all for ADMIN.
    #[graphql(tag = "internal", complexity = "connection_cost(Some(PRICED_WEBHOOKS), None, child_complexity)")]
    async fn webhooks(&self, ctx: &Context<'_>) -> ApiResult<Vec<Webhook>> {
        list_webhooks(ctx).await
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
    async fn reception_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Reception>> {
        find(ctx, &id).await
    }

    #[graphql(entity)]
    async fn registration_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Registration>> {
        find(ctx, &id).await
    }

    #[graphql(entity)]
    async fn agency_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Agency>> {
        find(ctx, &id).await
    }

    #[graphql(entity)]
    async fn agency_by_code(&self, ctx: &Context<'_>, code: String) -> Option<Agency> {
        Agency::by_code(ctx, &code)
    }

    #[graphql(entity)]
    async fn broadcast_by_id(&self, ctx: &Context<'_>, id: ID) -> ApiResult<Option<Broadcast>> {
        find(ctx, &id).await
    }
}
