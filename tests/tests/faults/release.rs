//! Deploying a release: what is deployed is what users meet, and the way back is another deploy.

use firedrill::fault::Fault;
use serde_json::json;

use crate::stage::{Kind, Stage, broken, fault, right};

proves! {
    "deploy" a_bad_release_is_what_users_meet_until_a_good_one_is_deployed: |kind, name| deployed(kind, name);
}

async fn deployed(kind: Kind, name: &str) {
    let [bad, good] = ["wrong-redirect", "v3"].map(|release| {
        let params = json!({ "service": "app", "release": release });
        fault(name, params)
    });
    let Some(stage) = Stage::of(kind, "v3", &[bad.as_ref(), good.as_ref()]).await else {
        return;
    };
    stage.inject(0, bad.as_ref()).await;
    let during = stage.get().await;
    assert!(during != right() && !broken(&during), "{during:?}");
    refused_to_revert(&stage, bad.as_ref()).await;
    stage.inject(1, good.as_ref()).await;
    assert_eq!(stage.get().await, right());
    stage.close().await;
}

/// The harness never rolls a release back: that is the system's own affair.
async fn refused_to_revert(stage: &Stage, fault: &dyn Fault) {
    let reverted = fault.revert(&stage.context(0)).await;
    assert!(reverted.is_err(), "{reverted:?}");
}
