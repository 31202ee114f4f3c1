//! Atom feeds of publications (RFC 4287).

use atom_syndication::{Content, Entry, Feed, FixedDateTime, Generator, Link, Person, Text};
use chrono::{DateTime, NaiveTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Builder;

use crate::{
    domain::{announcement::local, norms::DECREE_2022, publications::Texts},
    publications::{PageLanguage, RenderError},
};

/// What a feed is about.
#[derive(Clone, Debug)]
pub struct FeedAbout {
    /// What tells it from other feeds, and never changes, for example `unit 751110000`.
    pub key: String,
    /// Name of the unit or the body.
    pub name: String,
    /// Address of the feed.
    pub url: String,
}

/// An edition in a feed.
#[derive(Clone, Debug)]
pub struct FeedEntry {
    /// Id of the edition.
    pub id: uuid::Uuid,
    /// Title.
    pub title: Texts,
    /// Number of the edition.
    pub edition: i32,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Address of its page.
    pub page_url: String,
    /// Address of its JSON.
    pub json_url: String,
}

/// A feed of editions.
#[derive(Clone, Debug)]
pub struct FeedPage<'a> {
    /// The language.
    pub language: PageLanguage,
    /// What it is about.
    pub about: &'a FeedAbout,
    /// The newest editions.
    pub entries: &'a [FeedEntry],
}

impl FeedPage<'_> {
    /// Renders the feed as XML.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn xml(&self) -> Result<String, RenderError> {
        let digest: [u8; 32] = Sha256::digest(format!("kezdesu feed {}", self.about.key)).into();
        let id = digest.first_chunk().map(|bytes| Builder::from_custom_bytes(*bytes).into_uuid()).unwrap_or_default();
        let begun = DECREE_2022.valid_from.and_time(NaiveTime::MIN).and_utc();
        let author = Person { name: self.about.name.clone(), ..Person::default() };
        let feed = Feed {
            title: Text::plain(self.language.text_with("page-feed-title", &self.about.name)),
            id: format!("urn:uuid:{id}"),
            updated: shown(self.entries.iter().map(|entry| entry.published_at).max().unwrap_or(begun)),
            authors: vec![author],
            generator: Some(Generator { value: "Kezdesu".to_owned(), uri: None, version: None }),
            links: vec![link("self", &self.about.url, "application/atom+xml")],
            entries: self.entries.iter().map(|entry| self.entry(entry)).collect(),
            lang: Some(self.language.code().to_owned()),
            ..Feed::default()
        };
        let mut xml = Vec::new();
        feed.write_to(&mut xml).map_err(|_| RenderError::Unfinished)?;
        String::from_utf8(xml).map_err(|_| RenderError::Unfinished)
    }

    fn entry(&self, edition: &FeedEntry) -> Entry {
        let title = match self.language {
            PageLanguage::Kk => &edition.title.kk,
            PageLanguage::Ru => edition.title.ru.as_ref().unwrap_or(&edition.title.kk),
        };
        let number = self.language.text_with("page-feed-edition", &edition.edition.to_string());
        Entry {
            title: Text::plain(title.clone()),
            id: format!("urn:uuid:{}", edition.id),
            updated: shown(edition.published_at),
            published: Some(shown(edition.published_at)),
            links: vec![
                link("alternate", &edition.page_url, "text/html"),
                link("alternate", &edition.json_url, "application/json"),
            ],
            content: Some(Content { value: Some(number), content_type: Some("text".to_owned()), ..Content::default() }),
            ..Entry::default()
        }
    }
}

fn link(rel: &str, url: &str, kind: &str) -> Link {
    Link { href: url.to_owned(), rel: rel.to_owned(), mime_type: Some(kind.to_owned()), ..Link::default() }
}

fn shown(at: DateTime<Utc>) -> FixedDateTime {
    local(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_stay_and_texts_are_escaped() {
        let about = FeedAbout {
            key: "unit 751110000".to_owned(),
            name: "Алматы <&>".to_owned(),
            url: "https://h/feeds/units/751110000.atom".to_owned(),
        };
        let entry = FeedEntry {
            id: uuid::Uuid::from_u128(7),
            title: Texts { kk: "<script>".to_owned(), ru: None, en: None },
            edition: 2,
            published_at: "2026-03-02T04:00:00Z".parse().unwrap(),
            page_url: "https://h/publications/a".to_owned(),
            json_url: "https://h/publications/a.json".to_owned(),
        };
        let xml =
            |entries: &[FeedEntry]| FeedPage { language: PageLanguage::Ru, about: &about, entries }.xml().unwrap();
        let (empty, one) = (xml(&[]), xml(std::slice::from_ref(&entry)));
        let id = |xml: &str| xml.split("<id>").nth(1).unwrap().split("</id>").next().unwrap().to_owned();
        assert_eq!(id(&empty), id(&one));
        assert!(id(&one).starts_with("urn:uuid:"), "{one}");
        assert!(!one.contains("<script>") && one.contains("urn:uuid:00000000-0000-0000-0000-000000000007"), "{one}");
        assert!(one.contains("2026-03-02T09:00:00+05:00") && empty.contains("2022-03-03T"), "{one} {empty}");
        let read = one.parse::<Feed>().unwrap();
        assert_eq!(read.entries.len(), 1);
    }
}
