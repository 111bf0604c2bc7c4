//! Every fault proves itself: on each target it disrupts, and its revert restores. The same bodies run on local processes
//! and in containers; where no engine answers the container half is passed over and says so, but never in CI.
//!
//! Faces the library: a target, a fault from its words in a scenario, and the shortener as somebody to break.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill::fault::{self, Context, Fault};
use firedrill::link::Links;
use firedrill::scenario::{FaultCall, Plan, Project, ResourceLimits, Restart};
use firedrill::target::{self, Kind, Spec, State, Target};
use firedrill::units::Size;
use firedrill::wait::{self, Poll};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

/// A shortener on a target, with one link stored.
struct Stage {
    target: Arc<dyn Target>,
    plan: Plan,
    folder: tempfile::TempDir,
    client: reqwest::Client,
    links: Links,
}

/// What a release is asked, and what a user gets.
#[derive(Debug, PartialEq)]
enum Seen {
    Answer(u16, String),
    Nothing,
}

/// The system: one shortener.
fn plan(release: &str) -> Plan {
    let system = json!({
        "summary": "the shortener by itself",
        "service": { "app": {
            "build": { "package": { "name": "shortener" } }, "args": ["serve"], "release": release, "port": 8000,
            "ready": { "path": "/readyz", "within": "30s" }, "volumes": { "store": "/data" },
            "env": {
                "SHORTENER_RELEASE": "{release}", "SHORTENER_LISTEN": "{listen}",
                "SHORTENER_STORE": "{volume.store}", "SHORTENER_SECRET": "rehearsal only",
                "SHORTENER_HEAL_AFTER_MS": "60000",
            },
        } },
    });
    let scenario = json!({ "summary": "one fault", "system": "system.toml" });
    Plan {
        name: "faults".into(),
        folder: Path::new(env!("CARGO_MANIFEST_DIR")).to_owned(),
        scenario: serde_json::from_value(scenario).unwrap(),
        system: serde_json::from_value(system).unwrap(),
        project: Project::default(),
    }
}

/// Whether tests of this target run here. In CI an engine that does not answer is a failure.
async fn here(kind: Kind) -> bool {
    match kind {
        Kind::Process => true,
        Kind::Docker => match target::engine().await {
            Ok(_) => true,
            Err(error) if std::env::var_os("CI").is_some() => panic!("{error}"),
            Err(error) => skipped(&error.to_string()),
        },
    }
}

#[expect(clippy::print_stderr, reason = "a test that is passed over says why")]
fn skipped(why: &str) -> bool {
    eprintln!("SKIPPED: {why}");
    false
}

