//! The client and receivers that misbehave.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
};

use chrono::DateTime;
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::*;
use crate::{
    clock::ManualClock,
    webhooks::{Resolution, SigningSecret, SystemResolver},
};

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

/// Answers each question with the next addresses, and the last one for ever.
struct ScriptedResolver(Mutex<VecDeque<Vec<IpAddr>>>);

impl ScriptedResolver {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parse).collect())))
    }
}

impl Resolver for ScriptedResolver {
    fn resolve(&self, _: &str) -> Resolution {
        let mut answers = self.0.lock();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such host")) })
    }
}

fn rules(networks: &[&str]) -> AddressRules {
    AddressRules { https_only: false, networks: networks.iter().map(|network| network.parse().unwrap()).collect() }
}

/// A client that may use the loopback network, and its clock.
fn client_with(resolver: Arc<dyn Resolver>) -> (WebhookClient, Arc<ManualClock>) {
    let clock = ManualClock::at(DateTime::UNIX_EPOCH);
    let injected: Arc<dyn Clock> = clock.clone();
    let client = WebhookClient::new(rules(&["127.0.0.0/8"]), resolver, injected).unwrap();
    (client, clock)
}

fn client() -> WebhookClient {
    client_with(ScriptedResolver::new(&[])).0
}

fn message() -> SignedMessage {
    let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    SignedMessage::new("msg_1".to_owned(), DateTime::UNIX_EPOCH, b"{\"a\":1}".to_vec(), &[secret])
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((IpAddr::from(LOOPBACK), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads a request with the body of [`message`].
async fn request(connection: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let mut part = [0; 1024];
    while !text.ends_with(b"{\"a\":1}") {
        match connection.read(&mut part).await.unwrap() {
            0 => panic!("the request ended: {}", String::from_utf8_lossy(&text)),
            count => text.extend_from_slice(&part[..count]),
        }
    }
    String::from_utf8(text).unwrap()
}

/// Starts a receiver that responds with these bytes to one request and closes the connection. Its task returns the request.
async fn receiver(response: impl AsRef<[u8]> + Send + 'static) -> (SocketAddr, JoinHandle<String>) {
    let (listener, address) = listen().await;
    let task = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let request = request(&mut connection).await;
        connection.write_all(response.as_ref()).await.unwrap();
        request
    });
    (address, task)
}

async fn outcome_of(response: &'static str) -> DeliveryOutcome {
    let (address, _task) = receiver(response).await;
    client().send(&format!("http://{address}/hook"), &message()).await
}

/// Checks that nothing has connected to a listener: the first connection is the one made here.
async fn nothing_has_connected_to(listener: &TcpListener) {
    let marker = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (_, first) = listener.accept().await.unwrap();
    assert_eq!(first, marker.local_addr().unwrap());
}

#[tokio::test]
async fn posts_a_signed_message() {
    let (address, task) = receiver("HTTP/1.1 204 No Content\r\n\r\n").await;
    let outcome = client().send(&format!("http://{address}/hook?a=b"), &message()).await;
    assert_eq!(outcome, DeliveryOutcome::Delivered { status: 204 });
    let request = task.await.unwrap();
    assert!(request.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{request}");
    let signature = message().signature;
    for header in [
        "content-type: application/json",
        "webhook-id: msg_1",
        "webhook-timestamp: 0",
        &format!("webhook-signature: {signature}"),
        "content-length: 7",
        &format!("host: {address}"),
        "user-agent: kezdesu-webhooks",
    ] {
        assert!(request.contains(&format!("{header}\r\n")), "{header} is missing from {request}");
    }
    assert!(!request.contains("referer") && !request.contains("cookie"), "{request}");
}

#[tokio::test]
async fn tells_failures_from_the_end_of_a_subscription() {
    assert_eq!(outcome_of("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n").await, DeliveryOutcome::Gone);
    for (response, status) in [
        ("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n", 500),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 404),
        ("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n", 429),
    ] {
        assert_eq!(outcome_of(response).await, failed(Some(status), FailureReason::Status));
    }
}

#[tokio::test]
async fn reads_how_long_a_busy_receiver_asks_to_send_nothing() {
    let wait = |seconds| Some(TimeDelta::seconds(seconds));
    for (status, header, expected) in [
        ("429 Too Many Requests", "120", wait(120)),
        ("503 Service Unavailable", "Thu, 01 Jan 1970 00:10:00 GMT", wait(600)),
        ("429 Too Many Requests", "soon", None),
        ("429 Too Many Requests", "-1", None),
        ("500 Internal Server Error", "120", None),
    ] {
        let response = format!("HTTP/1.1 {status}\r\nretry-after: {header}\r\ncontent-length: 0\r\n\r\n");
        let (address, _task) = receiver(response).await;
        let outcome = client().send(&format!("http://{address}/hook"), &message()).await;
        let DeliveryOutcome::Failed { retry_after, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(retry_after, expected, "{status}, {header}");
    }
}

#[tokio::test]
async fn does_not_follow_redirects() {
    let (target, address) = listen().await;
    for status in [301, 302, 303, 307, 308] {
        let response = format!("HTTP/1.1 {status} X\r\nlocation: http://{address}/\r\ncontent-length: 0\r\n\r\n");
        let (redirecting, _task) = receiver(response).await;
        let outcome = client().send(&format!("http://{redirecting}/"), &message()).await;
        assert_eq!(outcome, failed(Some(status), FailureReason::Redirect));
    }
    nothing_has_connected_to(&target).await;
}

#[tokio::test]
async fn an_incomplete_response_is_a_failure() {
    let closed = |status| failed(status, FailureReason::Closed);
    assert_eq!(outcome_of("").await, closed(None));
    assert_eq!(outcome_of("HTTP/1.1 200 OK\r\ncontent-le").await, closed(None));
    assert_eq!(outcome_of("what?\r\n\r\n").await, closed(None));
    assert_eq!(outcome_of("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc").await, closed(Some(200)));
    assert_eq!(outcome_of("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc").await, closed(Some(200)));
}

#[tokio::test]
async fn a_receiver_that_is_down_is_a_failure() {
    let (listener, address) = listen().await;
    drop(listener);
    let outcome = client().send(&format!("http://{address}/"), &message()).await;
    assert_eq!(outcome, failed(None, FailureReason::Connect));
}

/// Sends a message to a receiver that writes `response` and then nothing, and lets `span` pass.
async fn outcome_after(response: &'static str, span: TimeDelta) -> Option<DeliveryOutcome> {
    let (client, clock) = client_with(ScriptedResolver::new(&[]));
    let (listener, address) = listen().await;
    let url = format!("http://{address}/");
    let message = message();
    let mut sending = std::pin::pin!(client.send(&url, &message));
    let mut accepting = std::pin::pin!(async {
        let (mut connection, _) = listener.accept().await.unwrap();
        request(&mut connection).await;
        connection.write_all(response.as_bytes()).await.unwrap();
        connection
    });
    let _connection = tokio::select! {
        outcome = &mut sending => panic!("{outcome:?}"),
        connection = &mut accepting => connection,
    };
    clock.advance(span);
    if span < TIMEOUT {
        return futures_util::poll!(sending).is_ready().then(|| panic!("it is over too early"));
    }
    Some(sending.await)
}

#[tokio::test]
async fn a_slow_receiver_has_ten_seconds_for_all_of_its_response() {
    for response in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"] {
        assert_eq!(outcome_after(response, TIMEOUT - TimeDelta::milliseconds(1)).await, None);
        assert_eq!(outcome_after(response, TIMEOUT).await, Some(failed(None, FailureReason::Timeout)));
    }
}

#[tokio::test]
async fn reads_a_bounded_part_of_a_response() {
    let (listener, address) = listen().await;
    let task = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        request(&mut connection).await;
        connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
        // Ends when the client closes the connection.
        while connection.write_all(&[b"400\r\n", &[b'x'; 1024][..], b"\r\n"].concat()).await.is_ok() {}
    });
    let outcome = client().send(&format!("http://{address}/"), &message()).await;
    assert_eq!(outcome, DeliveryOutcome::Delivered { status: 200 });
    task.await.unwrap();
}

