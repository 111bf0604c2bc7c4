//! Services that speak TLS or HTTP/2: what their users get, and over how many connections.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use firedrill_model::sample::{Bad, Clock, Labels, Outcome};
use firedrill_model::scenario::System;
use firedrill_probe::{Endpoint, Seen, Users, ask};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A service, and how many connections it has had.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Starts one. Each connection is told to end after so long, if at all.
    async fn start(tls: Option<ServerConfig>, life: Option<Duration>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
        };
        let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        let count = Arc::clone(&server.connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match acceptor {
                        None => speak(stream, true, life).await,
                        Some(acceptor) => {
                            // A client that does not trust it goes away.
                            let Ok(stream) = acceptor.accept(stream).await else {
                                return;
                            };
                            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                            speak(stream, http2, life).await;
                        }
                    }
                });
            }
        });
        server
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    http2: bool,
    life: Option<Duration>,
) {
    let answer = service_fn(async |_: Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"zoo"))))
    });
    let stream = TokioIo::new(stream);
    if !http2 {
        drop(http1::Builder::new().serve_connection(stream, answer).await);
        return;
    }
    let connection = http2::Builder::new(TokioExecutor::new()).serve_connection(stream, answer);
    let mut connection = pin!(connection);
    if let Some(life) = life {
        let end = firedrill_wait::until_due(Instant::now() + life);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = end => connection.as_mut().graceful_shutdown(),
        }
    }
    drop(connection.await);
}

fn certificate(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).unwrap()
}

