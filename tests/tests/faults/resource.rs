//! Faults of resources.

use std::time::{Duration, Instant};

use firedrill::backend::State;
use firedrill::wait::{self, Poll};
use serde_json::json;

use crate::stage::{Kind, Stage, fault, right};

proves! {
    "limit-memory" a_leak_meets_the_memory_limit_and_then_no_longer: |kind, name| memory(kind, name);
    "starve-cpu" a_starved_service_is_slow_until_it_is_fed: |kind, name| starved(kind, name);
    "limit-pids" without_pids_it_cannot_start_and_with_them_it_can: |kind, name| pids(kind, name);
}

async fn memory(kind: Kind, name: &str) {
    let fault = fault(name, json!({ "service": "app", "memory": "64MiB" }));
    let Some(stage) = Stage::of(kind, "leaky", &[fault.as_ref()]).await else {
        return;
    };
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

async fn starved(kind: Kind, name: &str) {
    let fault = fault(name, json!({ "service": "app", "cpu": "1%" }));
    let Some(stage) = Stage::of(kind, "v3", &[fault.as_ref()]).await else {
        return;
    };
    stage.inject(0, fault.as_ref()).await;
    let during = time_of_answers(&stage).await;
    stage.revert(0, fault.as_ref()).await;
    let after = time_of_answers(&stage).await;
    assert!(during > after * 2, "{during:?} during, {after:?} after");
    stage.close().await;
}

async fn pids(kind: Kind, name: &str) {
    let fault = fault(name, json!({ "service": "app", "pids": 1 }));
    let Some(stage) = Stage::of(kind, "v3", &[fault.as_ref()]).await else {
        return;
    };
    stage.inject(0, fault.as_ref()).await;
    stage.backend.kill("app").await.unwrap();
    let _ = stage.backend.start("app").await;
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
