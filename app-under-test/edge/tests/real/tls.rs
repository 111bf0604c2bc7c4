//! Alerts to receivers behind TLS need a valid certificate.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::common::{Edge, config, slot, until};

/// A receiver behind TLS that can change its certificate.
struct Receiver {
    url: String,
    current: Arc<Mutex<TlsAcceptor>>,
    refused: Arc<AtomicUsize>,
    got: Arc<Mutex<Vec<Value>>>,
}

fn certificate() -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap()
}

fn acceptor(certificate: &CertifiedKey<rcgen::KeyPair>) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Receiver {
    async fn start(shown: &CertifiedKey<rcgen::KeyPair>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("https://{}/v2/enqueue", listener.local_addr().unwrap()),
            current: Arc::new(Mutex::new(acceptor(shown))),
            refused: Arc::default(),
            got: Arc::default(),
        };
        let (current, refused, got) = (
            Arc::clone(&receiver.current),
            Arc::clone(&receiver.refused),
            Arc::clone(&receiver.got),
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = current.lock().unwrap().clone();
                let Ok(stream) = acceptor.accept(stream).await else {
                    refused.fetch_add(1, Ordering::SeqCst);
                    continue;
                };
                let take = service_fn(async |request: http::Request<hyper::body::Incoming>| {
                    let body = request.into_body().collect().await?.to_bytes();
                    got.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                    Ok::<_, hyper::Error>(Response::new(Full::<Bytes>::default()))
                });
                let served =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), take);
                drop(served.await);
            }
        });
        receiver
    }
}

#[tokio::test]
async fn an_alert_over_tls_waits_until_the_certificate_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let (blue, green) = (slot("v1", 200).await, slot("v2", 500).await);
    let (right, wrong) = (certificate(), certificate());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, right.cert.pem()).unwrap();
    let receiver = Receiver::start(&wrong).await;
    let more = format!(
        "[alert]\nca = {ca:?}\n[[alert.receiver]]\nkind = \"pagerduty\"\nurl = {:?}\nrouting_key = \"key\"\n",
        receiver.url
    );
    let edge = Edge::start(&config(folder.path(), &blue, &green, &more)).await;
    edge.deploy().await;
    edge.write_until_rolled_back().await;
    until("two refused attempts", async || {
        (receiver.refused.load(Ordering::SeqCst) >= 2).then_some(())
    })
    .await;
    assert!(receiver.got.lock().unwrap().is_empty());
    assert!(edge.has_logged("invalid peer certificate"));

    *receiver.current.lock().unwrap() = acceptor(&right);
    until("the alert", async || {
        (!receiver.got.lock().unwrap().is_empty()).then_some(())
    })
    .await;
    let got = receiver.got.lock().unwrap();
    assert_eq!(got[0]["payload"]["custom_details"]["kind"], "rolled-back");
}
