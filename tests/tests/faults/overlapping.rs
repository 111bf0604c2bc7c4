//! Faults that overlap, reverted in either order: what is left of them is in effect, and after the last all is well.

use firedrill::fault::Fault;
use serde_json::json;

use crate::stage::{Kind, Seen, Stage, app, broken, fault, right, silent, store, stored};

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
    damages_are_reverted_in_either_order: |kind| damages(kind);
    permissions_are_given_back_in_either_order: |kind| permissions(kind);
    outages_end_in_either_order: |kind| outages(kind);
}

const ORDERS: [[usize; 2]; 2] = [[0, 1], [1, 0]];

/// Two faults, injected in order and reverted in both.
async fn overlap(stage: &Stage, faults: [&dyn Fault; 2], disrupted: impl Fn(&Seen) -> bool) {
    for order in ORDERS {
        stage.inject(0, faults[0]).await;
        stage.inject(1, faults[1]).await;
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

async fn damages(kind: Kind) {
    let (cut, garbage) = (fault("truncate-file", stored()), fault("garbage-file", stored()));
    let faults = [cut.as_ref(), garbage.as_ref()];
    let Some(stage) = Stage::of(kind, "v1", &faults).await else {
        return;
    };
    let before = stage.file();
    overlap(&stage, faults, broken).await;
    assert_eq!(stage.file(), before);
    stage.close().await;
}

async fn permissions(kind: Kind) {
    let (unreadable, read_only) = (fault("unreadable-file", stored()), fault("read-only", store()));
    let faults = [unreadable.as_ref(), read_only.as_ref()];
    let Some(stage) = Stage::of(kind, "v1", &faults).await else {
        return;
    };
    for order in ORDERS {
        stage.inject(0, faults[0]).await;
        stage.inject(1, faults[1]).await;
        stage.revert(order[0], faults[order[0]]).await;
        let during = stage.post("during").await.0;
        assert_eq!(during, 500, "one is still in effect, {order:?}");
        stage.revert(order[1], faults[order[1]]).await;
        assert_eq!(stage.get().await, right(), "{order:?}");
        let after = stage.post(&format!("after-{}", order[0])).await.0;
        assert_eq!(after, 200, "{order:?}");
    }
    stage.close().await;
}

async fn outages(kind: Kind) {
    let (kill, stop, pause) = (
        fault("kill", app()),
        fault("stop", json!({ "service": "app", "grace": "5s" })),
        fault("pause", app()),
    );
    let Some(stage) = Stage::of(kind, "v3", &[]).await else {
        return;
    };
    overlap(&stage, [kill.as_ref(), stop.as_ref()], silent).await;
    overlap(&stage, [pause.as_ref(), pause.as_ref()], silent).await;
    stage.close().await;
}
