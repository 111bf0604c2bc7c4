//! Starts the real edge, with releases and receivers in the test process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use wiremock::matchers::{any, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Generous, for slow machines.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Polls until a condition gives a value.
pub(crate) async fn until<T>(what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = poll().await {
            return seen;
        }
        assert!(began.elapsed() < TIMEOUT, "timed out waiting for {what}");
        wait(Duration::from_millis(2)).await;
    }
}

pub(crate) async fn wait(this_long: Duration) {
    tokio::time::sleep_until(tokio::time::Instant::now() + this_long).await;
}

/// A release that answers POST with `post` and everything else with 200.
pub(crate) async fn slot(release: &str, post: u16) -> MockServer {
    let server = MockServer::start().await;
    let answer = |status: u16| ResponseTemplate::new(status).insert_header("x-release", release);
    Mock::given(method("POST"))
        .respond_with(answer(post))
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(answer(200)).mount(&server).await;
    server
}

/// Makes a receiver answer everything with this status.
pub(crate) async fn answer(receiver: &MockServer, status: u16) {
    receiver.reset().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(status))
        .mount(receiver)
        .await;
}

/// The bodies that a receiver got at a path.
pub(crate) async fn bodies(receiver: &MockServer, path: &str) -> Vec<Value> {
    let requests = receiver.received_requests().await.unwrap();
    requests
        .iter()
        .filter(|request| request.url.path() == path)
        .map(|request| serde_json::from_slice(&request.body).unwrap())
        .collect()
}

/// A configuration with v1 live in blue and green free, short pauses between attempts, and `more` at its end.
pub(crate) fn config(folder: &Path, blue: &MockServer, green: &MockServer, more: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntoken = \"open sesame\"\nstate = {:?}\n\
         identity = \"x-release\"\nlive = {{ slot = \"blue\", release = \"v1\" }}\n\
         slot.blue.url = {:?}\nslot.green.url = {:?}\nproxy.deadline = \"2s\"\nproxy.give_up = \"5s\"\n\
         [alert.patience]\nfirst_pause = \"5ms\"\nlongest_pause = \"20ms\"\n{more}",
        folder.join("state"),
        blue.uri(),
        green.uri(),
    )
}

/// A running edge; killed when this is dropped.
pub(crate) struct Edge {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    pub(crate) users: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Edge {
    pub(crate) async fn start(config: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_edge"))
            .env("EDGE_CONFIG", config)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let (lines, written) = (
            BufReader::new(child.stderr.take().unwrap()).lines(),
            Arc::clone(&log),
        );
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| written.lock().unwrap().push(line))
        });
        let addresses = until("the edge's addresses", async || {
            let log = log.lock().unwrap();
            let line = log.iter().find_map(|line| line.split_once("for users on "))?.1;
            let (users, admin) = line.split_once(", for the pipeline on ")?;
            Some((users.parse().unwrap(), admin.parse().unwrap()))
        });
        let (users, admin) = addresses.await;
        Self {
            child,
            log,
            users,
            admin,
        }
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether its log contains this text.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(text))
    }

    /// The events in its log.
    pub(crate) fn logged(&self) -> Vec<Value> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter_map(|line| serde_json::from_str(line.split_once("event ")?.1).ok())
            .collect()
    }

    /// Sends a request to the admin listener.
    pub(crate) async fn administer(&self, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
        let (status, _, body) = ask(self.admin, method, path, body).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Sends a request as a user; the status and the release that answered.
    pub(crate) async fn ask(&self, method: &str) -> (StatusCode, String) {
        let (status, release, _) = ask(self.users, method, "/path", "").await.unwrap();
        (status, release)
    }

    /// Registers v2 in green.
    pub(crate) async fn register(&self) {
        let new = r#"{"release": "v2", "slot": "green"}"#;
        let (status, said) = self.administer("POST", "/releases", new).await;
        assert_eq!(status, 200, "{said}");
    }

    /// Registers and promotes v2 in green.
    pub(crate) async fn deploy(&self) {
        self.register().await;
        let (status, said) = self.administer("POST", "/releases/v2/promote", "").await;
        assert_eq!(status, 200, "{said}");
    }

    pub(crate) async fn live(&self) -> String {
        let (_, status) = self.administer("GET", "/status", "").await;
        status["live"]["release"].as_str().unwrap().to_owned()
    }

    /// Sends writes until v1 is live again; each must be answered with 200.
    pub(crate) async fn write_until_rolled_back(&self) {
        until("the rollback to v1", async || {
            assert_eq!(self.ask("POST").await, (StatusCode::OK, "v1".into()));
            (self.live().await == "v1").then_some(())
        })
        .await;
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The status, the release and the body of an answer; `None` when there was none.
pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
) -> Option<(StatusCode, String, Bytes)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"))
        .header("authorization", "Bearer open sesame")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_owned())))
        .unwrap();
    let answer = client.request(request).await.ok()?;
    let release = answer.headers().get("x-release");
    let release = release.map_or("", |name| name.to_str().unwrap()).to_owned();
    let status = answer.status();
    Some((
        status,
        release,
        answer.into_body().collect().await.ok()?.to_bytes(),
    ))
}
