//! JWKS sources, rotation and refresh.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{Router, body::Body, response::Redirect, routing::get};

use super::{
    super::{
        jwks::KeyError,
        jwks_source::{JwksSource, MAX_JWKS_BYTES},
    },
    *,
};

#[tokio::test]
async fn rotates_keys_and_keeps_the_old_ones_on_failure() {
    let fixture = fixture().await;
    let path = fixture.dir.path().join("jwks.json");
    let two = Header { kid: Some("two".to_owned()), ..Header::new(Algorithm::EdDSA) };
    std::fs::write(&path, jwks("two")).unwrap();
    fixture.auth.refresh().await.unwrap();
    assert!(fixture.auth.authenticate(Some(&sign(&two, &claims()))).is_ok());
    assert_eq!(fixture.auth.authenticate(Some(&sign(&header(), &claims()))).unwrap_err(), AuthError::UnknownKey);
    std::fs::write(&path, "{}").unwrap();
    assert!(fixture.auth.refresh().await.is_err());
    assert!(fixture.auth.authenticate(Some(&sign(&two, &claims()))).is_ok());
}

#[tokio::test]
async fn replacing_a_key_ends_the_sessions_it_signed() {
    let fixture = fixture().await;
    let known = fixture.auth.authenticate(Some(&sign(&header(), &claims()))).unwrap();
    let mut end = fixture.auth.session_end(&known);
    fixture.auth.refresh().await.unwrap();
    assert!(futures_util::poll!(end.as_mut()).is_pending(), "an unchanged key keeps the session");
    std::fs::write(fixture.dir.path().join("jwks.json"), jwks("one").replace(PUBLIC, OTHER)).unwrap();
    fixture.auth.refresh().await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), end).await.expect("the session ends");
    assert_eq!(fixture.auth.authenticate(Some(&sign(&header(), &claims()))).unwrap_err(), AuthError::BadSignature);
}

/// Keys for personal data, which production requires.
const DATA_KEYS: &str =
    "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,digest:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";

/// Another Ed25519 public key (RFC 8032, test 2).
const OTHER: &str = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";

/// Serves a router and returns its URL.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn at(url: &str, environment: &str) -> Settings {
    settings(&[
        ("KEZDESU_JWKS", url),
        ("KEZDESU_JWT_ISSUER", "https://id.example"),
        ("KEZDESU_JWT_AUDIENCE", "kezdesu"),
        ("KEZDESU_ENVIRONMENT", environment),
        ("KEZDESU_DATA_KEYS", DATA_KEYS),
    ])
}

#[tokio::test]
async fn loads_keys_from_a_url() {
    let url = serve(Router::new().route("/jwks", get(|| async { jwks("one") }))).await;
    let there = at(&format!("{url}/jwks"), "development");
    let auth = Authenticator::start(&there, ManualClock::at(noon())).await.unwrap();
    assert!(auth.authenticate(Some(&sign(&header(), &claims()))).is_ok());
    let nothing = at(&format!("{url}/nothing"), "development");
    assert!(matches!(Authenticator::start(&nothing, ManualClock::at(noon())).await, Err(KeyError::Fetch(_))));
}

#[tokio::test]
async fn production_requires_https() {
    for url in ["http://127.0.0.1:1/jwks", "HTTP://127.0.0.1:1/jwks"] {
        let error = Authenticator::start(&at(url, "production"), ManualClock::at(noon())).await.err().unwrap();
        assert!(matches!(error, KeyError::Plain), "{error}");
        assert_eq!(error.to_string(), "KEZDESU_JWKS: in production the address must begin with https://");
    }
    // Nothing listens there, but the URL is fetched.
    let secure = at("https://127.0.0.1:1/jwks", "production");
    assert!(matches!(Authenticator::start(&secure, ManualClock::at(noon())).await, Err(KeyError::Fetch(_))));
}

