//! What the tests of faults share: the shortener on a backend as somebody to break, and what its users see.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use acceptance::trials;
use firedrill::Plan;
pub(crate) use firedrill::backend::Kind;
use firedrill::backend::{self, Backend, Spec, State};
use firedrill::fault::{self, Context, Fault, Overlaps};
use firedrill::proxy::Proxies;
use firedrill::scenario::{FaultCall, Project, ResourceLimits, Restart};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

/// A shortener on a backend, with one link stored.
pub(crate) struct Stage {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) plan: Plan,
    pub(crate) proxies: Proxies,
    overlaps: Overlaps,
    folder: tempfile::TempDir,
    client: reqwest::Client,
}

/// What a user gets.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Answer(u16, String),
    Nothing,
}

/// The system: one shortener.
fn plan(release: &str, limits: ResourceLimits, restart: Restart) -> Plan {
    // A damaged store must stay damaged until the revert. A store whose disk was full is written anew by its service.
    let heal_after = if limits.volume.is_empty() { "60000" } else { "1000" };
    let system = json!({
        "summary": "the shortener by itself",
        "service": { "app": {
            "build": { "package": { "name": "shortener" } }, "args": ["serve"], "release": release, "port": 8000,
            "ready": { "path": "/readyz", "within": "30s" }, "volumes": { "store": "/data" },
            "restart": restart, "limits": limits,
            "env": {
                "SHORTENER_RELEASE": "{release}", "SHORTENER_LISTEN": "{listen}",
                "SHORTENER_STORE": "{volume.store}", "SHORTENER_SECRET": "rehearsal only",
                "SHORTENER_HEAL_AFTER_MS": heal_after,
            },
        } },
    });
    let scenario = json!({ "summary": "one fault", "system": "system.toml" });
    Plan {
        name: "faults".into(),
        folder: Path::new(env!("CARGO_MANIFEST_DIR")).to_owned(),
        scenario: serde_json::from_value(scenario).unwrap(),
        faults: Vec::new(),
        system: serde_json::from_value(system).unwrap(),
        project: Project::default(),
        hints: Vec::new(),
        secrets: Default::default(),
    }
}

/// A fault from its words in a scenario.
pub(crate) fn fault(name: &str, params: Value) -> Arc<dyn Fault> {
    let call = FaultCall {
        name: name.into(),
        params,
    };
    fault::catalogue().parse(&call).unwrap()
}

/// The backends, in the order in which tests are listed.
pub(crate) const KINDS: [Kind; 2] = [Kind::Process, Kind::Docker];

/// A test's name: `network::docker::latency_makes_late`.
pub(crate) fn name(module: &str, kind: Kind, test: &str) -> String {
    let module = module.rsplit("::").next().unwrap_or(module);
    format!("{module}::{kind}::{test}")
}

/// What a test of this fault lacks on a backend, by the fault's own example.
pub(crate) fn missing(kind: Kind, name: &str) -> Option<String> {
    let kinds = fault::CATALOGUE.iter().map(|entry| entry.kind);
    let example = kinds.filter(|kind| kind.name == name).map(|kind| kind.example);
    let step = format!("step = {{ {} }}", example.collect::<String>());
    let step: Value = toml::from_str(&step).unwrap();
    trials::missing(kind, fault(name, step["step"][name].clone()).needs())
}

/// Why these faults cannot be injected on a backend here; `None` if they can.
pub(crate) async fn unsupported(kind: Kind, faults: &[&dyn Fault]) -> Option<String> {
    let needs: Vec<_> = faults.iter().flat_map(|fault| fault.needs()).collect();
    // On a thread of its own, since it waits for the engine.
    let missing = tokio::task::spawn_blocking(move || trials::missing(kind, needs));
    let why = missing.await.unwrap();
    assert!(
        why.as_ref().is_none_or(|why| why.len() > 20),
        "no reason is given: {why:?}"
    );
    why
}

impl Stage {
    /// A stage for some faults. `None`, and the test is reported as ignored, where the backend cannot inject them.
    pub(crate) async fn of(kind: Kind, release: &str, faults: &[&dyn Fault]) -> Option<Self> {
        Self::with(kind, release, faults, ResourceLimits::default(), Restart::No).await
    }

    /// The same with limits and a restart policy.
    pub(crate) async fn with(
        kind: Kind,
        release: &str,
        faults: &[&dyn Fault],
        limits: ResourceLimits,
        restart: Restart,
    ) -> Option<Self> {
        match unsupported(kind, faults).await {
            None => Some(Self::open(kind, plan(release, limits, restart)).await),
            Some(why) => {
                trials::skip(&why);
                None
            }
        }
    }