fn tls(shown: &CertifiedKey<KeyPair>) -> ServerConfig {
    let key = PrivateKeyDer::try_from(shown.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![shown.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn system(service: &Value, method: &str) -> System {
    let mut app = json!({ "build": { "image": "app" }, "port": 80 });
    app.as_object_mut()
        .unwrap()
        .extend(service.as_object().unwrap().clone());
    let system = json!({
        "summary": "a page",
        "service": { "app": app },
        "journey": [{
            "name": "page", "rate": "100/s", "connections": ["reused"], "deadline": "5s", "timeout": "6s",
            "request": { "method": method, "path": "/" }, "answer": { "status": 200, "body_contains": "zoo" },
        }],
    });
    serde_json::from_value(system).unwrap()
}

/// What users of a service see in half a second.
async fn seen(server: &Server, service: Value, method: &str, folder: &Path) -> Vec<Seen> {
    let system = system(&service, method);
    let entry = Endpoint::new(server.address, &system.services["app"], None, folder).unwrap();
    let users = Arc::new(Users { system, seeded: true });
    let (sink, mut seen) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let prober = firedrill_probe::probe(
        users,
        1,
        entry.into(),
        Clock::start(),
        Labels::default(),
        sink,
        stop.clone(),
    );
    let end = async {
        firedrill_wait::until_due(Instant::now() + Duration::from_millis(500)).await;
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(prober, end);
    ended.unwrap();
    let mut all = Vec::new();
    while let Ok(one) = seen.try_recv() {
        all.push(one);
    }
    all
}

/// The outcomes without those of a prober that had no processor.
fn outcomes(seen: &[Seen]) -> Vec<Outcome> {
    let samples = seen.iter().filter_map(Seen::sample);
    let outcomes: Vec<_> = samples
        .map(|sample| sample.outcome)
        .filter(|outcome| !outcome.is_void())
        .collect();
    assert!(!outcomes.is_empty(), "{seen:?}");
    outcomes
}

fn all_are(seen: &[Seen], wanted: Outcome) {
    let outcomes = outcomes(seen);
    assert!(outcomes.iter().all(|outcome| *outcome == wanted), "{outcomes:?}");
}

/// Whether a text is among what was told of connections.
fn says(seen: &[Seen], text: &str) -> bool {
    seen.iter().any(|seen| match seen {
        Seen::Connected(protocol) => protocol.to_string() == text,
        Seen::ConnectionFailed(cause) => cause.contains(text),
        _ => false,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_share_one_http2_connection() {
    let folder = tempfile::tempdir().unwrap();
    let shown = certificate("localhost");
    std::fs::write(folder.path().join("ca.pem"), shown.cert.pem()).unwrap();
    let server = Server::start(Some(tls(&shown)), None).await;
    let service = json!({ "tls": { "ca": "ca.pem" } });
    let seen = seen(&server, service, "GET", folder.path()).await;
    all_are(&seen, Outcome::Good);
    assert!(says(&seen, "HTTP/2 over TLS 1.3"), "{seen:?}");
    // Those that began before the first connection was there have one each.
    let (connections, requests) = (server.connections.load(Ordering::Relaxed), outcomes(&seen).len());
    assert!(
        connections * 4 < requests,
        "{connections} for {requests} requests"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goaway_costs_no_answer_whatever_the_method() {
    for method in ["GET", "POST"] {
        let server = Server::start(None, Some(Duration::from_millis(15))).await;
        let seen = seen(&server, json!({ "http": "2" }), method, Path::new("")).await;
        all_are(&seen, Outcome::Good);
        assert!(server.connections.load(Ordering::Relaxed) > 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_cannot_be_trusted_is_bad_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (shown, other) = (certificate("localhost"), certificate("localhost"));
    std::fs::write(folder.path().join("other.pem"), other.cert.pem()).unwrap();
    std::fs::write(folder.path().join("own.pem"), shown.cert.pem()).unwrap();
    let server = Server::start(Some(tls(&shown)), None).await;
    for (keys, why) in [
        (json!({ "ca": "other.pem" }), "invalid peer certificate"),
        (
            json!({ "ca": "own.pem", "server_name": "shop.example" }),
            "not valid for name",
        ),
    ] {
        let seen = seen(&server, json!({ "tls": keys }), "GET", folder.path()).await;
        all_are(&seen, Outcome::Bad(Bad::Tls));
        assert!(says(&seen, why), "{why}: {seen:?}");
    }
    let unverified = json!({ "tls": { "verify": false }, "http": "1.1" });
    let seen = seen(&server, unverified, "GET", folder.path()).await;
    all_are(&seen, Outcome::Good);
    assert!(says(&seen, "HTTP/1.1 over TLS 1.3"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_without_tls_fails_users_who_want_it() {
    let server = Server::start(None, None).await;
    let seen = seen(
        &server,
        json!({ "tls": { "verify": false } }),
        "GET",
        Path::new(""),
    )
    .await;
    let outcomes = outcomes(&seen);
    // Which of the two depends on who closes first.
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Bad(Bad::Tls | Bad::Reset));
    assert!(outcomes.iter().all(failed), "{outcomes:?}");
}

#[tokio::test]
async fn one_request_is_asked_over_what_the_service_speaks() {
    let server = Server::start(None, None).await;
    let system = system(&json!({ "http": "2" }), "GET");
    let endpoint = Endpoint::new(server.address, &system.services["app"], None, Path::new("")).unwrap();
    let request = Request::get("/").body(Bytes::new()).unwrap();
    let answer = ask(&endpoint, request, 2, Duration::from_secs(10)).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, &b"zo"[..]));
}

#[test]
fn a_file_without_a_certificate_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "none").unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    for (file, why) in [("ca.pem", "has no certificate"), ("nowhere.pem", "cannot read")] {
        let system = system(&json!({ "tls": { "ca": file } }), "GET");
        let error = Endpoint::new(address, &system.services["app"], None, folder.path());
        let error = error.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(file), "{error}");
    }
}

/// Listing a certificate says who may have issued it, not that it is good for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_certificate_that_has_expired_is_bad() {
    let folder = tempfile::tempdir().unwrap();
    for is_authority in [false, true] {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        if is_authority {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        let signing_key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&signing_key).unwrap();
        let shown = CertifiedKey { cert, signing_key };
        std::fs::write(folder.path().join("own.pem"), shown.cert.pem()).unwrap();
        let server = Server::start(Some(tls(&shown)), None).await;
        let service = json!({ "tls": { "ca": "own.pem" } });
        let seen = seen(&server, service, "GET", folder.path()).await;
        all_are(&seen, Outcome::Bad(Bad::Tls));
    }
}
