//! Run folders from somewhere else, with anything in place of their files: every command ends, shows no other file, and
//! writes to none.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use firedrill::backend::{OWNER_FILE, Owner, Process};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::folder;

/// What a file of somebody else contains. No command may print it.
const SECRET: &str = "ERROR password=hunter2-of-the-reader";

/// What may be in a file's place.
#[derive(Debug, Clone, Copy)]
enum Planted {
    Link,
    LinkToFolder,
    Pipe,
    Socket,
    Folder,
    Sparse,
    LineEnds,
    Device,
}

const ALL: [Planted; 8] = [
    Planted::Link,
    Planted::LinkToFolder,
    Planted::Pipe,
    Planted::Socket,
    Planted::Folder,
    Planted::Sparse,
    Planted::LineEnds,
    Planted::Device,
];

/// The files of a run folder, and the folder of its logs.
const FILES: [&str; 7] = [
    "events.jsonl",
    "samples.bin",
    "logs/app.log",
    "logs",
    "verdict.json",
    "undo.jsonl",
    OWNER_FILE,
];

/// Puts something else in a file's place. `false` when this user may not.
fn plant(path: &Path, what: Planted, secret: &Path) -> bool {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        fs::remove_file(path).unwrap();
    }
    let node = |kind, device| mknodat(CWD, path, kind, Mode::RUSR | Mode::WUSR, device);
    match what {
        Planted::Link => symlink(secret, path).unwrap(),
        Planted::LinkToFolder => symlink(secret.parent().unwrap(), path).unwrap(),
        Planted::Pipe => node(FileType::Fifo, 0).unwrap(),
        Planted::Socket => drop(UnixListener::bind(path).unwrap()),
        Planted::Folder => fs::create_dir(path).unwrap(),
        Planted::Sparse => File::create(path).unwrap().set_len(1 << 40).unwrap(),
        Planted::LineEnds => fs::write(path, vec![b'\n'; 8 << 20]).unwrap(),
        // The one of /dev/zero.
        Planted::Device => return node(FileType::CharacterDevice, makedev(1, 5)).is_ok(),
    }
    true
}

/// A run of a killed harness, with an id of its own.
fn lost_run(runs: &Path, number: usize) -> PathBuf {
    let run = runs.join(format!("20261128-103000-killed-1-{number:06x}"));
    fs::create_dir_all(run.join("logs")).unwrap();
    let from = folder("wrong-json-loader");
    let events = fs::read_to_string(from.join("events.jsonl")).unwrap();
    let (head, rest) = events.split_once("\"run\":\"").unwrap();
    let (_, rest) = rest.split_once('"').unwrap();
    let id = run.file_name().unwrap().to_str().unwrap();
    fs::write(run.join("events.jsonl"), format!("{head}\"run\":\"{id}\"{rest}")).unwrap();
    for file in ["samples.bin", "logs/app.log"] {
        fs::copy(from.join(file), run.join(file)).unwrap();
    }
    let process = Process {
        pid: 1,
        started: u64::MAX,
    };
    let dead = Owner {
        process,
        ..Owner::this()
    };
    fs::write(run.join(OWNER_FILE), dead.to_string()).unwrap();
    fs::create_dir(run.join("volumes")).unwrap();
    run
}

/// Runs it with two gigabytes of memory at most, and ends it after a minute.
fn firedrill(folder: &Path, arguments: &[&str]) -> Output {
    let run = "ulimit -v 4000000; exec timeout --signal=KILL 60 \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", run, env!("CARGO_BIN_EXE_firedrill")])
        .args(arguments)
        .current_dir(folder)
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let code = output.status.code();
    // 101: a panic; none or above: killed.
    assert!(
        code.is_some_and(|code| code < 100),
        "{arguments:?}: {code:?} {text}"
    );
    assert!(!text.contains("hunter2"), "{arguments:?}: {text}");
    output
}

