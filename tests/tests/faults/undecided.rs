//! A fault that cannot take effect, or that nothing meets, proves nothing: its drill is undecided, exit code 3, whatever
//! the probes saw. One drill a reason, with every fault that can come to nothing for it.

use std::collections::BTreeSet;

use acceptance::trials::{missing, trial};
use acceptance::{home, shortener};
use firedrill::backend::Kind;
use firedrill::fault;
use firedrill::judge::Verdict;
use firedrill::judge::check::FaultFound;
use libtest_mimic::Trial;

use crate::catalogue;
use crate::drilled::Folder;
use crate::stage::{KINDS, unsupported};

/// A drill of which the steps from `from` on must come to nothing.
struct Vain {
    reason: &'static str,
    system: &'static str,
    /// Further keys of the scenario.
    head: &'static str,
    /// Steps that take effect: they make the others vain, and mend it afterwards.
    first: &'static [&'static str],
    /// Steps that must not: the fault's name and its parameters.
    vain: &'static [(&'static str, &'static str)],
    /// When they are tried.
    at: &'static str,
}

/// Two shorteners. The first has the address of the second and never calls it.
fn idle() -> String {
    [
        "summary = \"two shorteners, one of them idle\"\nentry = \"app\"\n",
        &shortener("app", "v3", r#", SPARE = "{service.spare}""#),
        &shortener("spare", "v3", ""),
        "[[deploy]]\ncommand = { argv = [\"/nowhere/deploy\"] }\n",
        &home("50/s", ""),
    ]
    .concat()
}

/// A shortener whose users never follow a link: nobody reads what it stores.
fn unread() -> String {
    let stored = r#"
[records.known]
count = 3
fields = { code = "known-{n}", url = "https://example.org/known/{n}" }

[seed]
records = "known"
request = { method = "POST", path = "/your-url", form = { code = "{known.code}", url = "{known.url}" } }
answer = { status = 200 }
"#;
    [
        "summary = \"a shortener of which only the first page is asked for\"\n",
        &shortener("app", "v1", ""),
        stored,
        &home("50/s", ""),
    ]
    .concat()
}

/// A shortener that is seldom asked: its steady state begins with an answer, and the drill is over before the next
/// question.
fn seldom() -> String {
    [
        "summary = \"a shortener that is seldom asked\"\n",
        &shortener("app", "v1", ""),
        &home("27/m", "connections = [\"new\"]"),
    ]
    .concat()
}

const VAIN: &[Vain] = &[
    Vain {
        reason: "the-file-is-not-there",
        system: "shortener.toml",
        head: "releases = { app = \"v3\" }",
        first: &[],
        vain: &[
            ("truncate-file", MISSING),
            ("empty-file", MISSING),
            ("garbage-file", MISSING),
            ("flip-bit", MISSING),
            ("wrong-shape", MISSING),
            ("delete-file", MISSING),
            ("unreadable-file", MISSING),
        ],
        at: "200ms",
    },
    Vain {
        reason: "nobody-reads-the-file",
        system: "unread.toml",
        head: "",
        first: &[],
        vain: &[
            ("truncate-file", STORED),
            ("empty-file", STORED),
            ("garbage-file", STORED),
            ("flip-bit", STORED),
            ("wrong-shape", STORED),
        ],
        at: "200ms",
    },
    Vain {
        reason: "the-service-has-ended-by-itself",
        system: "shortener.toml",
        head: "releases = { app = \"v3\" }",
        first: &[
            "at = \"100ms\"\ndeploy = { service = \"app\", release = \"crash-on-start\" }",
            "at = \"6s\"\ndeploy = { service = \"app\", release = \"v3\" }",
        ],
        vain: &[
            ("kill", "service = \"app\""),
            ("stop", "service = \"app\""),
            ("restart", "service = \"app\""),
            ("pause", "service = \"app\""),
            (
                "tear-write",
                "service = \"app\", volume = \"store\", file = \"urls.json\"",
            ),
            ("limit-memory", "service = \"app\", memory = \"64MiB\""),
            ("starve-cpu", "service = \"app\""),
            ("limit-pids", "service = \"app\", pids = 1"),
        ],
        at: "5s",
    },
    Vain {
        reason: "nothing-is-left-to-crash",
        system: "restarted.toml",
        head: "releases = { app = \"v3\" }",
        first: &["at = \"100ms\"\nfor = \"2s\"\nstop = { service = \"app\" }"],
        vain: &[("crash-loop", "service = \"app\"")],
        at: "1s",
    },
    Vain {
        reason: "there-is-less-space-than-is-to-be-left",
        system: "bounded.toml",
        head: "releases = { app = \"v3\" }",
        first: &[],
        vain: &[(
            "fill-disk",
            "service = \"app\", volume = \"store\", leave = \"16MiB\"",
        )],
        at: "200ms",
    },
    Vain {
        reason: "nobody-sends-an-alert",
        system: "guarded.toml",
        head: "",
        first: &[],
        vain: &[("alert-receiver", "how = \"down\"")],
        at: "200ms",
    },
    Vain {
        reason: "the-recipe-cannot-be-begun",
        system: "idle.toml",
        head: "",
        first: &[],
        vain: &[("deploy", "service = \"app\", release = \"v3.1\"")],
        at: "200ms",
    },
    Vain {
        reason: "nobody-asks-meanwhile",
        system: "seldom.toml",
        head: "",
        first: &[],
        vain: &[("read-only", "service = \"app\", volume = \"store\"")],
        at: "10ms",
    },
    Vain {
        reason: "nothing-goes-over-the-link",
        system: "idle.toml",
        head: "",
        first: &[],
        vain: &[
            ("latency", "from = \"app\", to = \"spare\", delay = \"100ms\""),
            (
                "bandwidth",
                "from = \"app\", to = \"spare\", per_second = \"1KiB\"",
            ),
            ("blackhole", "from = \"app\", to = \"spare\""),
            ("reset", "from = \"app\", to = \"spare\""),
            ("refuse", "from = \"app\", to = \"spare\""),
            ("slow-close", "from = \"app\", to = \"spare\", delay = \"100ms\""),
            ("data-limit", "from = \"app\", to = \"spare\", bytes = \"10B\""),
            ("slice", "from = \"app\", to = \"spare\", size = \"10B\""),
        ],
        at: "200ms",
    },
    Vain {
        reason: "no-request-matches",
        system: "idle.toml",
        head: "",
        first: &[],
        vain: &[
            ("http-status", "to = \"app\", status = 503, path = \"/nowhere\""),
            ("http-delay", "to = \"app\", delay = \"1s\", path = \"/nowhere\""),
            ("http-garble", "to = \"app\", path = \"/nowhere\""),
            ("http-drop-header", "to = \"app\", header = \"x-nowhere\""),
        ],
        at: "200ms",
    },
];

const STORED: &str = "service = \"app\", volume = \"store\", file = \"urls.json\"";
const MISSING: &str = "service = \"app\", volume = \"store\", file = \"nothing-there.json\"";

async fn every_fault_of_the_catalogue_can_come_to_nothing() {
    let vain: BTreeSet<&str> = VAIN
        .iter()
        .flat_map(|vain| vain.vain)
        .map(|(fault, _)| *fault)
        .collect();
    assert_eq!(vain, catalogue());
}

pub(crate) fn trials() -> Vec<Trial> {
    let all = "undecided::every_fault_of_the_catalogue_can_come_to_nothing";
    let mut trials = vec![trial(all, None, every_fault_of_the_catalogue_can_come_to_nothing)];
    for kind in KINDS {
        let name = format!("undecided::{kind}");
        trials.push(trial(name, missing(kind, []), move || come_to_nothing(kind)));
    }
    trials
}

/// The faults of a drill that this backend can do at all.
async fn possible(kind: Kind, vain: &Vain) -> Vec<(&'static str, &'static str)> {
    let kinds = fault::CATALOGUE;
    let mut possible = Vec::new();
    for (name, params) in vain.vain {
        let entry = kinds.iter().find(|entry| entry.kind.name == *name).unwrap();
        let call: serde_json::Value = toml::from_str(&format!("call = {{ {params} }}")).unwrap();
        let fault = (entry.parse)(call["call"].clone()).unwrap();
        if unsupported(kind, &[fault.as_ref()]).await.is_none() {
            possible.push((*name, *params));
        }
    }
    possible
}

async fn come_to_nothing(kind: Kind) {
    let folder = Folder::new();
    folder.write("idle.toml", &idle());
    folder.write("unread.toml", &unread());
    folder.write("seldom.toml", &seldom());
    let mut wanted = Vec::new();
    for vain in VAIN {
        let possible = possible(kind, vain).await;
        if possible.is_empty() {
            continue;
        }
        let first = vain.first.iter().map(|step| format!("[[step]]\n{step}\n"));
        let others = possible
            .iter()
            .map(|(name, params)| format!("[[step]]\nat = {:?}\n{name} = {{ {params} }}\n", vain.at));
        let steps: String = first.chain(others).collect();
        folder.scenario(vain.reason, vain.system, &format!("{}\n{steps}", vain.head));
        wanted.push((vain, possible));
    }
    if wanted.is_empty() {
        return;
    }
    let (ended, drilled) = folder.run(kind);
    for (vain, possible) in wanted {
        let drill = drilled.get(vain.reason);
        let drill = drill.unwrap_or_else(|| panic!("{} did not run\n{ended}", vain.reason));
        for (n, (name, _)) in possible.iter().enumerate() {
            let (verdict, found) = drill.evidence(vain.first.len() + n);
            assert_eq!(verdict, Verdict::Undecided, "{name}, {}: {found}", vain.reason);
            assert_ne!(found, &FaultFound::NeverInjected, "{name}, {}", vain.reason);
        }
    }
    assert_eq!(ended.code, Some(3), "{ended}");
}
