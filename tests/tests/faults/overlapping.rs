//! Faults that overlap, reverted in either order: what is left of them is in effect, and after the last all is well.

use std::os::unix::fs::PermissionsExt;

use acceptance::trials::{missing, trial};
use firedrill::fault::Fault;
use libtest_mimic::Trial;
use serde_json::json;

use crate::stage::{KINDS, Kind, Seen, Stage, app, broken, fault, name, right, silent, store, stored};

/// A test for each backend from one body.
macro_rules! on_both {
    ($($name:ident: |$kind:ident| $body:expr;)*) => {
        pub(crate) fn trials() -> Vec<Trial> {
            let outside = "overlapping::nothing_outside_the_volume_is_damaged_by_way_of_a_link";
            let mut trials = vec![trial(outside, None, nothing_outside_the_volume_is_damaged_by_way_of_a_link)];
            for kind in KINDS {
                $({
                    let name = name(module_path!(), kind, stringify!($name));
                    trials.push(trial(name, missing(kind, []), move || {
                        let $kind = kind;
                        $body
                    }));
                })*
            }
            trials
        }
    };
}

on_both! {
    damages_are_reverted_in_either_order: |kind| damages(kind);
    permissions_are_given_back_in_either_order: |kind| permissions(kind);
    damages_of_a_shared_volume_are_those_of_one_file: |kind| shared(kind);
    a_damage_and_permissions_leave_each_other_in_force: |kind| damage_and_permissions(kind);
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

/// Two services share a volume, and the file of each is damaged: it is one file.
async fn shared(kind: Kind) {
    let mut other = stored();
    other["service"] = json!("other");
    let (cut, garbage) = (fault("truncate-file", stored()), fault("garbage-file", other));
    let faults = [cut.as_ref(), garbage.as_ref()];
    let Some(stage) = Stage::of(kind, "v1", &faults).await else {
        return;
    };
    let mut spec = stage.backend.spec("app").unwrap();
    (spec.name, spec.volumes) = ("other".into(), Default::default());
    spec.shares = [("store".into(), ("app".into(), "store".into()))].into();
    stage.backend.create(spec).await.unwrap();
    let before = stage.file();
    overlap(&stage, faults, broken).await;
    assert_eq!(stage.file(), before);
    stage.close().await;
}

/// A file that is put back stays unreadable as long as it is to be, and has its own permissions in the end.
async fn damage_and_permissions(kind: Kind) {
    let (cut, unreadable) = (
        fault("truncate-file", stored()),
        fault("unreadable-file", stored()),
    );
    let faults = [cut.as_ref(), unreadable.as_ref()];
    let Some(stage) = Stage::of(kind, "v1", &faults).await else {
        return;
    };
    let path = stage.backend.volume("app", "store").unwrap().join("urls.json");
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = stage.file();
    overlap(&stage, faults, broken).await;
    assert_eq!((stage.file(), mode()), (before, 0o640));
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

/// A service may leave a link in its volume; what is outside is not ours.
async fn nothing_outside_the_volume_is_damaged_by_way_of_a_link() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("urls.json"), "somebody else's").unwrap();
    for name in ["truncate-file", "garbage-file", "unreadable-file", "delete-file"] {
        let file = json!({ "service": "app", "volume": "store", "file": "current/urls.json" });
        let fault = fault(name, file);
        let Some(stage) = Stage::of(Kind::Process, "v1", &[fault.as_ref()]).await else {
            return;
        };
        let link = stage.backend.volume("app", "store").unwrap().join("current");
        std::os::unix::fs::symlink(outside.path(), link).unwrap();
        let injected = fault.inject(&stage.context(0)).await;
        let error = injected.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("leads through a symbolic link"), "{name}: {error}");
        stage.close().await;
    }
    let left = std::fs::read_to_string(outside.path().join("urls.json")).unwrap();
    assert_eq!(left, "somebody else's");
}
