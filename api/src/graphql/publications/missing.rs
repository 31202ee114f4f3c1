//! What is missing before something can be published.

use async_graphql::{Context, Object};
use entities::enums::Language;

use crate::{
    domain::publications::{self, MissingAbout},
    graphql::{
        context::ContextExt, error::ApiResult, issues::Issue, localized::local_time, period::Period, regions::Region,
    },
    text,
};

/// A part that is missing, so that something is refused.
#[derive(Clone, Debug)]
pub struct MissingPart(pub publications::MissingPart);

impl MissingPart {
    fn message_in(&self, language: Language) -> String {
        let key = match self.0.what {
            publications::Part::Responsible => "missing-responsible",
            publications::Part::Deadline => "missing-deadline",
            publications::Part::Plan => "missing-plan",
            publications::Part::Funding => "missing-funding",
            publications::Part::Reception => "missing-reception",
            publications::Part::Explanation => "missing-explanation",
        };
        let about = match &self.0.about {
            MissingAbout::Issue { number, .. } => number.clone(),
            MissingAbout::Reception { starts_at, .. } => local_time(*starts_at, language),
        };
        let period = self.0.period.map(|period| period.to_string()).unwrap_or_default();
        text::message(language, key, &[("about", about.into()), ("period", period.into())])
    }
}

/// A part that is missing, so that something is refused.
#[Object]
impl MissingPart {
    /// What is missing: RESPONSIBLE, DEADLINE, PLAN, FUNDING, RECEPTION, COVERAGE or EXPLANATION; others may follow. EXPLANATION of an issue is a
    /// report on the period, or an outcome.
    async fn what(&self) -> &'static str {
        self.0.what.as_str()
    }

    /// The issue that lacks it.
    async fn issue(&self, ctx: &Context<'_>) -> ApiResult<Option<Issue>> {
        match &self.0.about {
            MissingAbout::Issue { id, .. } => Ok(ctx.load(*id).await?.map(Issue)),
            MissingAbout::Reception { .. } => Ok(None),
        }
    }

    /// The unit whose akim has to add it, where it is not about an issue.
    async fn host(&self, ctx: &Context<'_>) -> Option<Region> {
        match &self.0.about {
            MissingAbout::Issue { .. } => None,
            MissingAbout::Reception { host, .. } => Region::current(ctx, host.parse().ok()?),
        }
    }

    /// The unit that it is about.
    async fn region(&self, ctx: &Context<'_>) -> Option<Region> {
        let (MissingAbout::Issue { region, .. } | MissingAbout::Reception { region, .. }) = &self.0.about;
        Region::current(ctx, region.parse().ok()?)
    }

    /// The period for which it is missing.
    async fn period(&self) -> Option<Period> {
        self.0.period.map(Into::into)
    }

    /// What is missing, in the caller's language.
    async fn message(&self, ctx: &Context<'_>) -> String {
        self.message_in(ctx.language())
    }
}
