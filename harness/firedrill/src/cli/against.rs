//! `firedrill run --against BASE`: the same scenarios on a base and on the head, interleaved, so that whatever drifts
//! on the machine in the meantime meets both alike. `firedrill compare` tells the two sides apart.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::call::{Ordered, Record};
use super::exit::Exit;
use super::{list, output};
use firedrill_model::scenario::Plan;
use firedrill_runner::backend::Kind;
use firedrill_runner::drill;

/// One drill that is to be run.
pub(super) struct Drill {
    /// What.
    pub(super) plan: Arc<Plan>,
    /// Which repeat, from 1.
    pub(super) repeat: u32,
    /// The folder of its run folder.
    pub(super) runs: PathBuf,
    /// Where its end is written down.
    pub(super) record: Arc<Record>,
    /// `base` or `head`, of an interleaved pair.
    pub(super) side: Option<&'static str>,
}

/// One side of all pairs.
struct Side {
    name: &'static str,
    plans: HashMap<String, Arc<Plan>>,
    runs: PathBuf,
    record: Arc<Record>,
}

/// The drills of both sides in the order base, head, head, base, …: neither is always the first.
pub(super) fn ordered(
    base: &str,
    heads: Vec<Plan>,
    runs: &Path,
    repeats: u32,
    kind: Kind,
    seed: u64,
) -> Result<Vec<Drill>, Exit> {
    let bases = match base.split_once('=') {
        Some((service, release)) => of_release(&heads, service, release)?,
        None => of_folder(&heads, base)?,
    };
    let heads: Vec<Plan> = heads
        .into_iter()
        .filter(|head| bases.iter().any(|base| base.name == head.name))
        .collect();
    let names: Vec<String> = heads.iter().map(|plan| plan.name.clone()).collect();
    let folder = runs.join(drill::new_run_id("against", 1));
    let side = |name: &'static str, plans: Vec<Plan>| {
        let runs = folder.join(name);
        let ordered = Ordered::new(seed, kind.to_string(), names.clone(), repeats, None);
        let record = Record::begin(&runs, name, &ordered).map_err(|error| {
            output::error(&format!("cannot write to {}: {error}", runs.display()));
            Exit::Environment
        })?;
        let plans = plans.into_iter().map(|plan| (plan.name.clone(), Arc::new(plan)));
        Ok(Side {
            name,
            plans: plans.collect(),
            runs,
            record: Arc::new(record),
        })
    };
    let sides = [side("base", bases)?, side("head", heads)?];
    output::note(&format!(
        "{} scenarios, each {repeats} times on a side; compare with: firedrill compare {}",
        names.len(),
        sides
            .each_ref()
            .map(|side| side.runs.display().to_string())
            .join(" ")
    ));
    Ok(interleaved(&sides, &names, repeats))
}

fn interleaved(sides: &[Side; 2], names: &[String], repeats: u32) -> Vec<Drill> {
    let [base, head] = sides;
    let mut drills = Vec::new();
    for repeat in 1..=repeats {
        let pair = if repeat % 2 == 1 {
            [base, head]
        } else {
            [head, base]
        };
        for name in names {
            drills.extend(pair.iter().filter_map(|side| {
                Some(Drill {
                    plan: Arc::clone(side.plans.get(name)?),
                    repeat,
                    runs: side.runs.clone(),
                    record: Arc::clone(&side.record),
                    side: Some(side.name),
                })
            }));
        }
    }
    drills
}

/// The same scenarios, with another release of a service to start with.
fn of_release(heads: &[Plan], service: &str, release: &str) -> Result<Vec<Plan>, Exit> {
    let mut bases = Vec::new();
    for head in heads {
        let mut base = head.clone();
        let Some(found) = base.system.services.get_mut(service) else {
            let known: Vec<&str> = head.system.services.keys().map(String::as_str).collect();
            output::error(&format!(
                "--against {service}={release}: {} has no service `{service}`; it has {}",
                head.name,
                known.join(", ")
            ));
            return Err(Exit::Usage);
        };
        if found.release == release {
            output::error(&format!(
                "--against {service}={release}: {} starts with {release} already: there is nothing to compare",
                head.name
            ));
            return Err(Exit::Usage);
        }
        release.clone_into(&mut found.release);
        base.scenario.releases.insert(service.into(), release.into());
        bases.push(base);
    }
    Ok(bases)
}

/// The scenarios of the same names in another folder. Those that are only on one side cannot be compared.
fn of_folder(heads: &[Plan], folder: &str) -> Result<Vec<Plan>, Exit> {
    if !Path::new(folder).exists() {
        output::error(&format!(
            "--against {folder}: there is no such folder; name a folder of scenarios, or SERVICE=RELEASE"
        ));
        return Err(Exit::Usage);
    }
    let mut bases = list::load(&[folder.to_owned()])?;
    bases.retain(|base| heads.iter().any(|head| head.name == base.name));
    for head in heads
        .iter()
        .filter(|head| !bases.iter().any(|base| base.name == head.name))
    {
        output::note(&format!(
            "{} is not in {folder}: there is nothing to compare it with",
            head.name
        ));
    }
    if bases.is_empty() {
        output::error(&format!(
            "--against {folder}: it holds none of the scenarios to run"
        ));
        return Err(Exit::Usage);
    }
    Ok(bases)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str) -> Plan {
        serde_json::from_value(serde_json::json!({
            "name": name,
            "scenario": { "summary": "made up", "system": "system.toml" },
            "system": {
                "summary": "one service",
                "service": { "app": { "build": { "image": "app" }, "port": 80, "release": "v3" } },
            },
            "project": {},
        }))
        .unwrap()
    }

    #[test]
    fn base_and_head_take_turns_and_neither_is_always_first() {
        let folder = tempfile::tempdir().unwrap();
        let plans = vec![plan("a"), plan("b")];
        let drills = ordered("app=v1", plans, folder.path(), 2, Kind::Process, 7).unwrap_or_default();
        let order: Vec<String> = drills
            .iter()
            .map(|drill| {
                let release = &drill.plan.system.services["app"].release;
                format!(
                    "{} {} {} {release}",
                    drill.repeat,
                    drill.plan.name,
                    drill.side.unwrap()
                )
            })
            .collect();
        assert_eq!(
            order,
            [
                "1 a base v1",
                "1 a head v3",
                "1 b base v1",
                "1 b head v3",
                "2 a head v3",
                "2 a base v1",
                "2 b head v3",
                "2 b base v1",
            ]
        );
    }

    #[test]
    fn a_base_that_is_the_head_or_has_no_such_service_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for base in ["app=v3", "ap=v1", "no-such-folder"] {
            let refused = ordered(base, vec![plan("a")], folder.path(), 2, Kind::Process, 7);
            assert_eq!(refused.err(), Some(Exit::Usage), "{base}");
        }
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing was begun"
        );
    }
}
