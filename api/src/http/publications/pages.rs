//! Answers requests for the page and the JSON of an edition.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::{Path, RawQuery, Request, State},
    http::HeaderMap,
    response::Response,
};
use entities::{ids::PublicationId, publication, publication_placement};

use crate::{
    domain::{
        global_id::{PUBLICATION, typed_id},
        publications::document_schema,
    },
    graphql::node::GlobalId,
    http::{
        HttpState,
        cache_control::TaggedBody,
        client_ip::ClientIp,
        page_response::{HTML, page_language, parameter, secured},
        publications::{
            admission::{admit, client, log},
            cache::CachedEdition,
            feeds::feed_url,
            refused::Refused,
        },
    },
    publications::{EditionPage, NewerEdition, Page, PageAddress, PageLanguage, PlacementLine, parts_of},
};

/// What the addresses of JSON end with.
const JSON: &str = ".json";

/// Serves an edition: the page, or with `.json` at the end the published bytes.
pub(in crate::http) async fn edition(
    State(state): State<Arc<HttpState>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let started = state.clock.now();
    let (parts, _) = request.into_parts();
    let language = page_language(query.as_deref(), &parts.headers);
    let (id, is_json) = name.strip_suffix(JSON).map_or((name.as_str(), false), |id| (id, true));
    let id = match GlobalId::parse(id) {
        Some(GlobalId::Publication(id)) => Some(id),
        _ => None,
    };
    let call = EditionCall { state: &state, headers: &parts.headers, client: client(&parts), language, query };
    let answer = match id {
        None => Err(Refused::missing()),
        Some(id) if is_json => json(&call, id).await,
        Some(id) => page(&call, id).await,
    };
    let code = answer.as_ref().err().map_or("OK", |refused| refused.code);
    log(&state, "publication", code, started);
    answer.unwrap_or_else(|refused| if is_json { refused.as_json(language) } else { refused.as_page(language) })
}

/// Answers up to this size are given from the cache without a charge, in bytes.
const FREE_BYTES: usize = 64 << 10;

/// Serves the JSON Schema of editions.
pub(in crate::http) async fn schema(request_headers: HeaderMap) -> Response {
    static SCHEMA: LazyLock<TaggedBody> =
        LazyLock::new(|| TaggedBody::new(document_schema().as_value().to_string().into()));
    SCHEMA.until_release("application/schema+json", &request_headers)
}

/// A request for an edition.
struct EditionCall<'a> {
    state: &'a Arc<HttpState>,
    headers: &'a HeaderMap,
    client: ClientIp,
    language: PageLanguage,
    query: Option<String>,
}

/// Answers with the published bytes.
async fn json(call: &EditionCall<'_>, id: PublicationId) -> Result<Response, Refused> {
    let edition = loaded(call, id).await?;
    let body = TaggedBody::of_digest(edition.bytes.clone(), &edition.row.sha256);
    Ok(body.immutable("application/json; charset=utf-8", call.headers))
}

/// Answers with the page.
async fn page(call: &EditionCall<'_>, id: PublicationId) -> Result<Response, Refused> {
    let (state, started) = (call.state, call.state.clock.now());
    let part = parameter(call.query.as_deref(), "part").map_or(Some(1), |part| part.parse::<u16>().ok());
    let part = part.map(usize::from).filter(|part| *part > 0).ok_or_else(Refused::missing)?;
    let key = format!("publication?{}&{part}&{}", call.language.code(), id.0.simple());
    let answer = |body: &TaggedBody, age| secured(body.short_lived(age, HTML, call.headers));
    if let Some(kept) = state.pages.cache.find(&key, started) {
        admit_large(call, kept.body.len()).await?;
        return Ok(answer(&kept.body, kept.age(started).unwrap_or_default()));
    }
    let page = state.pages.cache.render(&key, state.clock.as_ref(), rendered(call, id, part)).await?;
    Ok(answer(&page.body, page.age(state.clock.now()).unwrap_or_default()))
}

