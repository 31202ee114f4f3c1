//! The layout that all pages share, and a page with only a message.

use std::sync::LazyLock;

use askama::Template;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use crate::publications::PageLanguage;

/// The style of all pages, which each page contains, so that it looks and prints the same when it is saved.
const STYLE: &str = include_str!("../../templates/page.css");

/// A page or a file cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template failed.
    #[error("a page cannot be rendered")]
    Page(#[from] askama::Error),
    /// A line of a CSV file cannot be written.
    #[error("a CSV file cannot be written")]
    Csv(#[from] csv::Error),
    /// A JSON file cannot be written.
    #[error("a JSON file cannot be written")]
    Json(#[from] serde_json::Error),
    /// The end of a file cannot be written.
    #[error("a file cannot be finished")]
    Unfinished,
}

/// Returns the content security policy of pages: nothing but their own style, which is named by its hash.
#[must_use]
pub fn content_security_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let style = STANDARD.encode(Sha256::digest(STYLE));
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    });
    &POLICY
}

/// The address of a page in any language.
#[derive(Clone, Debug)]
pub struct PageAddress {
    url: String,
    /// Parameters beside the language, in the form of a query.
    query: Option<String>,
}

impl PageAddress {
    /// The address of a page that everybody may open.
    #[must_use]
    pub const fn public(url: String) -> Self {
        Self { url, query: None }
    }

    /// The address of a page that opens with a parameter only, whose value needs no escaping.
    #[must_use]
    pub fn with(url: String, parameter: &str, value: &str) -> Self {
        Self { url, query: Some(format!("{parameter}={value}")) }
    }

    /// Returns the address of the page, or of the file beside it with this ending, in a language.
    fn link(&self, ending: &str, language: PageLanguage) -> String {
        let more = self.query.as_ref().map(|query| format!("&{query}")).unwrap_or_default();
        format!("{}{ending}?lang={}{more}", self.url, language.code())
    }
}

/// What the layout of a page shows.
#[derive(Clone, Debug)]
pub struct Page {
    /// The language.
    pub language: PageLanguage,
    /// The title, also of the window.
    pub title: String,
    address: PageAddress,
    pub(in crate::publications) feed: Option<String>,
}

impl Page {
    /// Creates the frame of a page.
    #[must_use]
    pub const fn new(language: PageLanguage, title: String, address: PageAddress) -> Self {
        Self { language, title, address, feed: None }
    }

    /// Links the Atom feed that announces new pages.
    #[must_use]
    pub fn with_feed(self, url: String) -> Self {
        Self { feed: Some(url), ..self }
    }

    /// Returns a text of the pages.
    #[must_use]
    pub fn text(&self, key: &str) -> String {
        self.language.text(key)
    }

    /// Returns a text of the pages with an argument called `value`.
    #[must_use]
    pub fn text_with(&self, key: &str, value: &str) -> String {
        self.language.text_with(key, value)
    }

    /// Returns the address of a file beside the page, by its ending, such as `.csv`.
    #[must_use]
    pub fn file(&self, ending: &str) -> String {
        self.address.link(ending, self.language)
    }

    /// Returns the languages of the page with its addresses, and whether it is in that language.
    pub(in crate::publications) fn languages(&self) -> [(PageLanguage, String, bool); 2] {
        PageLanguage::ALL.map(|language| (language, self.address.link("", language), language == self.language))
    }

    /// Whether search engines may list the page.
    pub(in crate::publications) const fn is_listed(&self) -> bool {
        self.address.query.is_none()
    }

    pub(in crate::publications) const fn style(&self) -> &'static str {
        STYLE
    }
}

/// A page with only a message, for example that there is nothing under the address.
#[derive(Template)]
#[template(path = "message.html")]
pub struct MessagePage<'a> {
    /// The frame; its title is the message in short.
    pub page: &'a Page,
    /// The message.
    pub message: &'a str,
}

impl MessagePage<'_> {
    /// Renders the page as HTML.
    ///
    /// # Errors
    /// When a template fails.
    pub fn html(&self) -> Result<String, RenderError> {
        Ok(self.render()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(language: PageLanguage, address: PageAddress, message: &str) -> String {
        let page = Page::new(language, "<Title> & \"more\"".to_owned(), address);
        MessagePage { page: &page, message }.html().unwrap()
    }

    #[test]
    fn escapes_texts_and_names_the_language() {
        let address = || PageAddress::public("https://h/a".to_owned());
        let page = html(PageLanguage::Ru, address(), "<script>alert('1')</script>");
        assert!(
            page.contains("<html lang=\"ru\">") && !page.contains("<script") && !page.contains("<Title>"),
            "{page}"
        );
        assert!(page.contains("href=\"https://h/a?lang=kk\" lang=\"kk\" hreflang=\"kk\""), "{page}");
        assert!(!page.contains("noindex"));
        assert!(html(PageLanguage::Kk, address(), "").contains("<html lang=\"kk\">"));
    }

    #[test]
    fn links_keep_the_parameter_of_the_address_and_search_engines_do_not_list_it() {
        let page = html(PageLanguage::Kk, PageAddress::with("https://h/a".to_owned(), "ticket", "abc"), "");
        assert!(page.contains("https://h/a?lang=ru&#38;ticket=abc"), "{page}");
        assert!(page.contains("<meta name=\"robots\" content=\"noindex\">"));
    }

    #[test]
    fn the_policy_allows_exactly_the_style_of_the_page() {
        let page = html(PageLanguage::Kk, PageAddress::public(String::new()), "");
        let style = page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap();
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(content_security_policy().contains(&format!("style-src 'sha256-{hash}';")));
        assert_eq!(page.matches("<style").count(), 1);
        assert!(!page.contains(" style=") && !style.contains("url(") && !style.contains("@import"));
    }
}