impl Stage {
    async fn open(kind: Kind, release: &str, limits: ResourceLimits, restart: Restart) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(release);
        let run = format!("test-{:08x}", rand::random::<u32>());
        let target = target::open(kind, &run, folder.path()).await.unwrap();
        let mut sources = target::sources(&plan.system, &plan.folder, &|_: &str| {})
            .await
            .unwrap();
        let service = &plan.system.services["app"];
        let spec = Spec {
            name: "app".into(),
            source: sources.remove("app").unwrap(),
            args: service.args.clone(),
            env: service.env.clone(),
            release: service.release.clone(),
            port: service.port,
            ports: service.ports.clone(),
            volumes: service.volumes.clone(),
            shares: Default::default(),
            restart,
            limits,
        };
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none());
        let client = client
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(2))
            .build()
            .unwrap();
        let stage = Self {
            target,
            plan,
            folder,
            client,
            links: Links::default(),
        };
        stage.target.create(spec).await.unwrap();
        stage.start().await;
        assert_eq!(stage.post("known").await.0, 200, "the link is stored");
        stage
    }

    async fn start(&self) {
        self.target.start("app").await.unwrap();
        self.ready().await;
    }

    async fn ready(&self) {
        target::ready(
            self.target.as_ref(),
            "app",
            &self.plan.system.services["app"].ready,
        )
        .await
        .unwrap();
    }

    fn address(&self) -> SocketAddr {
        self.target.address("app", None).unwrap()
    }

    fn file(&self) -> Vec<u8> {
        std::fs::read(self.target.volume("app", "store").unwrap().join("urls.json")).unwrap_or_default()
    }

    /// Follows the stored link.
    async fn get(&self) -> Seen {
        match self
            .client
            .get(format!("http://{}/known", self.address()))
            .send()
            .await
        {
            Ok(answer) => {
                let place = answer
                    .headers()
                    .get("location")
                    .map_or("", |place| place.to_str().unwrap_or_default());
                Seen::Answer(answer.status().as_u16(), place.to_owned())
            }
            Err(_) => Seen::Nothing,
        }
    }

    /// Stores a link; the status and by what it was served.
    async fn post(&self, code: &str) -> (u16, String) {
        let call = self.client.post(format!("http://{}/your-url", self.address()));
        let body = format!("code={code}&url=https%3A%2F%2Fexample.org%2F{code}");
        let call = call
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        match call.send().await {
            Ok(answer) => {
                let by = answer
                    .headers()
                    .get("x-served-by")
                    .map_or("", |by| by.to_str().unwrap_or_default());
                (answer.status().as_u16(), by.to_owned())
            }
            Err(_) => (0, String::new()),
        }
    }

    fn context<'a>(&'a self, step: usize, aside: &'a Path) -> Context<'a> {
        std::fs::create_dir_all(aside).unwrap();
        Context {
            target: self.target.as_ref(),
            plan: &self.plan,
            links: &self.links,
            alerts: None,
            step,
            aside,
            seed: 7,
        }
    }

    fn aside(&self, step: usize) -> std::path::PathBuf {
        self.folder.path().join("aside").join(step.to_string())
    }

    async fn inject(&self, step: usize, fault: &dyn Fault) -> String {
        let aside = self.aside(step);
        let injected = fault.inject(&self.context(step, &aside)).await;
        injected.unwrap().evidence.expect("what proves it")
    }

    async fn revert(&self, step: usize, fault: &dyn Fault) -> String {
        let aside = self.aside(step);
        fault.revert(&self.context(step, &aside)).await.unwrap()
    }

    async fn state(&self) -> State {
        self.target.state("app").await.unwrap()
    }

    async fn close(self) {
        self.target.clean().await.unwrap();
        assert!(!self.folder.path().join("volumes").exists(), "nothing is left");
    }
}

fn right() -> Seen {
    Seen::Answer(302, "https://example.org/known".into())
}

fn fault(name: &str, params: Value) -> Box<dyn Fault> {
    fault::parse(&FaultCall {
        name: name.into(),
        params,
    })
    .unwrap()
}

/// Why this target cannot do what the fault needs: then it must say so.
fn unsupported(stage: &Stage, fault: &dyn Fault) -> Option<String> {
    fault
        .needs()
        .into_iter()
        .find_map(|need| stage.target.can(need).err())
}

fn app() -> Value {
    json!({ "service": "app" })
}

fn stored() -> Value {
    json!({ "service": "app", "volume": "store", "file": "urls.json" })
}

/// What a fault must do to users, and what its revert must bring back.
async fn proves(kind: Kind, release: &str, name: &str, params: Value, disrupted: impl Fn(&Seen) -> bool) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, release, ResourceLimits::default(), Restart::No).await;
    let fault = fault(name, params);
    if let Some(why) = unsupported(&stage, fault.as_ref()) {
        skipped(&format!("{name}: {why}"));
        return stage.close().await;
    }
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

fn broken(seen: &Seen) -> bool {
    matches!(seen, Seen::Answer(500.., _))
}

fn silent(seen: &Seen) -> bool {
    *seen == Seen::Nothing
}

