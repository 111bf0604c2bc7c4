//! Faults of a process.

use std::time::{Duration, Instant};

use acceptance::trials::trial;
use firedrill::backend::State;
use firedrill::scenario::{ResourceLimits, Restart};
use firedrill::wait;
use libtest_mimic::Trial;
use serde_json::json;

use crate::stage::{Kind, Stage, app, fault, proves, right, silent};

/// During a pause of its restart policy a service is started by somebody else: only one process comes of it, and none of
/// the old command.
async fn a_service_that_is_started_during_its_back_off_is_not_started_twice() {
    let Some(stage) = Stage::with(
        Kind::Process,
        "v3",
        &[],
        ResourceLimits::default(),
        Restart::Always,
    )
    .await
    else {
        return;
    };
    for _ in 0..3 {
        stage.backend.kill("app").await.unwrap();
        stage.start().await;
    }
    let state = stage.state().await;
    assert!(matches!(state, State::Running(_)), "{state}");
    // Longer than the longest pause that was under way: nobody else has come and taken its place.
    wait::until_due(Instant::now() + Duration::from_secs(1)).await;
    assert_eq!(stage.state().await, state);
    assert_eq!(stage.get().await, right());
    stage.close().await;
}

pub(crate) fn own_trials() -> Vec<Trial> {
    let name = "process::a_service_that_is_started_during_its_back_off_is_not_started_twice";
    let test = a_service_that_is_started_during_its_back_off_is_not_started_twice;
    vec![trial(name, None, test)]
}

proves! {
    "kill" kill_ends_the_process_and_its_revert_starts_it: |kind, name| proves(kind, "v3", name, app(), silent);
    "stop" stop_ends_the_process_and_its_revert_starts_it: |kind, name| proves(kind, "v3", name, app(), silent);
    "pause" pause_silences_and_its_revert_lets_it_speak: |kind, name| proves(kind, "v3", name, app(), silent);
    "restart" restart_leaves_another_process: |kind, name| restarted(kind, name);
    "crash-loop" a_crash_loop_is_seen_in_the_growing_pauses: |kind, name| crash_loop(kind, name);
}

async fn restarted(kind: Kind, name: &str) {
    let fault = fault(name, app());
    let Some(stage) = Stage::of(kind, "v3", &[fault.as_ref()]).await else {
        return;
    };
    let before = stage.state().await;
    stage.inject(0, fault.as_ref()).await;
    assert!(matches!(stage.state().await, State::Running(_)));
    assert_ne!(stage.state().await, before, "another process");
    assert_eq!(stage.get().await, right());
    stage.close().await;
}

async fn crash_loop(kind: Kind, name: &str) {
    let fault = fault(name, json!({ "service": "app", "times": 4 }));
    let limits = ResourceLimits::default();
    let Some(stage) = Stage::with(kind, "v3", &[fault.as_ref()], limits, Restart::Always).await else {
        return;
    };
    let before = stage.state().await;
    let evidence = stage.inject(0, fault.as_ref()).await;
    let (_, pauses) = evidence.split_once("restarted after ").unwrap();
    let pauses: Vec<f64> = pauses.split(", ").map(milliseconds).collect();
    // From 100 ms, doubled each time: a busy machine makes a pause longer than that, nothing makes it shorter.
    assert!(
        matches!(pauses[..], [a, b, c, d] if a >= 100.0 && b >= 200.0 && c >= 400.0 && d >= 800.0),
        "the pauses grow: {evidence}"
    );
    stage.ready().await;
    assert_ne!(stage.state().await, before, "another process");
    stage.close().await;
}

/// A duration as evidence has it: `362 ms` or `1.05 s`.
fn milliseconds(text: &str) -> f64 {
    let (number, unit) = text.split_once(' ').unwrap();
    let factor = if unit == "s" { 1000.0 } else { 1.0 };
    number.parse::<f64>().unwrap() * factor
}
