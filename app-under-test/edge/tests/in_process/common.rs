//! An edge around two simulated releases in the same process, and a recorder of its events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use edge::body::Body;
use edge::config::{Config, Placed};
use edge::control::Control;
use edge::event::{Event, Listener, Record};
use edge::pipeline::Pipeline;
use edge::proxy::Proxy;
use edge::upstream::Broken;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::util::BoxCloneSyncService;

/// A simulated release.
pub(crate) type Simulated = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, Broken>;

/// How a simulated release answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Answers with this status.
    Answers(u16),
    /// Answers 200 after so many milliseconds.
    AnswersAfter(u64),
    /// Never answers.
    Hangs,
    /// Breaks the connection.
    Breaks,
    /// Breaks an idle connection and answers 200 on a new one.
    StaleOnce,
}

/// A release whose behaviour can be changed while it runs. `/readyz` always answers 200.
pub(crate) fn release(name: &'static str, does: Arc<Mutex<Behaviour>>) -> Simulated {
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Full<Bytes>>| {
        let does = *does.lock().unwrap();
        async move {
            let answer = |status: u16| {
                let response = Response::builder().status(status).header("x-release", name);
                Ok(response.body(Body::text("answer")).unwrap())
            };
            if request.uri().path() == "/readyz" {
                return answer(200);
            }
            let fresh = request.extensions().get::<edge::upstream::Fresh>().is_some();
            match does {
                Behaviour::Answers(status) => answer(status),
                Behaviour::AnswersAfter(ms) => {
                    wait(Duration::from_millis(ms)).await;
                    answer(200)
                }
                Behaviour::Hangs => std::future::pending().await,
                Behaviour::Breaks => Err(broken(false)),
                Behaviour::StaleOnce if fresh => answer(200),
                Behaviour::StaleOnce => Err(broken(true)),
            }
        }
    }))
}

pub(crate) fn broken(stale: bool) -> Broken {
    Broken {
        stale,
        cause: "connection broken by the test".into(),
    }
}

pub(crate) async fn wait(this_long: Duration) {
    tokio::time::sleep_until(tokio::time::Instant::now() + this_long).await;
}

/// Records the events of an edge.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<Record>>);

impl Listener for Recorder {
    fn on_event(&self, record: &Record) {
        self.0.lock().unwrap().push(record.clone());
    }
}

impl Recorder {
    /// The kinds of all events so far.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let kind = |record: &Record| {
            let event = serde_json::to_value(&record.event).unwrap();
            event["kind"].as_str().unwrap().to_owned()
        };
        self.0.lock().unwrap().iter().map(kind).collect()
    }

    fn find(&self, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        let records = self.0.lock().unwrap();
        records
            .iter()
            .map(|record| record.event.clone())
            .find(|event| wanted(event))
    }

    /// Waits for an event.
    pub(crate) async fn wait_for(&self, wanted: impl Fn(&Event) -> bool) -> Event {
        for _ in 0..1000 {
            if let Some(event) = self.find(&wanted) {
                return event;
            }
            wait(Duration::from_millis(5)).await;
        }
        panic!("the event did not occur; events: {:?}", self.kinds());
    }
}

/// An edge with two simulated releases: `old` is live in slot blue.
pub(crate) struct Edge {
    pub(crate) folder: Arc<tempfile::TempDir>,
    pub(crate) control: Arc<Control<Simulated>>,
    pub(crate) proxy: Arc<Proxy<Simulated>>,
    pub(crate) pipeline: Pipeline<Simulated>,
    pub(crate) events: Arc<Recorder>,
}

pub(crate) fn edge(old: Simulated, new: Simulated, more: &str) -> Edge {
    edge_in(Arc::new(tempfile::tempdir().unwrap()), old, new, more)
}

pub(crate) fn edge_in(folder: Arc<tempfile::TempDir>, old: Simulated, new: Simulated, more: &str) -> Edge {
    let text = format!(
        "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntoken = \"open sesame\"\nstate = {:?}\n\
         identity = \"x-release\"\nlive = {{ slot = \"blue\", release = \"old\" }}\n\
         slot.blue.url = \"http://blue\"\nslot.green.url = \"http://green\"\n\
         ready.within = \"300ms\"\n{more}",
        folder.path().join("state"),
    );
    let config = Config::parse(&text).unwrap();
    let slots = BTreeMap::from([("blue".to_owned(), old), ("green".to_owned(), new)]);
    let events = Arc::new(Recorder::default());
    let control = Control::open(&config, slots, vec![Arc::clone(&events) as Arc<dyn Listener>]).unwrap();
    Edge {
        folder,
        proxy: Arc::new(Proxy::new(Arc::clone(&control), config.proxy)),
        pipeline: Pipeline::new(Arc::clone(&control), config.unit, config.staging, &config.state),
        control,
        events,
    }
}

impl Edge {
    /// Registers and promotes `new` in green.
    pub(crate) async fn deploy(&self) {
        let new = Placed {
            slot: "green".into(),
            release: "new".into(),
        };
        self.pipeline.register(new).await.unwrap();
        self.pipeline.promote("new").await.unwrap();
    }

    pub(crate) fn live(&self) -> String {
        self.control.routes().live.release.clone()
    }

    /// Sends a request as a user; the status and the release that answered.
    pub(crate) async fn ask(&self, method: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri("http://edge/path?q=1");
        let answer = self
            .proxy
            .answer(request.body(Full::<Bytes>::default()).unwrap())
            .await;
        let release = answer
            .headers()
            .get("x-release")
            .map_or("", |name| name.to_str().unwrap())
            .to_owned();
        let status = answer.status().as_u16();
        answer.into_body().collect().await.unwrap();
        (status, release)
    }
}

pub(crate) fn behaviour(what: Behaviour) -> Arc<Mutex<Behaviour>> {
    Arc::new(Mutex::new(what))
}