/// A test for each target from one body.
macro_rules! on_both {
    ($($name:ident: |$kind:ident| $body:expr;)*) => {
        mod process {
            use super::*;
            $(#[tokio::test] async fn $name() { let $kind = Kind::Process; $body.await })*
        }
        mod docker {
            use super::*;
            $(#[tokio::test] async fn $name() { let $kind = Kind::Docker; $body.await })*
        }
    };
}

on_both! {
    kill_ends_the_process_and_its_revert_starts_it: |kind| proves(kind, "v3", "kill", app(), silent);
    stop_ends_the_process_and_its_revert_starts_it: |kind| proves(kind, "v3", "stop", app(), silent);
    pause_silences_and_its_revert_lets_it_speak: |kind| proves(kind, "v3", "pause", app(), silent);
    a_truncated_store_fails_until_it_is_whole: |kind| proves(kind, "v1", "truncate-file", stored(), broken);
    an_emptied_store_fails_until_it_is_filled: |kind| proves(kind, "v1", "empty-file", stored(), broken);
    garbage_fails_until_it_is_replaced: |kind| proves(kind, "v1", "garbage-file", stored(), broken);
    a_wrong_shape_fails_until_it_is_right: |kind| proves(kind, "v1", "wrong-shape", stored(), |seen| *seen != right());
    a_flipped_bit_is_there_until_it_is_put_back: |kind| flipped(kind);
    a_deleted_store_knows_nothing_until_it_is_back: |kind| proves(kind, "v1", "delete-file", stored(), |seen| *seen != right());
    a_torn_write_fails_until_it_is_mended: |kind| proves(kind, "v1", "tear-write", stored(), broken);
    an_unreadable_store_fails_until_it_may_be_read: |kind| proves(kind, "v1", "unreadable-file", stored(), broken);
    a_read_only_volume_takes_nothing_until_it_may_be_written: |kind| read_only(kind);
    a_full_disk_takes_nothing_until_there_is_space: |kind| full_disk(kind);
    restart_leaves_another_process: |kind| restarted(kind);
    a_crash_loop_is_seen_in_the_growing_pauses: |kind| crash_loop(kind);
    a_leak_meets_the_memory_limit_and_then_no_longer: |kind| memory(kind);
    a_starved_service_is_slow_until_it_is_fed: |kind| starved(kind);
    without_pids_it_cannot_start_and_with_them_it_can: |kind| pids(kind);
    overlapping_damages_are_reverted_in_either_order: |kind| overlapping_files(kind);
    overlapping_permissions_are_reverted_in_either_order: |kind| overlapping_permissions(kind);
    overlapping_outages_are_reverted_in_either_order: |kind| overlapping_outages(kind);
    what_cannot_take_effect_says_so: |kind| without_effect(kind);
}

async fn flipped(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "v1", ResourceLimits::default(), Restart::No).await;
    let (fault, before) = (fault("flip-bit", stored()), stage.file());
    stage.inject(0, fault.as_ref()).await;
    let bits: u32 = before
        .iter()
        .zip(stage.file())
        .map(|(a, b)| (a ^ b).count_ones())
        .sum();
    assert_eq!(bits, 1);
    stage.revert(0, fault.as_ref()).await;
    assert_eq!((stage.file(), stage.get().await), (before, right()));
    stage.close().await;
}

async fn read_only(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "v1", ResourceLimits::default(), Restart::No).await;
    let fault = fault("read-only", json!({ "service": "app", "volume": "store" }));
    if let Some(why) = unsupported(&stage, fault.as_ref()) {
        skipped(&why);
        return stage.close().await;
    }
    stage.inject(0, fault.as_ref()).await;
    assert_eq!(
        (stage.post("during").await.0, stage.get().await),
        (500, right()),
        "reads go on, writes fail"
    );
    stage.revert(0, fault.as_ref()).await;
    assert_eq!(stage.post("after").await.0, 200);
    stage.close().await;
}

