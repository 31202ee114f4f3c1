//! Atom feeds of units and bodies.

use std::sync::Arc;

use axum::{
    extract::{Path, RawQuery, Request, State},
    http::request::Parts,
    response::Response,
};
use entities::publication;

use crate::{
    app::publications::FeedOf,
    domain::{
        global_id::{PUBLICATION, typed_id},
        localized_name::LocalizedName,
        publications::Texts,
    },
    http::{
        HttpState,
        cache_control::TaggedBody,
        client_ip::ClientIp,
        page_response::page_language,
        publications::{
            admission::{admit, client, log},
            refused::Refused,
        },
    },
    publications::{FeedAbout, FeedEntry, FeedPage, PageLanguage},
};

/// What the addresses of feeds end with.
const ATOM: &str = ".atom";
const CONTENT_TYPE: &str = "application/atom+xml; charset=utf-8";

/// Returns the address of the feed that announces an edition, or `None` if there is none.
pub(super) fn feed_url(base: &str, row: &publication::Model) -> Option<String> {
    match (&row.agency, &row.region_code) {
        (Some(agency), _) => Some(format!("{base}/feeds/agencies/{agency}{ATOM}")),
        (None, Some(region)) => Some(format!("{base}/feeds/units/{region}{ATOM}")),
        (None, None) => None,
    }
}

/// Serves the feed of a unit and all below it.
pub(in crate::http) async fn unit_feed(
    State(state): State<Arc<HttpState>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let code = name.strip_suffix(ATOM).and_then(|code| code.parse().ok());
    serve(&state, code.map(FeedOf::Unit), query.as_deref(), request).await
}

/// Serves the feed of a body.
pub(in crate::http) async fn agency_feed(
    State(state): State<Arc<HttpState>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let code = name.strip_suffix(ATOM).map(str::to_owned);
    serve(&state, code.map(FeedOf::Agency), query.as_deref(), request).await
}

async fn serve(state: &Arc<HttpState>, of: Option<FeedOf>, query: Option<&str>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let (started, language) = (state.clock.now(), page_language(query, &parts.headers));
    let answer = answer(state, of, language, &parts).await;
    let code = answer.as_ref().err().map_or("OK", |refused| refused.code);
    log(state, "publication_feed", code, started);
    answer.unwrap_or_else(|refused| refused.as_page(language))
}

async fn answer(
    state: &Arc<HttpState>,
    of: Option<FeedOf>,
    language: PageLanguage,
    parts: &Parts,
) -> Result<Response, Refused> {
    let of = of.ok_or_else(Refused::missing)?;
    // Only feeds of known units and bodies are kept.
    let name = state.pages.publications.name(&of).ok_or_else(Refused::missing)?;
    let key = format!("feed?{}&{of:?}", language.code());
    let started = state.clock.now();
    if let Some(kept) = state.pages.cache.find(&key, started) {
        return Ok(kept.body.short_lived(kept.age(started).unwrap_or_default(), CONTENT_TYPE, &parts.headers));
    }
    let rendered = rendered(state, (&of, &name), language, client(parts));
    let feed = state.pages.cache.render(&key, state.clock.as_ref(), rendered).await?;
    let age = feed.age(state.clock.now()).unwrap_or_default();
    Ok(feed.body.short_lived(age, CONTENT_TYPE, &parts.headers))
}

async fn rendered(
    state: &Arc<HttpState>,
    (of, name): (&FeedOf, &LocalizedName),
    language: PageLanguage,
    client: ClientIp,
) -> Result<TaggedBody, Refused> {
    let _permit = admit(state, client).await?;
    let rows = state.pages.publications.newest_of(of).await.map_err(|error| Refused::of(state, &error))?;
    let base = state.pages.publications.link_base();
    let (key, url) = match of {
        FeedOf::Unit(code) => (format!("unit {code}"), format!("{base}/feeds/units/{code}{ATOM}")),
        FeedOf::Agency(code) => (format!("agency {code}"), format!("{base}/feeds/agencies/{code}{ATOM}")),
    };
    let about = FeedAbout { key, name: name.in_language(language.into()).to_owned(), url };
    let entries: Vec<_> = rows.into_iter().map(|row| entry(base, row)).collect();
    let xml = FeedPage { language, about: &about, entries: &entries }.xml();
    let xml = xml.map_err(|error| {
        tracing::error!(%error, "a feed cannot be rendered");
        Refused::failed()
    })?;
    Ok(TaggedBody::new(state.engine.memory().hold(xml.into_bytes())))
}

fn entry(base: &str, row: publication::Model) -> FeedEntry {
    let page_url = format!("{base}/publications/{}", typed_id(PUBLICATION, row.id.0));
    FeedEntry {
        id: row.id.0,
        title: Texts { kk: row.title_kk, ru: row.title_ru, en: row.title_en },
        edition: row.edition,
        published_at: row.published_at,
        json_url: format!("{page_url}.json"),
        page_url,
    }
}
