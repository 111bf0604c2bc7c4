//! `firedrill run --baseline`: the same scenarios for a baseline and for the head, in turn.
//!
//! Turns matter: a machine that gets slower meanwhile then slows both sides alike. `firedrill compare` compares them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::suite_log::{Suite, SuiteLog};
use super::super::{output, scenarios};
use super::schedule::{CannotRecord, Scheduled, Side, start_log};
use firedrill_model::format;
use firedrill_model::scenario::{Problems, SecretError};
use firedrill_runner::Plan;
use firedrill_runner::backend::Kind;
use firedrill_runner::drill;

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The service does not exist.
    #[error("--baseline {service}={release}: {scenario} has no service `{service}`; it has {known}")]
    NoSuchService {
        /// The service named.
        service: String,
        /// The release named.
        release: String,
        /// The scenario without that service.
        scenario: String,
        /// The services that it has.
        known: String,
    },
    /// Both sides would be the same.
    #[error(
        "--baseline {service}={release}: {scenario} already starts with {release}, so there is nothing to compare"
    )]
    SameRelease {
        /// The service named.
        service: String,
        /// The release named.
        release: String,
        /// The scenario that starts with it.
        scenario: String,
    },
    /// A file of the baseline names a secret that cannot be used.
    #[error("the baseline needs a secret")]
    Secret(#[from] SecretError),
    /// A journey of the baseline needs a program that is not here.
    #[error("the baseline needs a program")]
    Program(#[from] Box<drill::Error>),
    /// The folder does not exist.
    #[error("--baseline {0}: no such folder; give a folder of scenarios, or SERVICE=RELEASE")]
    NoSuchFolder(String),
    /// The folder has none of the scenarios.
    #[error("--baseline {0}: none of the scenarios to run are in this folder")]
    NothingInCommon(String),
    /// The baseline's scenarios have mistakes.
    #[error("the baseline's scenarios have problems")]
    Files(Problems),
    /// A suite log cannot be created.
    #[error(transparent)]
    CannotRecord(#[from] CannotRecord),
}

/// One side's scenarios by name, and where its results go.
struct SideSuite {
    side: Side,
    plans: HashMap<String, Arc<Plan>>,
    runs: PathBuf,
    log: Arc<SuiteLog>,
}

/// The drills of both sides in the order baseline, head, head, baseline, …, so that neither side always goes first.
pub(super) fn interleaved(
    baseline: &str,
    heads: Vec<Plan>,
    runs: &Path,
    repeats: u32,
    kind: Kind,
    seed: u64,
) -> Result<Vec<Scheduled>, Error> {
    let baselines = match baseline.split_once('=') {
        Some((service, release)) => other_release(&heads, service, release)?,
        None => other_folder(&heads, baseline)?,
    };
    // Only pairs: a drill without a counterpart costs time and can be compared with nothing.
    let heads: Vec<Plan> = heads
        .into_iter()
        .filter(|head| baselines.iter().any(|baseline| baseline.name == head.name))
        .collect();
    let names: Vec<String> = heads.iter().map(|plan| plan.name.clone()).collect();
    let folder = runs.join(drill::new_run_id("baseline", 1));
    let suite = Suite::new(seed, kind.into(), names.clone(), repeats, None);
    let sides = [
        side_suite(Side::Baseline, baselines, &folder, &suite)?,
        side_suite(Side::Head, heads, &folder, &suite)?,
    ];
    output::note(&format!(
        "{}, {} on each side; then compare with: {}",
        format::count(names.len(), "scenario"),
        format::count(repeats as usize, "repeat"),
        format::command([
            "firedrill",
            "compare",
            &sides[0].runs.display().to_string(),
            &sides[1].runs.display().to_string(),
        ]),
    ));
    Ok(in_turn(&sides, &names, repeats))
}

fn side_suite(side: Side, plans: Vec<Plan>, folder: &Path, suite: &Suite) -> Result<SideSuite, CannotRecord> {
    let runs = folder.join(side.name());
    let plans = plans.into_iter().map(|plan| (plan.name.clone(), Arc::new(plan)));
    Ok(SideSuite {
        side,
        plans: plans.collect(),
        log: start_log(runs.clone(), side.name(), suite)?,
        runs,
    })
}

fn in_turn(sides: &[SideSuite; 2], names: &[String], repeats: u32) -> Vec<Scheduled> {
    let [baseline, head] = sides;
    let mut drills = Vec::new();
    for repeat in 1..=repeats {
        // ABBA: a steady drift of the machine cancels out over two repeats.
        let pair = if repeat % 2 == 1 {
            [baseline, head]
        } else {
            [head, baseline]
        };
        for name in names {
            drills.extend(pair.iter().filter_map(|suite| {
                Some(Scheduled {
                    plan: Arc::clone(suite.plans.get(name)?),
                    repeat,
                    runs: suite.runs.clone(),
                    log: Arc::clone(&suite.log),
                    side: Some(suite.side),
                })
            }));
        }
    }
    drills
}

/// The same scenarios, with a service started on another release.
fn other_release(heads: &[Plan], service: &str, release: &str) -> Result<Vec<Plan>, Error> {
    let mut baselines = Vec::new();
    for head in heads {
        let mut baseline = head.clone();
        let Some(found) = baseline.system.services.get_mut(service) else {
            let known: Vec<&str> = head.system.services.keys().map(String::as_str).collect();
            return Err(Error::NoSuchService {
                service: service.into(),
                release: release.into(),
                scenario: head.name.clone(),
                known: known.join(", "),
            });
        };
        if found.release == release {
            return Err(Error::SameRelease {
                service: service.into(),
                release: release.into(),
                scenario: head.name.clone(),
            });
        }
        // In the scenario too: the history stores it, and must show what was started.
        release.clone_into(&mut found.release);
        baseline.scenario.releases.insert(service.into(), release.into());
        baselines.push(baseline);
    }
    Ok(baselines)
}

/// The scenarios of the same names in another folder. A scenario without a counterpart is named and left out.
fn other_folder(heads: &[Plan], folder: &str) -> Result<Vec<Plan>, Error> {
    if !Path::new(folder).exists() {
        return Err(Error::NoSuchFolder(folder.into()));
    }
    let mut baselines = scenarios::load(&[folder.to_owned()]).map_err(Error::Files)?;
    // The folder may have more scenarios than were asked for.
    baselines.retain(|baseline| heads.iter().any(|head| head.name == baseline.name));
    for head in heads {
        if !baselines.iter().any(|baseline| baseline.name == head.name) {
            output::warning(&format!("{} is not in {folder} and is left out", head.name));
        }
    }
    if baselines.is_empty() {
        return Err(Error::NothingInCommon(folder.into()));
    }
    scenarios::fill_secrets(&mut baselines)?;
    scenarios::find_programs(&baselines).map_err(Box::new)?;
    Ok(baselines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str) -> Plan {
        let scenario = serde_json::json!({ "summary": "made up", "system": "system.toml" });
        let system = serde_json::json!({
            "summary": "one service",
            "service": { "app": { "build": { "image": "app" }, "port": 80, "release": "v3" } },
        });
        Plan {
            name: name.into(),
            folder: std::path::PathBuf::new(),
            scenario: serde_json::from_value(scenario).unwrap(),
            faults: Vec::new(),
            system: serde_json::from_value(system).unwrap(),
            project: firedrill_model::scenario::Project::default(),
            hints: Vec::new(),
            secrets: Default::default(),
        }
    }

    #[test]
    fn baseline_and_head_take_turns_and_neither_is_always_first() {
        let folder = tempfile::tempdir().unwrap();
        let plans = vec![plan("a"), plan("b")];
        let drills = interleaved("app=v1", plans, folder.path(), 2, Kind::Process, 7).unwrap();
        let order: Vec<String> = drills
            .iter()
            .map(|drill| {
                let release = &drill.plan.system.services["app"].release;
                format!(
                    "{} {} {} {release}",
                    drill.repeat,
                    drill.plan.name,
                    drill.side.unwrap().name()
                )
            })
            .collect();
        assert_eq!(
            order,
            [
                "1 a baseline v1",
                "1 a head v3",
                "1 b baseline v1",
                "1 b head v3",
                "2 a head v3",
                "2 a baseline v1",
                "2 b head v3",
                "2 b baseline v1",
            ]
        );
    }

    #[test]
    fn a_baseline_equal_to_the_head_or_without_a_match_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (baseline, message) in [
            ("app=v3", "already starts with v3"),
            ("ap=v1", "has no service `ap`; it has app"),
            ("no-such-folder", "no such folder"),
        ] {
            let refused = interleaved(baseline, vec![plan("a")], folder.path(), 2, Kind::Process, 7);
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(message), "{baseline}: {error}");
        }
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "no run folder was created");
    }
}