    async fn open(kind: Kind, plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = format!("test-{:08x}", rand::random::<u32>());
        let backend = backend::open(kind, &run, folder.path()).await.unwrap();
        let sources = backend::sources(&plan.system, &plan.folder, &|_| {}).await;
        let service = &plan.system.services["app"];
        let spec = Spec::of("app", service, sources.unwrap().remove("app").unwrap());
        backend.create(spec).await.unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(2));
        let stage = Self {
            backend,
            plan,
            proxies: Proxies::default(),
            overlaps: Overlaps::open(&folder.path().join("overlaps")),
            folder,
            client: client.build().unwrap(),
        };
        stage.start().await;
        assert_eq!(stage.post("known").await.0, 200, "the link is stored");
        stage
    }

    pub(crate) async fn start(&self) {
        self.backend.start("app").await.unwrap();
        self.ready().await;
    }

    pub(crate) async fn ready(&self) {
        let ready = &self.plan.system.services["app"].ready;
        let port = ready.port.as_deref();
        let endpoint = self.backend.address("app", port).unwrap().into();
        let ready = backend::ready(self.backend.as_ref(), "app", ready, Some(&endpoint));
        ready.await.unwrap();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.backend.address("app", None).unwrap()
    }

    pub(crate) fn file(&self) -> Vec<u8> {
        std::fs::read(self.backend.volume("app", "store").unwrap().join("urls.json")).unwrap_or_default()
    }

    /// Follows the stored link.
    pub(crate) async fn get(&self) -> Seen {
        let call = self.client.get(format!("http://{}/known", self.address()));
        match call.send().await {
            Ok(answer) => Seen::Answer(answer.status().as_u16(), header(&answer, "location")),
            Err(_) => Seen::Nothing,
        }
    }

    /// Stores a link; the status and by what it was served.
    pub(crate) async fn post(&self, code: &str) -> (u16, String) {
        let call = self.client.post(format!("http://{}/your-url", self.address()));
        let body = format!("code={code}&url=https%3A%2F%2Fexample.org%2F{code}");
        let call = call
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        match call.send().await {
            Ok(answer) => (answer.status().as_u16(), header(&answer, "x-served-by")),
            Err(_) => (0, String::new()),
        }
    }

    /// What a fault of a step may use.
    pub(crate) fn context(&self, step: usize) -> Context<'_> {
        Context {
            backend: self.backend.as_ref(),
            plan: &self.plan,
            proxies: &self.proxies,
            alerts: None,
            overlaps: &self.overlaps,
            logs: self.folder.path(),
            step,
            seed: 7,
        }
    }

    /// Injects; returns the evidence.
    pub(crate) async fn inject(&self, step: usize, fault: &dyn Fault) -> String {
        let injected = fault.inject(&self.context(step)).await;
        injected.unwrap().evidence.expect("evidence")
    }

    pub(crate) async fn revert(&self, step: usize, fault: &dyn Fault) -> String {
        fault.revert(&self.context(step)).await.unwrap()
    }

    pub(crate) async fn state(&self) -> State {
        self.backend.state("app").await.unwrap()
    }

    pub(crate) async fn close(self) {
        self.backend.clean().await.unwrap();
        assert!(!self.folder.path().join("volumes").exists(), "nothing is left");
    }
}

fn header(answer: &reqwest::Response, name: &str) -> String {
    let value = answer.headers().get(name);
    value
        .map_or("", |value| value.to_str().unwrap_or_default())
        .to_owned()
}

/// The right answer to the stored link.
pub(crate) fn right() -> Seen {
    Seen::Answer(302, "https://example.org/known".into())
}

pub(crate) fn broken(seen: &Seen) -> bool {
    matches!(seen, Seen::Answer(500.., _))
}

pub(crate) fn silent(seen: &Seen) -> bool {
    *seen == Seen::Nothing
}

pub(crate) fn app() -> Value {
    json!({ "service": "app" })
}

pub(crate) fn stored() -> Value {
    json!({ "service": "app", "volume": "store", "file": "urls.json" })
}

pub(crate) fn store() -> Value {
    json!({ "service": "app", "volume": "store" })
}

/// What a fault must do to users, and what its revert must bring back.
pub(crate) async fn proves(
    kind: Kind,
    release: &str,
    name: &str,
    params: Value,
    disrupted: impl Fn(&Seen) -> bool,
) {
    let fault = fault(name, params);
    let Some(stage) = Stage::of(kind, release, &[fault.as_ref()]).await else {
        return;
    };
    assert_eq!(stage.get().await, right(), "before");
    let evidence = stage.inject(0, fault.as_ref()).await;
    let during = stage.get().await;
    assert!(
        disrupted(&during),
        "{name} does not disrupt: {during:?}; {evidence}"
    );
    stage.revert(0, fault.as_ref()).await;
    assert_eq!(stage.get().await, right(), "after: {evidence}");
    // Reverted twice is reverted once.
    stage.revert(0, fault.as_ref()).await;
    assert_eq!(stage.get().await, right(), "after a second revert");
    stage.close().await;
}