async fn full_disk(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let limits = ResourceLimits {
        volume: [("store".to_owned(), Size(1 << 20))].into(),
        ..Default::default()
    };
    let probe = target::open(kind, "test-probe", Path::new("/tmp")).await.unwrap();
    if let Err(why) = probe.can(target::Capability::SizedVolumes) {
        skipped(&why);
        return;
    }
    let stage = Stage::open(kind, "v3", limits, Restart::No).await;
    let fault = fault("fill-disk", json!({ "service": "app", "volume": "store" }));
    assert_eq!(stage.post("before").await, (200, "store".into()));
    stage.inject(0, fault.as_ref()).await;
    let during = stage.post("during").await;
    assert_ne!(during.1, "store", "nothing can be stored: {during:?}");
    assert_eq!(stage.get().await, right(), "reads go on");
    stage.revert(0, fault.as_ref()).await;
    let stores = async || match stage.post("after").await {
        (200, by) if by == "store" => Poll::Done(()),
        seen => Poll::<(), String>::NotYet(format!("{seen:?}")),
    };
    wait::until("a write that is stored", Duration::from_secs(10), stores)
        .await
        .unwrap();
    stage.close().await;
}

async fn restarted(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "v3", ResourceLimits::default(), Restart::No).await;
    let before = stage.state().await;
    stage.inject(0, fault("restart", app()).as_ref()).await;
    assert!(matches!(stage.state().await, State::Running(_)));
    assert_ne!(stage.state().await, before, "another process");
    assert_eq!(stage.get().await, right());
    stage.close().await;
}

async fn crash_loop(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "v3", ResourceLimits::default(), Restart::Always).await;
    let before = stage.state().await;
    let evidence = stage
        .inject(
            0,
            fault("crash-loop", json!({ "service": "app", "times": 3 })).as_ref(),
        )
        .await;
    let pauses: Vec<u64> = evidence
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|text| text.parse().ok())
        .collect();
    assert!(
        matches!(pauses[..], [3, first, .., last] if last > first),
        "the pauses grow: {evidence}"
    );
    stage.ready().await;
    assert_ne!(stage.state().await, before, "another process");
    stage.close().await;
}

async fn memory(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "leaky", ResourceLimits::default(), Restart::No).await;
    let fault = fault("limit-memory", json!({ "service": "app", "memory": "64MiB" }));
    stage.inject(0, fault.as_ref()).await;
    let ends = async || match stage.state().await {
        state if state.is_over() => Poll::Done(state),
        state => {
            stage.get().await;
            Poll::<State, String>::NotYet(state.to_string())
        }
    };
    let ended = wait::until("its end", Duration::from_secs(30), ends)
        .await
        .unwrap();
    assert!(kind == Kind::Process || ended == State::OutOfMemory, "{ended}");
    stage.revert(0, fault.as_ref()).await;
    stage.start().await;
    for _ in 0..60 {
        assert_eq!(stage.get().await, right(), "it may leak again");
    }
    stage.close().await;
}

async fn time_of_answers(stage: &Stage) -> Duration {
    let since = Instant::now();
    for _ in 0..100 {
        stage.get().await;
    }
    since.elapsed()
}

async fn starved(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "v3", ResourceLimits::default(), Restart::No).await;
    let fault = fault("starve-cpu", json!({ "service": "app", "cpu": "1%" }));
    if let Some(why) = unsupported(&stage, fault.as_ref()) {
        skipped(&why);
        return stage.close().await;
    }
    stage.inject(0, fault.as_ref()).await;
    let during = time_of_answers(&stage).await;
    stage.revert(0, fault.as_ref()).await;
    let after = time_of_answers(&stage).await;
    assert!(during > after * 2, "{during:?} during, {after:?} after");
    stage.close().await;
}

