//! Faults of what is stored.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use firedrill::scenario::{ResourceLimits, Restart};
use firedrill::units::Size;
use firedrill::wait::{self, Poll};

use crate::stage::{Kind, Stage, broken, fault, proves, right, store, stored};

proves! {
    "truncate-file" a_truncated_store_fails_until_it_is_whole: |kind, name| proves(kind, "v1", name, stored(), broken);
    "empty-file" an_emptied_store_fails_until_it_is_filled: |kind, name| proves(kind, "v1", name, stored(), broken);
    "garbage-file" garbage_fails_until_it_is_replaced: |kind, name| proves(kind, "v1", name, stored(), broken);
    "wrong-shape" a_wrong_shape_fails_until_it_is_right: |kind, name| proves(kind, "v1", name, stored(), |seen| *seen != right());
    "flip-bit" a_flipped_bit_is_there_until_it_is_put_back: |kind, name| flipped(kind, name);
    "delete-file" a_deleted_store_knows_nothing_until_it_is_back: |kind, name| proves(kind, "v1", name, stored(), |seen| *seen != right());
    "tear-write" a_torn_write_fails_until_it_is_mended: |kind, name| proves(kind, "v1", name, stored(), broken);
    "tear-write" a_torn_write_that_was_cut_off_leaves_nobody_down: |kind, name| cut_off(kind, name);
    "tear-write" a_write_that_cannot_be_torn_leaves_nobody_down: |kind, name| nothing_to_tear(kind, name);
    "unreadable-file" an_unreadable_store_fails_until_it_may_be_read: |kind, name| proves(kind, "v1", name, stored(), broken);
    "read-only" a_read_only_volume_takes_nothing_until_it_may_be_written: |kind, name| read_only(kind, name);
    "fill-disk" a_full_disk_takes_nothing_until_there_is_space: |kind, name| full_disk(kind, name);
}

async fn flipped(kind: Kind, name: &str) {
    let fault = fault(name, stored());
    let Some(stage) = Stage::of(kind, "v1", &[fault.as_ref()]).await else {
        return;
    };
    let before = stage.file();
    stage.inject(0, fault.as_ref()).await;
    let pairs = before.iter().zip(stage.file());
    let bits: u32 = pairs.map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!(bits, 1);
    stage.revert(0, fault.as_ref()).await;
    assert_eq!((stage.file(), stage.get().await), (before, right()));
    stage.close().await;
}

/// Stopped after the file was torn and before the service is up again.
async fn cut_off(kind: Kind, name: &str) {
    let fault = fault(name, stored());
    let Some(stage) = Stage::of(kind, "v1", &[fault.as_ref()]).await else {
        return;
    };
    let before = stage.file();
    let torn = wait::until("the torn file", Duration::from_secs(30), || {
        std::future::ready(if stage.file().len() < before.len() {
            Poll::<_, String>::Done(())
        } else {
            Poll::NotYet("it is whole".into())
        })
    });
    let context = stage.context(0);
    tokio::select! {
        injected = fault.inject(&context) => panic!("not cut off: {injected:?}"),
        torn = torn => torn.unwrap(),
    }
    assert!(stage.state().await.is_over());
    stage.revert(0, fault.as_ref()).await;
    assert_eq!((stage.file(), stage.get().await), (before, right()));
    stage.close().await;
}

async fn nothing_to_tear(kind: Kind, name: &str) {
    let fault = fault(name, stored());
    let Some(stage) = Stage::of(kind, "v1", &[fault.as_ref()]).await else {
        return;
    };
    let store = stage.backend.volume("app", "store").unwrap();
    std::fs::remove_file(store.join("urls.json")).unwrap();
    assert!(fault.inject(&stage.context(0)).await.is_err());
    stage.ready().await;
    stage.revert(0, fault.as_ref()).await;
    assert!(!stage.state().await.is_over());
    stage.close().await;
}

async fn read_only(kind: Kind, name: &str) {
    let fault = fault(name, store());
    let Some(stage) = Stage::of(kind, "v1", &[fault.as_ref()]).await else {
        return;
    };
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

async fn full_disk(kind: Kind, name: &str) {
    let fault = fault(name, store());
    let limits = ResourceLimits {
        volume: [("store".to_owned(), Size(1 << 20))].into(),
        ..Default::default()
    };
    let Some(stage) = Stage::with(kind, "v3", &[fault.as_ref()], limits, Restart::No).await else {
        return;
    };
    assert_eq!(stage.post("before").await, (200, "store".into()));
    stage.inject(0, fault.as_ref()).await;
    let during = stage.post("during").await;
    assert_ne!(during.1, "store", "nothing can be stored: {during:?}");
    assert_eq!(stage.get().await, right(), "reads go on");
    stage.revert(0, fault.as_ref()).await;
    // Another code each time: a code that was given a signed link meanwhile is taken for good.
    let codes = AtomicUsize::new(0);
    let stores = async || {
        let code = format!("after-{}", codes.fetch_add(1, Ordering::Relaxed));
        match stage.post(&code).await {
            (200, by) if by == "store" => Poll::Done(()),
            seen => Poll::<(), String>::NotYet(format!("{seen:?}")),
        }
    };
    wait::until("a write that is stored", Duration::from_secs(10), stores)
        .await
        .unwrap();
    stage.close().await;
}