#[tokio::test]
async fn connects_to_the_address_that_was_checked() {
    let (address, task) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let resolver = ScriptedResolver::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let (client, _) = client_with(resolver);
    let outcome = client.send(&format!("http://receiver.example:{}/", address.port()), &message()).await;
    assert_eq!(outcome, DeliveryOutcome::Delivered { status: 200 });
    let request = task.await.unwrap();
    assert!(request.contains(&format!("host: receiver.example:{}\r\n", address.port())), "{request}");
}

#[tokio::test]
async fn rejects_a_host_whose_address_has_changed_to_an_inner_one() {
    let (listener, address) = listen().await;
    let clock: Arc<dyn Clock> = ManualClock::at(DateTime::UNIX_EPOCH);
    let resolver = ScriptedResolver::new(&[&["8.8.8.8"], &["127.0.0.1"]]);
    let client = WebhookClient::new(rules(&[]), resolver, clock).unwrap();
    let url = format!("http://rebinding.example:{}/", address.port());
    assert_eq!(client.check_receiver(&url).await.as_ref(), Ok(&url));
    assert_eq!(client.send(&url, &message()).await, failed(None, FailureReason::Address));
    assert_eq!(client.check_receiver(&url).await, Err(AddressError::Inner));
    nothing_has_connected_to(&listener).await;
}

