//! Trace export over TLS.

use std::{path::Path, sync::Arc};

use harness::{
    Process,
    external::{anonymous, settings},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Mutex,
};
use tokio_rustls::TlsAcceptor;

/// What a collector received.
#[derive(Default)]
struct Met {
    /// All bytes of trusted connections.
    heard: Vec<u8>,
    /// Number of failed handshakes.
    refused: usize,
}

/// Creates a certificate authority and writes its certificate to a file.
fn authority(file: &Path) -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    std::fs::write(file, params.self_signed(&key).unwrap().pem()).unwrap();
    Issuer::new(params, key)
}

/// Starts a collector whose certificate is signed by an authority.
async fn collector(signer: &Issuer<'static, KeyPair>) -> (String, Arc<Mutex<Met>>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, signer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let met = Arc::<Mutex<Met>>::default();
    let all = Arc::clone(&met);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (acceptor, all) = (acceptor.clone(), Arc::clone(&all));
            tokio::spawn(async move {
                let Ok(mut connection) = acceptor.accept(connection).await else {
                    all.lock().await.refused += 1;
                    return;
                };
                let mut bytes = Vec::new();
                let mut part = [0; 4096];
                while let Ok(count @ 1..) = connection.read(&mut part).await {
                    bytes.extend_from_slice(&part[..count]);
                    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                    if bytes.len() >= end + 4 + length.unwrap().parse::<usize>().unwrap() {
                        break;
                    }
                }
                all.lock().await.heard.extend(bytes);
                let _ =
                    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
                let _ = connection.shutdown().await;
            });
        }
    });
    (address, met)
}

/// Runs an operation in a program that trusts an authority, and returns what the collector received by its exit.
async fn met(dir: &Path, trusted: &Path, collector: (String, Arc<Mutex<Met>>)) -> Met {
    let (address, met) = collector;
    let trusted = trusted.to_str().unwrap().to_owned();
    let program = Process::serve(&settings(dir, &[("KEZDESU_OTLP", address), ("SSL_CERT_FILE", trusted)])).await;
    anonymous(&program.host).query("query WhoAmI { viewer { subject } }", json!({})).await;
    // Pending spans are exported at shutdown.
    assert!(program.terminate().await);
    std::mem::take(&mut *met.lock().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_traces_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("authority.pem");
    let signer = authority(&file);
    let met = met(dir.path(), &file, collector(&signer).await).await;
    assert!(met.heard.windows(15).any(|window| window == b"graphql.request"), "{} bytes", met.heard.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_no_traces_to_an_untrusted_collector() {
    let dir = tempfile::tempdir().unwrap();
    let (file, others) = (dir.path().join("authority.pem"), dir.path().join("others.pem"));
    authority(&file);
    let met = met(dir.path(), &file, collector(&authority(&others)).await).await;
    assert!(met.heard.is_empty() && met.refused > 0, "{} bytes, {} refused", met.heard.len(), met.refused);
}