#[test]
fn whatever_lies_in_place_of_a_file_no_command_hangs_or_shows_another_file() {
    let place = tempfile::tempdir().unwrap();
    let elsewhere = place.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let secret = elsewhere.join("secret.log");
    fs::write(&secret, SECRET).unwrap();
    let runs = place.path().join("runs");
    lost_run(&place.path().join("base"), 0);
    let mut number = 0;
    for file in FILES {
        for what in ALL {
            number += 1;
            let run = lost_run(&runs, number);
            if !plant(&run.join(file), what, &secret) {
                fs::remove_dir_all(run).unwrap();
            }
        }
    }
    for arguments in [
        &["report", "runs"][..],
        &["report", "runs", "--json"],
        &["report", "runs", "--format", "html", "--output", "page.html"],
        &["merge", "runs"],
        &["projection", "runs", "--years", "1000"],
        &["compare", "base", "runs"],
    ] {
        firedrill(place.path(), arguments);
    }
    let page = fs::read_to_string(place.path().join("page.html")).unwrap();
    assert!(!page.contains("hunter2"), "the page shows another file");
    // A single run that cannot be read says why, and names the file.
    let first = runs.join("20261128-103000-killed-1-000001");
    let refused = firedrill(place.path(), &["report", "--incident", first.to_str().unwrap()]);
    let errors = String::from_utf8(refused.stderr).unwrap();
    let why = "events.jsonl: it is a symbolic link, not a regular file";
    assert!(
        refused.status.code() == Some(2) && errors.contains(why),
        "{errors}"
    );
    firedrill(place.path(), &["clean", "--runs", "runs"]);
    assert_eq!(fs::read_to_string(&secret).unwrap(), SECRET);
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 1);
}

#[test]
fn a_suite_log_that_is_none_is_left_out() {
    let place = tempfile::tempdir().unwrap();
    let secret = place.path().join("secret.log");
    fs::write(&secret, SECRET).unwrap();
    let runs = place.path().join("runs");
    lost_run(&runs, 1);
    for what in ALL {
        let log = runs.join("call-1.jsonl");
        if plant(&log, what, &secret) {
            for command in ["merge", "compare"] {
                firedrill(place.path(), &[command, "runs", "runs"]);
            }
        }
    }
}

#[test]
fn a_report_is_never_written_through_a_link() {
    let place = tempfile::tempdir().unwrap();
    let secret = place.path().join("secret.log");
    fs::write(&secret, SECRET).unwrap();
    let run = lost_run(&place.path().join("runs"), 1);
    symlink(&secret, run.join("report.html")).unwrap();
    let run = run.to_str().unwrap();
    let output = format!("{run}/report.html");
    for arguments in [
        &["report", run, "--open"][..],
        &["report", run, "--output", &output],
    ] {
        let refused = firedrill(place.path(), arguments);
        let errors = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(4), "{errors}");
        assert!(errors.contains("report.html: it is a symbolic link"), "{errors}");
        assert_eq!(fs::read_to_string(&secret).unwrap(), SECRET);
    }
    // What a person names is written as it is named.
    let null = firedrill(place.path(), &["report", run, "--output", "/dev/null"]);
    assert_eq!(null.status.code(), Some(0));
    let piped = firedrill(place.path(), &["report", run, "--output", "/dev/stdout"]);
    assert!(!piped.stdout.is_empty());
}

#[test]
fn links_to_folders_are_not_searched_for_runs() {
    let place = tempfile::tempdir().unwrap();
    let runs = place.path().join("runs");
    let run = lost_run(&runs, 1);
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        symlink(".", runs.join(name)).unwrap();
    }
    symlink("/", runs.join("everything")).unwrap();
    symlink(run.file_name().unwrap(), runs.join("latest")).unwrap();
    let report = firedrill(place.path(), &["report", "runs", "--json"]);
    assert_eq!(String::from_utf8(report.stdout).unwrap().lines().count(), 1);
}