#[tokio::test]
async fn every_address_of_a_host_must_be_allowed() {
    let (listener, address) = listen().await;
    for answer in [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "::1"]] {
        let (client, _) = client_with(ScriptedResolver::new(&[&answer]));
        let outcome = client.send(&format!("http://two.example:{}/", address.port()), &message()).await;
        assert_eq!(outcome, failed(None, FailureReason::Address));
    }
    nothing_has_connected_to(&listener).await;
}

#[tokio::test]
async fn checks_hosts_that_are_addresses_at_each_delivery() {
    let (listener, address) = listen().await;
    let clock: Arc<dyn Clock> = ManualClock::at(DateTime::UNIX_EPOCH);
    let client = WebhookClient::new(rules(&[]), ScriptedResolver::new(&[]), clock).unwrap();
    for host in ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"] {
        let outcome = client.send(&format!("http://{host}:{}/", address.port()), &message()).await;
        assert_eq!(outcome, failed(None, FailureReason::Address), "{host}");
    }
    nothing_has_connected_to(&listener).await;
}

#[tokio::test]
async fn a_host_without_addresses_is_a_failure() {
    for answers in [&[][..], &[&[][..]]] {
        let (client, _) = client_with(ScriptedResolver::new(answers));
        let url = "http://nowhere.example/";
        assert_eq!(client.send(url, &message()).await, failed(None, FailureReason::Unresolved));
        assert_eq!(client.check_receiver(url).await, Err(AddressError::Unresolved));
    }
}

/// Starts a receiver with a certificate for `name`, and returns it with the certificate of its authority.
async fn secure_receiver(name: &str) -> (SocketAddr, reqwest::Certificate) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        let Ok(mut connection) = TlsAcceptor::from(Arc::new(config)).accept(connection).await else { return };
        request(&mut connection).await;
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let _ = connection.shutdown().await;
    });
    (address, reqwest::Certificate::from_der(authority.der()).unwrap())
}

#[tokio::test]
async fn the_certificate_must_be_valid_for_the_host() {
    tls::install_provider();
    for (name, outcome) in [
        ("receiver.example", DeliveryOutcome::Delivered { status: 200 }),
        ("other.example", failed(None, FailureReason::Tls)),
    ] {
        let (address, authority) = secure_receiver(name).await;
        let builder = reqwest::Client::builder().tls_certs_only([authority]);
        let clock: Arc<dyn Clock> = ManualClock::at(DateTime::UNIX_EPOCH);
        let rules = AddressRules { https_only: true, ..rules(&["127.0.0.0/8"]) };
        let resolver = ScriptedResolver::new(&[&["127.0.0.1"]]);
        let client = WebhookClient::with_builder(builder, rules, resolver, clock).unwrap();
        let sent = client.send(&format!("https://receiver.example:{}/", address.port()), &message()).await;
        assert_eq!(sent, outcome, "a certificate for {name}");
        let plain = client.send(&format!("http://receiver.example:{}/", address.port()), &message()).await;
        assert_eq!(plain, failed(None, FailureReason::Address), "in production");
    }
}

/// Hosts whose look-ups have begun, and those that end. Of this test only, since a look-up is a plain function.
static LOOKUPS: Mutex<(usize, bool)> = Mutex::new((0, false));
static ENDED: parking_lot::Condvar = parking_lot::Condvar::new();

/// Resolves a host as a thread that is stuck until it is told to end.
fn stuck(_: &str) -> io::Result<Vec<IpAddr>> {
    let mut lookups = LOOKUPS.lock();
    lookups.0 += 1;
    while !lookups.1 {
        ENDED.wait(&mut lookups);
    }
    Ok(vec![IpAddr::from(LOOPBACK)])
}

#[tokio::test]
async fn stuck_host_names_take_a_bounded_number_of_threads() {
    let (client, clock) = client_with(Arc::new(SystemResolver::with(stuck, 3)));
    let check = || client.check_receiver("http://receiver.example/");
    for round in 1..=2 {
        let mut checks: Vec<_> = (0..6).map(|_| Box::pin(check())).collect();
        for check in &mut checks {
            assert!(futures_util::poll!(check.as_mut()).is_pending(), "{round}");
        }
        while LOOKUPS.lock().0 < 3 {
            tokio::task::yield_now().await;
        }
        clock.advance(TIMEOUT);
        for check in checks {
            assert_eq!(check.await, Err(AddressError::Unresolved), "{round}");
        }
        assert_eq!(LOOKUPS.lock().0, 3, "those who gave up left their threads stuck");
    }
    LOOKUPS.lock().1 = true;
    ENDED.notify_all();
    assert_eq!(check().await.as_deref(), Ok("http://receiver.example/"), "the threads are free again");
}
