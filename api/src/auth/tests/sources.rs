//! Where keys come from, and what happens when they change, or do not come.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{Router, body::Body, response::Redirect, routing::get};

use super::{
    super::{
        keys::KeyError,
        source::{LARGEST, Source},
    },
    *,
};

#[tokio::test]
async fn keys_are_rotated_without_a_restart_and_broken_ones_change_nothing() {
    let bench = bench().await;
    let path = bench.dir.path().join("jwks.json");
    let two = Header { kid: Some("two".to_owned()), ..Header::new(Algorithm::EdDSA) };
    std::fs::write(&path, jwks("two")).unwrap();
    bench.auth.refresh().await.unwrap();
    assert!(bench.auth.authenticate(Some(&sign(&two, &claims()))).is_ok());
    assert_eq!(bench.auth.authenticate(Some(&sign(&header(), &claims()))).unwrap_err(), AuthRefused::UnknownKey);
    std::fs::write(&path, "{}").unwrap();
    assert!(bench.auth.refresh().await.is_err());
    assert!(bench.auth.authenticate(Some(&sign(&two, &claims()))).is_ok());
}

#[tokio::test]
async fn another_key_of_the_same_name_ends_what_the_first_has_signed() {
    let bench = bench().await;
    let known = bench.auth.authenticate(Some(&sign(&header(), &claims()))).unwrap();
    let mut end = bench.auth.end_of(&known);
    bench.auth.refresh().await.unwrap();
    assert!(futures_util::poll!(end.as_mut()).is_pending(), "the same key is still the same");
    std::fs::write(bench.dir.path().join("jwks.json"), jwks("one").replace(PUBLIC, OTHER)).unwrap();
    bench.auth.refresh().await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), end).await.expect("it is no longer known");
    assert_eq!(bench.auth.authenticate(Some(&sign(&header(), &claims()))).unwrap_err(), AuthRefused::BadSignature);
}

/// Another public key of the kind (RFC 8032, test 2).
const OTHER: &str = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";

/// Serves something, and gives its address.
async fn served(router: Router) -> String {
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
    ])
}

#[tokio::test]
async fn keys_come_from_an_address_too() {
    let url = served(Router::new().route("/jwks", get(|| async { jwks("one") }))).await;
    let there = at(&format!("{url}/jwks"), "development");
    let auth = Authenticator::start(&there, ManualClock::at(noon())).await.unwrap();
    assert!(auth.authenticate(Some(&sign(&header(), &claims()))).is_ok());
    let nothing = at(&format!("{url}/nothing"), "development");
    assert!(matches!(Authenticator::start(&nothing, ManualClock::at(noon())).await, Err(KeyError::Fetch(_))));
}

#[tokio::test]
async fn production_takes_keys_from_nobody_who_could_be_impersonated() {
    for url in ["http://127.0.0.1:1/jwks", "HTTP://127.0.0.1:1/jwks"] {
        let refused = Authenticator::start(&at(url, "production"), ManualClock::at(noon())).await.err().unwrap();
        assert!(matches!(refused, KeyError::Plain), "{refused}");
        assert_eq!(refused.to_string(), "KEZDESU_JWKS: in production the address must begin with https://");
    }
    // Nothing listens there, but it is asked.
    let secure = at("https://127.0.0.1:1/jwks", "production");
    assert!(matches!(Authenticator::start(&secure, ManualClock::at(noon())).await, Err(KeyError::Fetch(_))));
}

#[tokio::test]
async fn an_address_that_never_ends_is_not_listened_to_for_long() {
    let endless = || async { Body::from_stream(futures_util::stream::repeat(Ok::<_, Infallible>("      "))) };
    let silent = || async { Body::from_stream(futures_util::stream::pending::<Result<&str, Infallible>>()) };
    let keys = jwks("one");
    let padded = |bytes: usize| {
        let keys = format!("{keys}{}", " ".repeat(bytes - keys.len()));
        move || std::future::ready(keys.clone())
    };
    let url = served(
        Router::new()
            .route("/endless", get(endless))
            .route("/silent", get(silent))
            .route("/full", get(padded(LARGEST)))
            .route("/fuller", get(padded(LARGEST + 1)))
            .route("/away", get(|| async { Redirect::temporary("/full") })),
    )
    .await;
    let read = async |path: &str, within| {
        let source = Source::address(&format!("{url}{path}"), false, within).unwrap();
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
async fn a_password_in_the_address_is_not_told() {
    let source = Source::address("http://keys:hush@127.0.0.1:1/jwks?key=hush", false, Duration::from_secs(5)).unwrap();
    let mut error: Option<&dyn std::error::Error> = Some(&source.read().await.err().unwrap());
    let mut told = String::new();
    while let Some(one) = error {
        told.push_str(&format!("{one} {one:?}\n"));
        error = one.source();
    }
    assert!(told.contains("does not answer") && !told.contains("hush"), "{told}");
}

#[tokio::test]
async fn a_key_that_is_not_known_is_looked_for_at_once_but_not_each_time() {
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    let keys = move || {
        let read = counted.fetch_add(1, Ordering::SeqCst);
        async move { jwks(if read == 0 { "one" } else { "two" }) }
    };
    let url = served(Router::new().route("/jwks", get(keys))).await;
    let clock = ManualClock::at(noon());
    let time: Arc<dyn crate::clock::Clock> = clock.clone();
    let auth = Authenticator::start(&at(&format!("{url}/jwks"), "development"), time).await.unwrap();
    let reader = Arc::clone(&auth);
    tokio::spawn(async move {
        loop {
            reader.key_is_wanted().await;
            reader.refresh().await.unwrap();
            reader.key_was_looked_for();
        }
    });
    let of = |kid: &str| sign(&Header { kid: Some(kid.to_owned()), ..header() }, &claims());
    for (token, lacks) in
        [(None, false), (Some("Bearer x"), false), (Some(of("one").as_str()), false), (Some(&of("two")), true)]
    {
        assert_eq!(auth.lacks_key_of(token), lacks, "{token:?}");
    }
    auth.look_for_key().await;
    assert!(auth.authenticate(Some(&of("two"))).is_ok());
    for n in 0..50 {
        assert_eq!(auth.authenticate(Some(&of(&format!("made up {n}")))).unwrap_err(), AuthRefused::UnknownKey);
        auth.look_for_key().await;
    }
    assert_eq!(reads.load(Ordering::SeqCst), 2, "whatever is made up");
    clock.advance(TimeDelta::milliseconds(4_999));
    auth.look_for_key().await;
    assert_eq!(reads.load(Ordering::SeqCst), 2);
    clock.advance(TimeDelta::milliseconds(1));
    auth.look_for_key().await;
    assert_eq!(reads.load(Ordering::SeqCst), 3, "and then again");
    clock.advance(TimeDelta::seconds(5));
    assert!(auth.authenticate(Some(&of("made up"))).is_err());
    auth.look_for_key().await;
    assert_eq!(reads.load(Ordering::SeqCst), 4, "a door that cannot wait has it looked for as well");
}
