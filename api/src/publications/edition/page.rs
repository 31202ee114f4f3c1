//! The page of an edition.

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    domain::publications::{Document, FundingItem, IssueItem, NamedItem, Texts},
    publications::{Page, PageLanguage, RenderError, format::machine_time},
};

/// The most issues on a page. A longer edition has several pages.
const ISSUES_A_PAGE: usize = 200;

/// Returns how many pages an edition has.
#[must_use]
pub fn parts_of(document: &Document) -> usize {
    document.content.issues.len().div_ceil(ISSUES_A_PAGE).max(1)
}

/// The newest edition, where a page shows an older one.
#[derive(Clone, Debug)]
pub struct NewerEdition {
    /// Its number.
    pub edition: i32,
    /// Address of its page.
    pub url: String,
}

/// Where else an edition was placed.
#[derive(Clone, Debug)]
pub struct PlacementLine {
    /// Name of the channel in the API.
    pub channel: String,
    /// Address.
    pub url: Option<String>,
    /// Where it is, in words.
    pub text: Option<String>,
    /// When it was placed there.
    pub placed_at: DateTime<Utc>,
}

/// The page of an edition.
#[derive(Template)]
#[template(path = "edition.html")]
pub struct EditionPage<'a> {
    /// The frame; its title is that of the edition.
    pub page: &'a Page,
    /// What was published.
    pub document: &'a Document,
    /// SHA-256 of the published bytes.
    pub sha256: &'a str,
    /// The newest edition, unless it is this one.
    pub newer: Option<NewerEdition>,
    /// Where else it was placed.
    pub placements: &'a [PlacementLine],
    /// Address of the page of the edition before.
    pub supersedes: Option<String>,
    /// Address of the JSON.
    pub json_url: &'a str,
    /// Number of the page among those of the edition, from 1, with the addresses of all.
    pub part: usize,
    /// The addresses of all pages of the edition.
    pub part_urls: &'a [String],
}

impl EditionPage<'_> {
    /// Renders the page as HTML.
    ///
    /// # Errors
    /// When a template fails.
    pub fn html(&self) -> Result<String, RenderError> {
        Ok(self.render()?)
    }

    const fn language(&self) -> PageLanguage {
        self.page.language
    }

    /// Returns a text in the language of the page, or in Kazakh if there is none.
    fn of<'t>(&self, texts: &'t Texts) -> &'t str {
        match self.language() {
            PageLanguage::Kk => &texts.kk,
            PageLanguage::Ru => texts.ru.as_deref().unwrap_or(&texts.kk),
        }
    }

    fn name<'t>(&self, named: &'t NamedItem) -> &'t str {
        self.of(&named.name)
    }

    fn date(&self, day: &NaiveDate) -> String {
        self.language().date(*day)
    }

    fn date_time(&self, at: &DateTime<Utc>) -> String {
        self.language().date_time(*at)
    }

    fn day_of(&self, at: &DateTime<Utc>) -> String {
        self.language().date(crate::domain::announcement::date(*at))
    }

    fn machine_time(&self, at: &DateTime<Utc>) -> String {
        machine_time(*at)
    }

    fn issues(&self) -> &[IssueItem] {
        let start = self.part.saturating_sub(1).saturating_mul(ISSUES_A_PAGE);
        self.document.content.issues.chunks(ISSUES_A_PAGE).nth(start / ISSUES_A_PAGE).unwrap_or_default()
    }

    fn total(&self) -> String {
        let count = i64::try_from(self.document.content.issues.len()).unwrap_or(i64::MAX);
        self.page.text_with("page-edition-total", &self.language().number(count))
    }

    fn newest(&self, newer: &NewerEdition) -> String {
        self.page.text_with("page-edition-newest", &newer.edition.to_string())
    }

    fn edition(&self) -> String {
        self.document.edition.to_string()
    }

    /// Returns the pages of a long edition: number, address, and whether it is this one.
    fn parts(&self) -> Vec<(usize, &str, bool)> {
        let parts = self.part_urls.iter().zip(1..);
        parts.map(|(url, number)| (number, url.as_str(), number == self.part)).collect()
    }

    /// Returns the code of the language in which the texts of an issue are.
    fn code(&self, issue: &IssueItem) -> String {
        issue.language.to_ascii_lowercase()
    }

    fn state(&self, issue: &IssueItem) -> String {
        self.page.text(match issue.state.as_str() {
            "REGISTERED" => "page-issue-registered",
            "ASSIGNED" => "page-issue-assigned",
            "IN_PROGRESS" => "page-issue-in-progress",
            "RESOLVED" => "page-issue-resolved",
            "DECLINED" => "page-issue-declined",
            _ => "page-issue-unknown",
        })
    }

    /// Returns what the resolution of an issue is called.
    fn outcome(&self, issue: &IssueItem) -> String {
        self.page.text(if issue.state == "DECLINED" { "page-issue-reason" } else { "page-issue-resolution" })
    }

    /// Returns the decision about the money in words.
    fn funding(&self, funding: &FundingItem) -> String {
        let decision = self.page.text(match funding.decision.as_str() {
            "NOT_NEEDED" => "page-funding-not-needed",
            "FUNDED" => "page-funding-funded",
            "REFUSED" => "page-funding-refused",
            _ => "page-funding-pending",
        });
        let needed = funding.needed.parse::<i64>().ok().filter(|needed| *needed > 0);
        let needed = needed.map(|needed| self.page.text_with("page-funding-needed", &self.language().number(needed)));
        let session =
            funding.session.map(|day| self.page.text_with("page-funding-session", &self.language().date(day)));
        let parts = [Some(decision), needed, session, funding.source.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn reception_state(&self, state: &str) -> String {
        self.page.text(if state == "CANCELLED" { "page-reception-cancelled" } else { "page-reception-closed" })
    }

    fn channel(&self, placement: &PlacementLine) -> String {
        self.page.text(match placement.channel.as_str() {
            "PRESS" => "page-channel-press",
            "RADIO" => "page-channel-radio",
            "TELEVISION" => "page-channel-television",
            "OFFICIAL_SITE" => "page-channel-official-site",
            "EGOV_PORTAL" => "page-channel-egov-portal",
            "OPEN_DATA" => "page-channel-open-data",
            "SOCIAL_NETWORKS" => "page-channel-social-networks",
            "PUBLIC_PLACES" => "page-channel-public-places",
            _ => "page-channel-other",
        })
    }

    /// Returns the norm that asks for the publication.
    fn norm(&self) -> String {
        let norm = &self.document.content.norm;
        format!("{}, {}", self.of(&norm.act), self.page.text_with("page-edition-paragraph", &norm.paragraph))
    }
}
