//! Whatever a service puts in place of the files of its volume, no fault leaves the volume or waits for it.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use acceptance::trials::trial;
use firedrill::scenario::{ResourceLimits, Restart};
use firedrill::units::Size;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::{Value, json};

use crate::stage::{Kind, Stage, fault, store, stored};

/// An operation that waits for a pipe waits for good.
const AT_ONCE: Duration = Duration::from_secs(60);

/// What may be in a file's place.
const PLANTED: [&str; 7] = [
    "link",
    "link-to-folder",
    "link-to-nothing",
    "pipe",
    "device",
    "sparse",
    "folder",
];

/// The faults of a file of a volume that a process of any user feels.
const FAULTS: [&str; 7] = [
    "truncate-file",
    "empty-file",
    "garbage-file",
    "wrong-shape",
    "flip-bit",
    "delete-file",
    "tear-write",
];

pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
    vec![
        trial(
            "planted::no_fault_of_a_file_leaves_its_volume",
            None,
            no_fault_of_a_file_leaves_its_volume,
        ),
        trial(
            "planted::a_revert_replaces_a_link_and_does_not_follow_it",
            None,
            a_revert_replaces_a_link_and_does_not_follow_it,
        ),
        trial("planted::a_ballast_is_a_new_file", None, a_ballast_is_a_new_file),
    ]
}

/// A folder outside the volume, with everything that must stay as it is.
fn sentinels() -> tempfile::TempDir {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "somebody else's").unwrap();
    fs::create_dir(outside.path().join("folder")).unwrap();
    fs::write(outside.path().join("folder/urls.json"), "{}").unwrap();
    outside
}

/// Every file below, with its mode and content.
fn tree(folder: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut tree = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = path.symlink_metadata().unwrap().permissions().mode();
        let content = fs::read(&path).unwrap_or_default();
        tree.push((path.display().to_string(), mode, content));
        if path.is_dir() {
            tree.extend(self::tree(&path));
        }
    }
    tree.sort();
    tree
}

fn remove(path: &Path) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir_all(path);
}

/// Puts something in a file's place. `false` when this user may not.
fn plant(path: &Path, what: &str, outside: &Path) -> bool {
    remove(path);
    let node = |kind, device| mknodat(CWD, path, kind, Mode::RUSR | Mode::WUSR, device);
    match what {
        "link" => symlink(outside.join("secret"), path).unwrap(),
        "link-to-folder" => symlink(outside.join("folder"), path).unwrap(),
        "link-to-nothing" => symlink(outside.join("new"), path).unwrap(),
        "pipe" => node(FileType::Fifo, 0).unwrap(),
        "sparse" => File::create(path).unwrap().set_len(1 << 40).unwrap(),
        "folder" => fs::create_dir(path).unwrap(),
        // The one of /dev/zero, which has no end.
        _ => return node(FileType::CharacterDevice, makedev(1, 5)).is_ok(),
    }
    true
}

async fn no_fault_of_a_file_leaves_its_volume() {
    let outside = sentinels();
    let before = tree(outside.path());
    let Some(stage) = Stage::of(Kind::Process, "v1", &[]).await else {
        return;
    };
    let file = stage.backend.volume("app", "store").unwrap().join("urls.json");
    let whole = fs::read(&file).unwrap();
    let mut step = 0;
    for name in FAULTS {
        for what in PLANTED {
            step += 1;
            if !plant(&file, what, outside.path()) {
                continue;
            }
            let fault = fault(name, stored());
            let context = stage.context(step);
            let injected = tokio::time::timeout(AT_ONCE, fault.inject(&context)).await;
            let injected = injected.unwrap_or_else(|_| panic!("{name} waits for a {what}"));
            assert!(injected.is_err(), "{name} says that it damaged a {what}");
            let reverted = tokio::time::timeout(AT_ONCE, fault.revert(&context)).await;
            assert!(reverted.is_ok(), "the revert of {name} waits for a {what}");
            assert_eq!(tree(outside.path()), before, "{name}, {what}");
            remove(&file);
            fs::write(&file, &whole).unwrap();
        }
    }
    stage.close().await;
}

/// The service replaces what was damaged, and the names that a revert might write to.
async fn a_revert_replaces_a_link_and_does_not_follow_it() {
    let outside = sentinels();
    let before = tree(outside.path());
    let Some(stage) = Stage::of(Kind::Process, "v1", &[]).await else {
        return;
    };
    let volume = stage.backend.volume("app", "store").unwrap();
    let file = volume.join("urls.json");
    let whole = fs::read(&file).unwrap();
    for (step, what) in PLANTED.iter().enumerate() {
        let fault = fault("truncate-file", stored());
        stage.inject(step, fault.as_ref()).await;
        for beside in ["urls.firedrill", "urls.json.firedrill"] {
            plant(&volume.join(beside), "link", outside.path());
        }
        if !plant(&file, what, outside.path()) {
            continue;
        }
        let reverted = tokio::time::timeout(AT_ONCE, fault.revert(&stage.context(step))).await;
        let reverted = reverted.unwrap_or_else(|_| panic!("the revert waits for a {what}"));
        // A folder cannot be replaced by a file, and is the service's own.
        assert_eq!(reverted.is_ok(), *what != "folder", "{what}: {reverted:?}");
        assert_eq!(tree(outside.path()), before, "{what}");
        if *what != "folder" {
            assert_eq!(fs::read(&file).unwrap(), whole, "{what}");
            assert!(!file.is_symlink());
        }
    }
    stage.close().await;
}

async fn a_ballast_is_a_new_file() {
    let outside = sentinels();
    let before = tree(outside.path());
    let fill = fault("fill-disk", merged(store(), json!({ "leave": "0B" })));
    let limits = ResourceLimits {
        volume: [("store".to_owned(), Size(1 << 20))].into(),
        ..Default::default()
    };
    let Some(stage) = Stage::with(Kind::Process, "v3", &[fill.as_ref()], limits, Restart::No).await else {
        return;
    };
    let volume = stage.backend.volume("app", "store").unwrap();
    for (step, what) in PLANTED.iter().enumerate() {
        let ballast = volume.join(format!(".firedrill-ballast-{step}"));
        if !plant(&ballast, what, outside.path()) {
            continue;
        }
        let context = stage.context(step);
        let injected = tokio::time::timeout(AT_ONCE, fill.inject(&context)).await;
        let injected = injected.unwrap_or_else(|_| panic!("fill-disk waits for a {what}"));
        assert!(injected.is_err(), "fill-disk wrote to a {what}");
        let reverted = tokio::time::timeout(AT_ONCE, fill.revert(&context)).await;
        assert!(reverted.unwrap().is_ok(), "{what}");
        assert_eq!(tree(outside.path()), before, "{what}");
        remove(&ballast);
    }
    stage.close().await;
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}