async fn pids(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "v3", ResourceLimits::default(), Restart::No).await;
    let fault = fault("limit-pids", json!({ "service": "app", "pids": 1 }));
    if let Some(why) = unsupported(&stage, fault.as_ref()) {
        skipped(&why);
        return stage.close().await;
    }
    stage.inject(0, fault.as_ref()).await;
    stage.target.kill("app").await.unwrap();
    let _ = stage.target.start("app").await;
    let ends = async || match stage.state().await {
        state if state.is_over() => Poll::Done(()),
        state => Poll::<(), String>::NotYet(state.to_string()),
    };
    wait::until("no life without threads", Duration::from_secs(10), ends)
        .await
        .unwrap();
    stage.revert(0, fault.as_ref()).await;
    stage.start().await;
    assert_eq!(stage.get().await, right());
    stage.close().await;
}

/// Two faults, injected in order and reverted in both.
async fn overlap(stage: &Stage, first: &dyn Fault, second: &dyn Fault, disrupted: impl Fn(&Seen) -> bool) {
    for order in [[0, 1], [1, 0]] {
        let faults = [first, second];
        stage.inject(0, first).await;
        stage.inject(1, second).await;
        stage.revert(order[0], faults[order[0]]).await;
        let between = stage.get().await;
        assert!(
            disrupted(&between),
            "one is still in effect: {between:?}, {order:?}"
        );
        stage.revert(order[1], faults[order[1]]).await;
        assert_eq!(stage.get().await, right(), "{order:?}");
    }
}

async fn overlapping_files(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "v1", ResourceLimits::default(), Restart::No).await;
    let before = stage.file();
    overlap(
        &stage,
        fault("truncate-file", stored()).as_ref(),
        fault("garbage-file", stored()).as_ref(),
        broken,
    )
    .await;
    assert_eq!(stage.file(), before);
    stage.close().await;
}

async fn overlapping_permissions(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "v1", ResourceLimits::default(), Restart::No).await;
    let (first, second) = (
        fault("unreadable-file", stored()),
        fault("read-only", json!({ "service": "app", "volume": "store" })),
    );
    if let Some(why) = unsupported(&stage, first.as_ref()) {
        skipped(&why);
        return stage.close().await;
    }
    for order in [[0, 1], [1, 0]] {
        let faults = [first.as_ref(), second.as_ref()];
        stage.inject(0, first.as_ref()).await;
        stage.inject(1, second.as_ref()).await;
        stage.revert(order[0], faults[order[0]]).await;
        assert_eq!(
            stage.post("during").await.0,
            500,
            "one is still in effect, {order:?}"
        );
        stage.revert(order[1], faults[order[1]]).await;
        assert_eq!(stage.get().await, right(), "{order:?}");
        assert_eq!(
            stage.post(&format!("after-{}", order[0])).await.0,
            200,
            "{order:?}"
        );
    }
    stage.close().await;
}

async fn overlapping_outages(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "v3", ResourceLimits::default(), Restart::No).await;
    overlap(
        &stage,
        fault("kill", app()).as_ref(),
        fault("stop", app()).as_ref(),
        silent,
    )
    .await;
    overlap(
        &stage,
        fault("pause", app()).as_ref(),
        fault("pause", app()).as_ref(),
        silent,
    )
    .await;
    stage.close().await;
}

async fn without_effect(kind: Kind) {
    if !here(kind).await {
        return;
    }
    let stage = Stage::open(kind, "v1", ResourceLimits::default(), Restart::No).await;
    let missing = json!({ "service": "app", "volume": "store", "file": "nothing-there.json" });
    let host = json!({ "service": "app", "volume": "store" });
    for (name, params) in [
        ("truncate-file", missing.clone()),
        ("unreadable-file", missing),
        ("fill-disk", host),
        ("crash-loop", app()),
        ("alert-receiver", json!({ "how": "down" })),
    ] {
        let aside = stage.aside(0);
        let injected = fault(name, params).inject(&stage.context(0, &aside)).await;
        assert!(injected.is_err(), "{name}: {injected:?}");
    }
    assert_eq!(stage.get().await, right(), "nothing was touched");
    stage.close().await;
}