/// Charges for a large answer that is kept: it is compressed again for each who asks.
async fn admit_large(call: &EditionCall<'_>, bytes: usize) -> Result<(), Refused> {
    if bytes > FREE_BYTES {
        admit(call.state, call.client).await?;
    }
    Ok(())
}

async fn loaded(call: &EditionCall<'_>, id: PublicationId) -> Result<Arc<CachedEdition>, Refused> {
    if let Some(kept) = call.state.pages.editions.find(id) {
        admit_large(call, kept.bytes.len()).await?;
        return Ok(kept);
    }
    let _permit = admit(call.state, call.client).await?;
    call.state
        .pages
        .editions
        .load(&call.state.pages.publications, id)
        .await
        .map_err(|error| Refused::of_load(call.state, &error))
}

/// Renders a page of an edition, with what has become of it since.
async fn rendered(call: &EditionCall<'_>, id: PublicationId, part: usize) -> Result<TaggedBody, Refused> {
    let state = call.state;
    let _permit = admit(state, call.client).await?;
    let edition = match state.pages.editions.find(id) {
        Some(kept) => kept,
        None => {
            let loaded = state.pages.editions.load(&state.pages.publications, id).await;
            loaded.map_err(|error| Refused::of_load(state, &error))?
        }
    };
    let failed = |error| Refused::of(state, &error);
    let newest = state.pages.publications.newest(&edition.row).await.map_err(failed)?;
    let placements = state.pages.publications.placements(id).await.map_err(failed)?;
    let (base, language) = (state.pages.publications.link_base().to_owned(), call.language);
    let render = move || html(&edition, PageRequest { base, language, part, newest, placements });
    // Parsing and rendering a long edition takes a while.
    let html = tokio::task::spawn_blocking(render).await.map_err(|_| Refused::failed())??;
    Ok(TaggedBody::new(state.engine.memory().hold(html.into_bytes())))
}

/// What a page shows beside the edition.
struct PageRequest {
    base: String,
    language: PageLanguage,
    part: usize,
    newest: Option<publication::Model>,
    placements: Vec<publication_placement::Model>,
}

fn html(edition: &CachedEdition, request: PageRequest) -> Result<String, Refused> {
    let PageRequest { base, language, part, newest, placements } = request;
    let document = edition.document().ok_or_else(Refused::failed)?;
    let parts = parts_of(document);
    if part > parts {
        return Err(Refused::missing());
    }
    let row = &edition.row;
    let url = |id: PublicationId| format!("{base}/publications/{}", typed_id(PUBLICATION, id.0));
    let own = url(row.id);
    let address = match part {
        1 => PageAddress::public(own.clone()),
        part => PageAddress::with(own.clone(), "part", &part.to_string()),
    };
    let title = match language {
        PageLanguage::Kk => &row.title_kk,
        PageLanguage::Ru => row.title_ru.as_ref().unwrap_or(&row.title_kk),
    };
    let page = Page::new(language, title.clone(), address);
    let page = match feed_url(&base, row) {
        Some(feed) => page.with_feed(feed),
        None => page,
    };
    let lines: Vec<_> = placements.into_iter().map(placement_line).collect();
    let part_urls: Vec<_> = (1..=parts).map(|part| format!("{own}?lang={}&part={part}", language.code())).collect();
    let newer = newest.filter(|newest| newest.id != row.id);
    let rendered = EditionPage {
        page: &page,
        document,
        sha256: &row.sha256,
        newer: newer.map(|newest| NewerEdition { edition: newest.edition, url: url(newest.id) }),
        placements: &lines,
        supersedes: row.supersedes.map(url),
        json_url: &format!("{own}.json"),
        part,
        part_urls: &part_urls,
    };
    rendered.html().map_err(|error| {
        tracing::error!(%error, "a publication cannot be rendered");
        Refused::failed()
    })
}

fn placement_line(row: publication_placement::Model) -> PlacementLine {
    PlacementLine { channel: row.channel, url: row.url, text: row.text, placed_at: row.placed_at }
}
