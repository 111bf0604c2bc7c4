//! Faults of what the system depends on: the drill's alert receiver, each way in which it can misbehave. Only a drill
//! has one, and only the edge sends alerts, so whole drills are run.

use firedrill::judge::check::{FaultFound, Hits};

use crate::drilled::Folder;
use crate::stage::{Kind, unsupported};

proves! {
    "alert-receiver" alerts_meet_a_receiver_that_misbehaves_and_then_one_that_does_not: |kind, name| misbehaves(kind, name);
}

/// How, and what alerts are answered by then; the edge tells of each refused release, and tries again.
const WAYS: [(&str, &[u16]); 4] = [
    (r#"how = "down""#, &[]),
    (r#"how = "status", status = 500"#, &[500]),
    (r#"how = "slow", by = "300ms""#, &[200]),
    (r#"how = "garbage""#, &[200]),
];

async fn misbehaves(kind: Kind, name: &str) {
    if let Some(why) = unsupported(kind, &[]).await {
        return acceptance::trials::skip(&why);
    }
    let folder = Folder::new();
    for (n, (how, _)) in WAYS.iter().enumerate() {
        // Refused at once by the gate, so that there is something to tell, before and after.
        let steps = format!(
            r#"
            [[step]]
            at = "100ms"
            for = "3s"
            {name} = {{ {how} }}
            [[step]]
            at = "300ms"
            deploy = {{ service = "green", release = "v2" }}
            [[step]]
            at = "3500ms"
            deploy = {{ service = "green", release = "v2" }}
            "#
        );
        folder.scenario(&format!("way-{n}"), "guarded.toml", &steps);
    }
    let (ended, drilled) = folder.run(kind);
    for (n, (how, answered)) in WAYS.iter().enumerate() {
        let drill = &drilled[&format!("way-{n}")];
        let (verdict, found) = drill.evidence(0);
        assert!(
            verdict == firedrill::judge::Verdict::Met,
            "{how}: {found}\n{ended}"
        );
        let hit = matches!(
            found,
            FaultFound::InEffect {
                hits: Some(Hits::Traffic { requests: 1.., .. }),
                ..
            }
        );
        assert!(hit, "{how}: requests that hit it are counted: {found}");
        let [during, after] = drill.alerts(0);
        let as_said = |statuses: &[u16]| statuses.iter().all(|status| answered.contains(status));
        assert!(as_said(&during), "{how}: {during:?}");
        assert_eq!(during.is_empty(), answered.is_empty(), "{how}: {during:?}");
        assert!(
            !after.is_empty() && after.iter().all(|status| *status == 200),
            "{how}: {after:?}"
        );
    }
}
