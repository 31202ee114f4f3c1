//! In which form an answer is wished.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
};

/// A form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Form {
    /// `application/graphql-response+json`: the status says whether the request was understood.
    Response,
    /// `application/json`: every well-formed request is answered with 200.
    Json,
    /// `text/event-stream`: as many answers as the operation has.
    Events,
    /// `multipart/mixed; subscriptionSpec=1.0`: the answers of a subscription; anything else is answered as JSON.
    Parts,
}

impl Form {
    pub(in crate::http) const fn content_type(self) -> &'static str {
        match self {
            Self::Response => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Events => "text/event-stream; charset=utf-8",
            Self::Parts => "multipart/mixed;boundary=\"graphql\";subscriptionSpec=\"1.0\"",
        }
    }
}

/// The wished form that we have: the most wished first, then the first named. None: nothing we have is accepted.
pub(in crate::http) fn form(headers: &HeaderMap) -> Option<Form> {
    let wishes = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let text = wishes.collect::<Vec<_>>().join(",");
    if text.trim().is_empty() {
        return Some(Form::Json);
    }
    let wished = text.split(',').filter_map(|wish| {
        let mut parts = wish.split(';').map(str::trim);
        let form = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/graphql-response+json" => Form::Response,
            "application/json" | "application/*" | "*/*" => Form::Json,
            "text/event-stream" => Form::Events,
            "multipart/mixed" if names_the_spec(wish) => Form::Parts,
            _ => return None,
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>).ok()?;
        (quality > 0.0).then_some((form, quality))
    });
    wished
        .fold(None, |best: Option<(Form, f32)>, wish| match best {
            Some(best) if best.1 >= wish.1 => Some(best),
            _ => Some(wish),
        })
        .map(|(form, _)| form)
}

/// Whether a wish for parts is one for the parts of a subscription, in the version that is spoken here.
fn names_the_spec(wish: &str) -> bool {
    wish.split(';').filter_map(|part| part.trim().split_once('=')).any(|(name, value)| {
        name.eq_ignore_ascii_case("subscriptionSpec") && matches!(value.trim().trim_matches('"'), "1.0" | "1")
    })
}

/// Takes zstd off the encodings that a client names where it can read br or gzip as well: libraries for Node.js name it on
/// versions that cannot read it.
pub(in crate::http) async fn sure_encodings(mut request: Request) -> Request {
    let named = request.headers().get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let sure = sure(&named.collect::<Vec<_>>().join(","));
    if let Some(sure) = sure.and_then(|sure| HeaderValue::try_from(sure).ok()) {
        request.headers_mut().insert(header::ACCEPT_ENCODING, sure);
    }
    request
}

/// The encodings without zstd; none where nothing is to be taken off.
fn sure(encodings: &str) -> Option<String> {
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

    fn wished(accept: &str) -> Option<Form> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        form(&headers)
    }

    #[test]
    fn the_most_wished_form_is_taken() {
        assert_eq!(form(&HeaderMap::new()), Some(Form::Json));
        assert_eq!(wished("*/*"), Some(Form::Json));
        assert_eq!(wished("application/graphql-response+json, application/json;q=0.9"), Some(Form::Response));
        assert_eq!(wished("application/json;q=0.5, application/graphql-response+json;q=0.9"), Some(Form::Response));
        assert_eq!(wished("text/event-stream"), Some(Form::Events));
        assert_eq!(
            wished(r#"multipart/mixed;boundary="graphql";subscriptionSpec="1.0", application/json"#),
            Some(Form::Parts)
        );
        assert_eq!(wished("multipart/mixed;deferSpec=20220824, application/json"), Some(Form::Json));
        assert_eq!(wished("text/html"), None);
        assert_eq!(wished("application/json;q=0"), None);
    }

    #[test]
    fn zstd_is_for_those_who_name_nothing_else() {
        for (named, expected) in [
            ("gzip, deflate, br, zstd", Some("gzip, deflate, br")),
            ("ZSTD;q=1, br;q=0.5", Some("br;q=0.5")),
            ("zstd", None),
            ("zstd, deflate", None),
            ("zstd, gzip;q=0", None),
            ("gzip, br", None),
            ("", None),
        ] {
            assert_eq!(sure(named).as_deref(), expected, "{named}");
        }
    }
}
