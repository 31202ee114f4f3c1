//! The fields of a publication.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entities::publication_placement;

use crate::{
    domain,
    graphql::{
        agencies::Agency,
        context::ContextExt,
        entity::Entity as _,
        enums::OutreachChannel,
        error::ApiResult,
        localized::LocalizedText,
        meetings::Meeting,
        page::STATEMENT_COST,
        period::Period,
        publications::{entity::Publication, enums::PublicationKind, loaders::PlacementsOf},
        regions::Region,
    },
};

/// The number of placements by which their list is priced.
const PRICED_PLACEMENTS: usize = 10;

/// Where something was placed.
#[derive(SimpleObject, Clone, Debug)]
pub struct Placement {
    /// The channel.
    pub channel: OutreachChannel,
    /// Address.
    pub url: Option<String>,
    /// Where it is, in words.
    pub text: Option<String>,
    /// When it was placed there.
    pub placed_at: DateTime<Utc>,
}

impl Placement {
    /// Returns a placement, or `None` if only a later version knows its channel.
    fn of(row: publication_placement::Model) -> Option<Self> {
        let channel: entities::enums::OutreachChannel = row.channel.parse().ok()?;
        Some(Self { channel: channel.into(), url: row.url, text: row.text, placed_at: row.placed_at })
    }
}

impl Publication {
    /// Returns the address of the page; that of the file with an ending.
    fn url(&self, ctx: &Context<'_>, ending: &str) -> String {
        format!("{}/publications/{}{ending}", ctx.app().public_url, Self::global_id(self.0.id).as_str())
    }
}

/// An edition of a publication. It never changes: what changes later is in the next edition.
#[Object]
impl Publication {
    /// Global id, opaque.
    pub async fn id(&self) -> ID {
        Self::global_id(self.0.id)
    }

    /// The kind.
    async fn kind(&self) -> PublicationKind {
        self.0.kind.into()
    }

    /// Title.
    async fn title(&self, ctx: &Context<'_>) -> ApiResult<LocalizedText> {
        LocalizedText { kk: self.0.title_kk.clone(), ru: self.0.title_ru.clone(), en: self.0.title_en.clone() }
            .metered(ctx)
    }

    /// The unit that it is about: of a meeting, where it was held.
    async fn region(&self, ctx: &Context<'_>) -> Option<Region> {
        Region::current(ctx, self.0.region_code.as_deref()?.parse().ok()?)
    }

    /// The body that it is about.
    async fn agency(&self, ctx: &Context<'_>) -> Option<Agency> {
        self.0.agency.as_deref().map(|code| Agency::by_stored_code(ctx, code))
    }

    /// The meeting that it is about.
    async fn meeting(&self, ctx: &Context<'_>) -> ApiResult<Option<Meeting>> {
        let Some(id) = self.0.meeting_id else { return Ok(None) };
        Ok(ctx.load(id).await?.map(Meeting))
    }

    /// The period that it is about.
    async fn period(&self) -> Option<Period> {
        let period: domain::period::Period = self.0.period.as_deref()?.parse().ok()?;
        Some(period.into())
    }

    /// Number of the edition, from 1.
    async fn edition(&self) -> i32 {
        self.0.edition
    }

    /// The edition before; null for the first.
    async fn supersedes(&self, ctx: &Context<'_>) -> ApiResult<Option<Self>> {
        let Some(id) = self.0.supersedes else { return Ok(None) };
        Self::load(ctx, id).await
    }

    /// When it was published.
    async fn published_at(&self) -> DateTime<Utc> {
        self.0.published_at
    }

    /// Address of the page, in Kazakh or Russian.
    async fn page_url(&self, ctx: &Context<'_>) -> String {
        self.url(ctx, "")
    }

    /// Address of the JSON, whose bytes never change. It names its schema.
    async fn json_url(&self, ctx: &Context<'_>) -> String {
        self.url(ctx, ".json")
    }

    /// SHA-256 of the bytes at `jsonUrl`, in hexadecimal digits.
    async fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// Where else it was placed, by time.
    #[graphql(complexity = "PRICED_PLACEMENTS.saturating_mul(child_complexity).saturating_add(STATEMENT_COST)")]
    async fn placements(&self, ctx: &Context<'_>) -> ApiResult<Vec<Placement>> {
        let rows = ctx.load(PlacementsOf(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().filter_map(Placement::of).collect())
    }
}
