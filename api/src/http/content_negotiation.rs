//! Content negotiation by `Accept` and `Accept-Encoding`.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
};

/// A response format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::http) enum ResponseFormat {
    /// `application/graphql-response+json`: a request error has a 4xx status.
    GraphqlResponse,
    /// `application/json`: every well-formed request is answered with 200.
    Json,
    /// `text/event-stream`: one event a response.
    EventStream,
    /// `multipart/mixed; subscriptionSpec=1.0`: one part a response of a subscription. Other operations are
    /// answered as JSON.
    Multipart,
}

impl ResponseFormat {
    pub(in crate::http) const fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::EventStream => "text/event-stream; charset=utf-8",
            Self::Multipart => "multipart/mixed;boundary=\"graphql\";subscriptionSpec=\"1.0\"",
        }
    }
}

/// Returns the supported format with the highest quality, and the first of equals. `None` if no accepted
/// format is supported.
pub(in crate::http) fn response_format(headers: &HeaderMap) -> Option<ResponseFormat> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let text = values.collect::<Vec<_>>().join(",");
    if text.trim().is_empty() {
        return Some(ResponseFormat::Json);
    }
    let accepted = text.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let format = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/graphql-response+json" => ResponseFormat::GraphqlResponse,
            "application/json" | "application/*" | "*/*" => ResponseFormat::Json,
            "text/event-stream" => ResponseFormat::EventStream,
            "multipart/mixed" if is_subscription_multipart(range) => ResponseFormat::Multipart,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>).ok()?;
        (quality > 0.0).then_some((format, quality))
    });
    accepted
        .fold(None, |best: Option<(ResponseFormat, f32)>, range| match best {
            Some(best) if best.1 >= range.1 => Some(best),
            _ => Some(range),
        })
        .map(|(format, _)| format)
}

/// Returns whether a media range asks for the supported version of subscriptions over multipart.
fn is_subscription_multipart(range: &str) -> bool {
    range.split(';').filter_map(|part| part.trim().split_once('=')).any(|(name, value)| {
        name.eq_ignore_ascii_case("subscriptionSpec") && matches!(value.trim().trim_matches('"'), "1.0" | "1")
    })
}

/// Middleware: removes zstd from `Accept-Encoding` if the client also accepts br or gzip. Some Node.js
/// libraries offer zstd on versions that cannot decode it.
pub(in crate::http) async fn drop_zstd(mut request: Request) -> Request {
    let named = request.headers().get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let encodings = without_zstd(&named.collect::<Vec<_>>().join(","));
    if let Some(value) = encodings.and_then(|value| HeaderValue::try_from(value).ok()) {
        request.headers_mut().insert(header::ACCEPT_ENCODING, value);
    }
    request
}

/// Returns the encodings without zstd, or `None` if nothing changes.
fn without_zstd(encodings: &str) -> Option<String> {
    let parts = |part: &str| {
        let (name, quality) = part.split_once(';').map_or((part, ""), |(name, rest)| (name, rest.trim()));
        let never = quality.strip_prefix("q=").and_then(|q| q.parse().ok()).is_some_and(|q: f32| q <= 0.0);
        (name.trim().to_ascii_lowercase(), never)
    };
    let all: Vec<_> = encodings.split(',').map(|part| (part.trim(), parts(part))).collect();
    let other = all.iter().any(|(_, (name, never))| matches!(name.as_str(), "br" | "gzip") && !never);
    let left = all.iter().filter(|(_, (name, _))| name != "zstd").map(|(part, _)| *part).collect::<Vec<_>>();
    (other && left.len() < all.len()).then(|| left.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format_for(accept: &str) -> Option<ResponseFormat> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        response_format(&headers)
    }

    #[test]
    fn selects_the_format_with_the_highest_quality() {
        assert_eq!(response_format(&HeaderMap::new()), Some(ResponseFormat::Json));
        assert_eq!(format_for("*/*"), Some(ResponseFormat::Json));
        assert_eq!(
            format_for("application/graphql-response+json, application/json;q=0.9"),
            Some(ResponseFormat::GraphqlResponse)
        );
        assert_eq!(
            format_for("application/json;q=0.5, application/graphql-response+json;q=0.9"),
            Some(ResponseFormat::GraphqlResponse)
        );
        assert_eq!(format_for("text/event-stream"), Some(ResponseFormat::EventStream));
        assert_eq!(
            format_for(r#"multipart/mixed;boundary="graphql";subscriptionSpec="1.0", application/json"#),
            Some(ResponseFormat::Multipart)
        );
        assert_eq!(format_for("multipart/mixed;deferSpec=20220824, application/json"), Some(ResponseFormat::Json));
        assert_eq!(format_for("text/html"), None);
        assert_eq!(format_for("application/json;q=0"), None);
    }

    #[test]
    fn removes_zstd_if_there_is_an_alternative() {
        for (named, expected) in [
            ("gzip, deflate, br, zstd", Some("gzip, deflate, br")),
            ("ZSTD;q=1, br;q=0.5", Some("br;q=0.5")),
            ("zstd", None),
            ("zstd, deflate", None),
            ("zstd, gzip;q=0", None),
            ("gzip, br", None),
            ("", None),
        ] {
            assert_eq!(without_zstd(named).as_deref(), expected, "{named}");
        }
    }
}
