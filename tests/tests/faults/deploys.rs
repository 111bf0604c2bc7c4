//! Deploys by a pipeline: what it declares as a refusal is one, and any other failure leaves the drill undecided. The
//! pipelines are commands on this machine, whatever runs the services.

use acceptance::trials::{missing, trial};
use acceptance::{home, shortener};
use firedrill::backend::Kind;
use firedrill::check::CheckId;
use firedrill::history::Event;
use firedrill::judge::Verdict::{self, Breached, Met, Undecided};
use libtest_mimic::Trial;

use crate::drilled::{Drilled, Folder};
use crate::stage::KINDS;

/// Pipelines, by name: a script for `sh`, and what the recipe declares.
const PIPELINES: [(&str, &str); 4] = [
    ("passes", "command = { argv = [\"sh\", \"-c\", \"echo passed\"] }"),
    (
        "refuses",
        "command = { argv = [\"sh\", \"-c\", \"echo too late today; exit 10\"], refused = [10] }",
    ),
    (
        "breaks",
        "command = { argv = [\"sh\", \"-c\", \"echo to {release}; exit 127\"], refused = [10] }",
    ),
    (
        "is-not-found",
        "request = { service = \"app\", request = { method = \"POST\", path = \"/no-such-pipeline\" }, refused = [422] }",
    ),
];

/// Drills: the pipeline, the expected outcome, and the verdicts on the outcome and on the fault.
const DRILLS: [(&str, &str, Verdict, Verdict); 7] = [
    ("passes", "accepted", Met, Met),
    ("passes", "refused", Breached, Met),
    ("refuses", "refused", Met, Met),
    ("refuses", "accepted", Breached, Met),
    ("breaks", "accepted", Undecided, Undecided),
    ("breaks", "refused", Undecided, Undecided),
    ("is-not-found", "refused", Undecided, Undecided),
];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |kind: Kind| {
        let name = format!("deploys::{kind}::only_a_declared_refusal_is_a_refusal");
        trial(name, missing(kind, []), move || refusals(kind))
    };
    KINDS.map(trial).into()
}

async fn refusals(kind: Kind) {
    let folder = Folder::new();
    for (name, action) in PIPELINES {
        let system = [
            "summary = \"a shortener that is deployed by a pipeline\"\n[identity]\nheader = \"x-release\"\n",
            &shortener("app", "v3", ""),
            &format!("[[deploy]]\n{action}\n"),
            &home("50/s", ""),
        ];
        folder.write(&format!("{name}-system.toml"), &system.concat());
    }
    for (pipeline, expected, ..) in DRILLS {
        let body = format!(
            "[[step]]\nat = \"100ms\"\ndeploy = {{ service = \"app\", release = \"v3.1\" }}\n\
             [expect]\ndeploy = \"{expected}\"\n"
        );
        folder.scenario(
            &format!("{pipeline}-{expected}"),
            &format!("{pipeline}-system.toml"),
            &body,
        );
    }
    let (ended, drilled) = folder.run(kind);
    for (pipeline, expected, outcome, fault) in DRILLS {
        let name = format!("{pipeline}-{expected}");
        let drill = drilled.get(&name).unwrap_or_else(|| panic!("no {name}\n{ended}"));
        assert_eq!(verdict(drill), outcome, "{name}\n{ended}");
        let (seen, found) = drill.evidence(0);
        assert_eq!(seen, fault, "{name}: {found}");
    }
    let (_, broken) = drilled["breaks-accepted"].evidence(0);
    let broken = broken.to_string();
    assert!(broken.contains("127") && broken.contains("to v3.1"), "{broken}");
    let (_, accepted) = drilled["passes-accepted"].evidence(0);
    assert!(
        accepted.to_string().ends_with("app still answers as v3"),
        "{accepted}"
    );
    assert_eq!(folder.log("breaks-refused", "deploy.step-1"), "to v3.1\n");
    let answer = folder.log("is-not-found-refused", "deploy.step-1");
    assert!(
        answer.starts_with("POST /no-such-pipeline answered 40"),
        "{answer}"
    );
}

/// What is said of the outcome of the deploys. A broken pipeline has none.
fn verdict(drill: &Drilled) -> Verdict {
    let deploys = drill.history.events.iter();
    let answered = deploys
        .filter(|event| matches!(event.event, Event::Deploy { .. }))
        .count();
    let checks = &drill.judgement.checks;
    let check = checks.iter().find(|check| check.id == CheckId::Deploy).unwrap();
    assert_eq!(answered == 0, check.verdict == Undecided);
    check.verdict
}
