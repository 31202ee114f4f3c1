//! The fields of a unit of the classifier, and lists of units. They are served from the tree in memory.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use entities::kato;

use crate::{
    app::reads::PageSlice,
    connection,
    domain::regions::{Tree, UnitFilter, UnitNode, UnitPageRequest},
    graphql::{
        context::ContextExt,
        entity::Entity as _,
        enums::{Language, LocalityKind, RegionKind},
        error::{ApiError, ApiResult},
        issues::{IssueConnection, IssueFilterInput, list_issues},
        localized::LocalizedText,
        meetings::{MeetingConnection, MeetingFilterInput, list_meetings},
        page::{Cursor, Page, PageArgs, connection_cost, dedup, page_cost, parse_search},
        regions::entity::Region,
        scalars::{Date, KatoCode},
    },
};

connection!(RegionConnection, RegionEdge, Region, KnownCount, "units", 10);

/// A known count.
#[derive(Clone, Copy)]
pub struct KnownCount(pub usize);

impl KnownCount {
    /// Returns the count.
    ///
    /// # Errors
    /// Never.
    #[expect(clippy::unused_async, reason = "counters of other lists ask the database")]
    pub async fn count(&self, _: &Context<'_>) -> ApiResult<i32> {
        Ok(i32::try_from(self.0).unwrap_or(i32::MAX))
    }
}

impl Cursor for kato::KatoCode {
    fn write(&self) -> String {
        self.as_str().to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Returns a page of the units that a filter selects.
///
/// # Errors
/// `BAD_USER_INPUT` if the page arguments are invalid, or the search has too many terms.
pub async fn list_regions(
    ctx: &Context<'_>,
    tree: &Arc<Tree>,
    selection: &UnitFilter<'_>,
    page: PageArgs,
) -> ApiResult<RegionConnection> {
    parse_search(selection.search, "search")?;
    let request = page.request::<kato::KatoCode>()?;
    let page_request = UnitPageRequest {
        after: request.after,
        before: request.before,
        limit: request.limit,
        backward: request.backward,
    };
    let slice = ctx.meter().run_cpu_work(|| tree.page(selection, page_request)).await;
    let rows: Vec<_> = slice.nodes.into_iter().filter_map(|node| Region::at(Arc::clone(tree), node)).collect();
    let rows = PageSlice { rows, has_next: slice.has_next, has_previous: slice.has_previous };
    Ok(RegionConnection::new(Page::new(rows, |region| region.unit.code, |region| region), KnownCount(slice.total)))
}

/// Converts kinds and removes duplicates.
#[must_use]
pub fn dedup_kinds(kinds: Option<Vec<RegionKind>>) -> Option<Vec<entities::enums::RegionKind>> {
    kinds.map(dedup)
}

impl Region {
    /// Returns the unit to which a filter narrows a list of this unit. Units that do not nest have nothing in common.
    fn narrowed(&self, requested: Option<kato::KatoCode>) -> ApiResult<kato::KatoCode> {
        let own = self.unit.code;
        match requested {
            None => Ok(own),
            Some(requested) if own.contains(requested) => Ok(requested),
            Some(requested) if requested.contains(own) => Ok(own),
            Some(_) => Err(ApiError::bad("filter.region")),
        }
    }

    /// Returns the name in a language.
    #[must_use]
    pub fn name_in(&self, language: entities::enums::Language) -> String {
        self.unit.name(language).to_owned()
    }

    fn at_nodes(&self, nodes: impl IntoIterator<Item = UnitNode>) -> Vec<Self> {
        nodes.into_iter().filter_map(|node| Self::at(Arc::clone(&self.tree), node)).collect()
    }
}

/// A unit of the classifier of administrative-territorial objects (КАТО).
#[Object]
impl Region {
    /// Global id: `region_` and the code.
    pub async fn id(&self) -> ID {
        Self::global_id(self.unit.code)
    }

    /// Classifier code.
    async fn code(&self) -> KatoCode {
        KatoCode(self.unit.code)
    }

    /// The kind of unit.
    async fn kind(&self) -> RegionKind {
        self.unit.kind.into()
    }

    /// The type of a locality. Only villages, settlements and towns count for coverage (p. 2.1).
    async fn locality_kind(&self) -> Option<LocalityKind> {
        self.unit.locality.map(Into::into)
    }

    /// Full name, for example "Абай ауданы", in the caller's language by default.
    async fn name(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Language of the name.")] language: Option<Language>,
    ) -> String {
        self.unit.name(language.map_or_else(|| ctx.language(), Into::into)).to_owned()
    }

    /// Full names in all languages.
    async fn names(&self) -> LocalizedText {
        LocalizedText { kk: self.unit.names.kk.clone(), ru: Some(self.unit.names.ru.clone()), en: None }
    }

    /// Whether the unit has an akim, who must hold meetings.
    async fn has_akim(&self) -> bool {
        self.unit.has_akim
    }

    /// The parent unit; null at the top level.
    async fn parent(&self) -> Option<Self> {
        Self::at(Arc::clone(&self.tree), self.tree.parent(self.node)?)
    }

    /// All units above this one, from the root down.
    #[graphql(complexity = "5 * child_complexity + 1")]
    async fn ancestors(&self) -> Vec<Self> {
        self.at_nodes(self.tree.ancestors(self.node))
    }

    /// The child units, in the classifier's order.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only units of these kinds.")] kinds: Option<Vec<RegionKind>>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<RegionConnection> {
        let kinds = dedup_kinds(kinds);
        let selection = UnitFilter { parent: Some(self.unit.code), kinds: kinds.as_deref(), ..UnitFilter::default() };
        list_regions(ctx, &self.tree, &selection, PageArgs::forward(first, after)).await
    }

    /// All units below this one, in the classifier's order: each unit before its children.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn descendants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only units of these kinds.")] kinds: Option<Vec<RegionKind>>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<RegionConnection> {
        let kinds = dedup_kinds(kinds);
        let selection = UnitFilter { within: Some(self.unit.code), kinds: kinds.as_deref(), ..UnitFilter::default() };
        list_regions(ctx, &self.tree, &selection, PageArgs::forward(first, after)).await
    }

    /// First day of this version of the unit; null if it is older than the first import.
    async fn valid_from(&self) -> Option<Date> {
        self.unit.valid_from.map(Date)
    }

    /// First day after this version of the unit; null if it is current.
    async fn valid_to(&self) -> Option<Date> {
        self.unit.valid_to.map(Date)
    }

    /// Meetings in the unit and below it, earliest first.
    #[graphql(
        complexity = "connection_cost(first, None, child_complexity).saturating_add(MeetingFilterInput::cost(&filter))"
    )]
    async fn meetings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter.")] filter: Option<MeetingFilterInput>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<MeetingConnection> {
        let mut filter = filter.unwrap_or_default().parse()?;
        filter.region = Some(self.narrowed(filter.region)?);
        list_meetings(ctx, filter, PageArgs::forward(first, after)).await
    }

    /// Issues about the unit and those below it, newest first unless the filter says otherwise.
    #[graphql(
        complexity = "connection_cost(first, None, child_complexity).saturating_add(IssueFilterInput::cost(&filter))"
    )]
    async fn issues(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The filter.")] filter: Option<IssueFilterInput>,
        #[graphql(desc = "Number of items, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> ApiResult<IssueConnection> {
        let mut filter = filter.unwrap_or_default().parse(ctx)?;
        filter.region = Some(self.narrowed(filter.region)?);
        list_issues(ctx, filter, PageArgs::forward(first, after)).await
    }
}
