//! The dependencies build with the minimum Rust version that `Cargo.toml` states.
//!
//! Takes cargo's view of the workspace, offline. Clippy's lint `incompatible_msrv` checks the workspace's code itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::Command;

use serde::Deserialize;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    rust_version: Option<String>,
}

fn cargo(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(args).args(["--locked", "--offline"]);
    let output = command.current_dir(acceptance::workspace()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {}: {errors}", args.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// The packages that the workspace builds here. The metadata alone also lists optional ones that no feature turns on.
fn packages() -> Vec<Package> {
    let tree = cargo(&["tree", "--workspace", "--prefix", "none", "--format", "{p}"]);
    // A line is `name v1.2.3`; a path follows for crates of the workspace.
    let built: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect();
    let metadata = cargo(&["metadata", "--format-version", "1"]);
    let mut packages = serde_json::from_str::<Metadata>(&metadata).unwrap().packages;
    packages.retain(|package| built.contains(&(&*package.name, &*package.version)));
    assert!(
        packages.len() > 100,
        "cargo lists only {} packages",
        packages.len()
    );
    packages
}

/// Major and minor: `1.88.0` is the same as `1.88`.
fn version(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap_or(0))
}

#[test]
fn every_dependency_builds_with_the_minimum_rust_version() {
    let packages = packages();
    let firedrill = packages.iter().find(|package| package.name == "firedrill");
    let minimum = version(firedrill.unwrap().rust_version.as_deref().unwrap());
    let newer: Vec<String> = packages
        .iter()
        .filter(|package| {
            package
                .rust_version
                .as_deref()
                .is_some_and(|needs| version(needs) > minimum)
        })
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    assert!(
        newer.is_empty(),
        "they need a newer Rust than `rust-version`: {newer:?}"
    );
}
