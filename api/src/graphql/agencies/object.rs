//! The fields of an agency, and the list of agencies. They are served from memory.

use async_graphql::{Context, ID, Object};

use crate::{
    clock::almaty_date,
    domain::policy::{Action as _, Country, SeeDoubts},
    graphql::{
        agencies::entity::Agency,
        context::ContextExt,
        entity::Entity as _,
        enums::{AgencyKind, Language},
        error::{ApiError, ApiResult},
        issues::{IssueConnection, IssueFilterInput, list_issues},
        localized::LocalizedText,
        page::dedup,
        page::{PageArgs, connection_cost},
        regions::Region,
        scalars::Date,
    },
};

/// How many akimats there are, about.
const AKIMATS: usize = 300;
/// How many other agencies there are, about.
const OTHERS: usize = 100;

/// Returns the cost of a list of agencies.
#[must_use]
pub fn agencies_cost(kinds: Option<&[AgencyKind]>, child: usize) -> usize {
    let has_akimats = kinds.is_none_or(|kinds| kinds.contains(&AgencyKind::LocalExecutive));
    let items = if has_akimats { AKIMATS + OTHERS } else { OTHERS };
    items.saturating_mul(child.max(1)).saturating_add(1)
}

/// Returns the agencies that exist today, of these kinds.
#[must_use]
pub fn list_agencies(ctx: &Context<'_>, kinds: Option<Vec<AgencyKind>>) -> Vec<Agency> {
    let kinds: Option<Vec<AgencyKind>> = kinds.map(dedup);
    let app = ctx.app();
    let directory = app.agencies();
    let today = directory.valid_on(almaty_date(app.clock.now()));
    // By the kind as it is shown: one of a later version is shown as another.
    let wanted = today.filter(|agency| kinds.as_ref().is_none_or(|kinds| kinds.contains(&agency.kind.into())));
    wanted.cloned().map(Agency::new).collect()
}

/// A body to which issues are assigned: a ministry, another central body, a national holding or company, or an akimat.
#[Object]
impl Agency {
    /// Global id, opaque. It follows from the code.
    pub async fn id(&self) -> ID {
        Self::global_id(self.0.id())
    }

    /// Code, for example `min-finance` or `akimat-750000000`. A code never changes its meaning: a body that is reorganised gets
    /// a new one.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// Name, in the caller's language by default; in Kazakh if there is none in that language.
    async fn name(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Language of the name.")] language: Option<Language>,
    ) -> ApiResult<&str> {
        ctx.text(self.0.names.in_language(language.map_or_else(|| ctx.language(), Into::into)))
    }

    /// Names in all languages.
    async fn names(&self, ctx: &Context<'_>) -> ApiResult<LocalizedText> {
        LocalizedText::from(&self.0.names).metered(ctx)
    }

    /// The kind of body.
    async fn kind(&self) -> AgencyKind {
        self.0.kind.into()
    }

    /// The unit that the body is responsible for; null for the whole country.
    async fn region(&self, ctx: &Context<'_>) -> Option<Region> {
        Region::current(ctx, self.0.region?)
    }

    /// First day; null if it is older than the records.
    async fn valid_from(&self) -> Option<Date> {
        self.0.valid_from.map(Date)
    }

    /// First day on which the body is no more; null if no end is known.
    async fn valid_to(&self) -> Option<Date> {
        self.0.valid_to.map(Date)
    }

    /// What is uncertain about the names and dates. For ADMIN; null for everybody else.
    async fn doubt(&self, ctx: &Context<'_>) -> ApiResult<Option<&str>> {
        if !SeeDoubts::permits(ctx.viewer(), &Country) {
            return Ok(None);
        }
        self.0.doubt.as_deref().map(|doubt| ctx.text(doubt)).transpose()
    }

    /// Issues for which the body is responsible, newest first unless the filter says otherwise.
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
        if filter.agency.as_ref().is_some_and(|code| *code != self.0.code) {
            return Err(ApiError::bad("filter.agency"));
        }
        filter.agency = Some(self.0.code.clone());
        list_issues(ctx, filter, PageArgs::forward(first, after)).await
    }
}
