//! Formats of single settings: addresses, host names, networks, filters.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use url::Url;

use crate::{
    config::parser::{Parser, list},
    domain::norms::Norms,
    encryption::KeyRing,
};

/// Parses a listen address.
pub(in crate::config) fn socket_address(example: &str) -> Parser<SocketAddr> {
    Parser::new("IP address and port", format!("is an address such as {example}"), |text| text.parse().ok())
}

/// Accepts URLs of the supported databases.
pub(in crate::config) fn database() -> Parser<String> {
    let expected = "is an address that begins with postgres:// or sqlite:";
    Parser::new("`postgres://…` or `sqlite:…`", expected, |url| {
        let postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        let known = url.starts_with("sqlite:") || (postgres && Url::parse(url).is_ok());
        known.then(|| url.to_owned())
    })
}

/// Accepts URLs of Redis.
pub(in crate::config) fn redis() -> Parser<String> {
    let expected = "is an address that begins with redis:// or rediss://";
    Parser::new("`redis://…` or `rediss://…`", expected, |url| {
        let schemes = ["redis://", "rediss://", "redis+unix://", "unix://"];
        let known = schemes.iter().any(|scheme| url.starts_with(scheme)) && Url::parse(url).is_ok();
        known.then(|| url.to_owned())
    })
}

/// Accepts URLs of OpenTelemetry collectors.
pub(in crate::config) fn collector() -> Parser<String> {
    let expected = "is an address that begins with http:// or https://";
    Parser::new("`http://…` or `https://…`", expected, |text| web_url(text).map(|_| text.to_owned()))
}

fn web_url(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Parses the address of the service, and removes the slashes at its end.
pub(in crate::config) fn public_url() -> Parser<String> {
    let expected = "is an address such as https://meetings.example, without a query";
    Parser::new("`https://…` or `http://…`", expected, |text| {
        let url = web_url(text)?;
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        (is_plain && url.password().is_none()).then(|| url.as_str().trim_end_matches('/').to_owned())
    })
}

/// Parses origins of web pages, and normalises them.
pub(in crate::config) fn origins() -> Parser<Vec<String>> {
    let origin = |text: &&str| web_url(text).map(|url| url.origin().ascii_serialization());
    list("origins", "holds origins such as https://meetings.example", move |items| items.iter().map(origin).collect())
}

/// Parses host names, and normalises them; `None` means any.
pub(in crate::config) fn hosts() -> Parser<Option<Vec<String>>> {
    let expected = "holds host names such as meetings.example, without a scheme and a port";
    list("host names, or `*` for any", expected, |items| {
        if items.contains(&"*") {
            return Some(None);
        }
        let name = |text: &&str| match url::Host::parse(text) {
            Ok(url::Host::Domain(name)) => Some(name.trim_end_matches('.').to_owned()),
            _ => None,
        };
        items.iter().map(name).collect::<Option<_>>().map(Some)
    })
}

/// Parses addresses and networks.
pub(in crate::config) fn networks() -> Parser<Vec<IpNet>> {
    let network = |text: &&str| text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok();
    list("addresses or networks", "holds addresses or networks such as 10.0.0.0/8", move |items| {
        items.iter().map(network).collect()
    })
}

/// Parses keys for personal data.
pub(in crate::config) fn data_keys() -> Parser<KeyRing> {
    let expected = "holds keys of 32 bytes such as k1:BASE64,digest:BASE64, each with an id of its own";
    list("`id:base64` of 32 bytes, one with the id `digest`", expected, |items| KeyRing::parse(&items.join(",")))
}

/// Parses names of norm sets.
pub(in crate::config) fn norm_sets() -> Parser<Norms> {
    let expected = "holds decree-2022, decree-2024 or both";
    list("`decree-2022`, `decree-2024`", expected, |items| Norms::named(items).ok())
}

/// Accepts filters of the log.
pub(in crate::config) fn log_filter() -> Parser<String> {
    // `EnvFilter` reads a single word that is not a level as a target, which would silence everything else.
    let names_a_level =
        |part: &str| part.contains('=') || part.trim().parse::<tracing::level_filters::LevelFilter>().is_ok();
    Parser::new("filter of `tracing`", "is a filter such as info or kezdesu=debug,warn", move |filter| {
        let valid = tracing_subscriber::EnvFilter::try_new(filter).is_ok() && filter.split(',').all(names_a_level);
        valid.then(|| filter.to_owned())
    })
}