#[tokio::test]
async fn bounds_a_response_in_size_and_time() {
    let endless = || async { Body::from_stream(futures_util::stream::repeat(Ok::<_, Infallible>("      "))) };
    let silent = || async { Body::from_stream(futures_util::stream::pending::<Result<&str, Infallible>>()) };
    let keys = jwks("one");
    let padded = |bytes: usize| {
        let keys = format!("{keys}{}", " ".repeat(bytes - keys.len()));
        move || std::future::ready(keys.clone())
    };
    let url = serve(
        Router::new()
            .route("/endless", get(endless))
            .route("/silent", get(silent))
            .route("/full", get(padded(MAX_JWKS_BYTES)))
            .route("/fuller", get(padded(MAX_JWKS_BYTES + 1)))
            .route("/away", get(|| async { Redirect::temporary("/full") })),
    )
    .await;
    let read = async |path: &str, timeout| {
        let source = JwksSource::url(&format!("{url}{path}"), false, timeout).unwrap();
        source.read().await
    };
    let (long, short) = (Duration::from_secs(30), Duration::from_millis(100));
    assert!(read("/full", long).await.is_ok());
    assert!(read("/away", long).await.is_ok());
    assert!(matches!(read("/fuller", long).await, Err(KeyError::TooLarge)));
    assert!(matches!(read("/endless", long).await, Err(KeyError::TooLarge)));
    assert!(matches!(read("/silent", short).await, Err(KeyError::Fetch(error)) if error.is_timeout()));
}

#[tokio::test]
async fn errors_do_not_contain_the_url() {
    let source = JwksSource::url("http://keys:hush@127.0.0.1:1/jwks?key=hush", false, Duration::from_secs(5)).unwrap();
    let mut error: Option<&dyn std::error::Error> = Some(&source.read().await.err().unwrap());
    let mut text = String::new();
    while let Some(one) = error {
        text.push_str(&format!("{one} {one:?}\n"));
        error = one.source();
    }
    assert!(text.contains("does not answer") && !text.contains("hush"), "{text}");
}

#[tokio::test]
async fn refreshes_for_an_unknown_key_within_the_cooldown() {
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    let keys = move || {
        let read = counted.fetch_add(1, Ordering::SeqCst);
        async move { jwks(if read == 0 { "one" } else { "two" }) }
    };
    let url = serve(Router::new().route("/jwks", get(keys))).await;
    let clock = ManualClock::at(noon());
    let time: Arc<dyn crate::clock::Clock> = clock.clone();
    let auth = Authenticator::start(&at(&format!("{url}/jwks"), "development"), time).await.unwrap();
    let reader = Arc::clone(&auth);
    tokio::spawn(async move {
        loop {
            reader.refresh_requested().await;
            reader.refresh().await.unwrap();
            reader.refresh_done();
        }
    });
    let of = |kid: &str| sign(&Header { kid: Some(kid.to_owned()), ..header() }, &claims());
    for (token, is_unknown) in
        [(None, false), (Some("Bearer x"), false), (Some(of("one").as_str()), false), (Some(&of("two")), true)]
    {
        assert_eq!(auth.names_unknown_key(token), is_unknown, "{token:?}");
    }
    auth.refresh_unknown_key().await;
    assert!(auth.authenticate(Some(&of("two"))).is_ok());
    for n in 0..50 {
        assert_eq!(auth.authenticate(Some(&of(&format!("made up {n}")))).unwrap_err(), AuthError::UnknownKey);
        auth.refresh_unknown_key().await;
    }
    assert_eq!(reads.load(Ordering::SeqCst), 2, "made-up keys cause no more reads");
    clock.advance(TimeDelta::milliseconds(4_999));
    auth.refresh_unknown_key().await;
    assert_eq!(reads.load(Ordering::SeqCst), 2);
    clock.advance(TimeDelta::milliseconds(1));
    auth.refresh_unknown_key().await;
    assert_eq!(reads.load(Ordering::SeqCst), 3, "after the cooldown");
    clock.advance(TimeDelta::seconds(5));
    assert!(auth.authenticate(Some(&of("made up"))).is_err());
    auth.refresh_unknown_key().await;
    assert_eq!(reads.load(Ordering::SeqCst), 4, "a rejected token requests a refresh too");
}
