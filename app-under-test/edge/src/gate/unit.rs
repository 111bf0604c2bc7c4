//! The unit gate: runs the release's own checks, a command with a time limit.

use std::collections::BTreeMap;

use tokio::time::timeout;

use super::Outcome;
use super::process::{command, last_lines};
use crate::config::Unit;
use crate::duration::words;

/// Runs the checks of a release.
pub async fn unit(gate: Option<&Unit>, release: &str) -> Outcome {
    let Some(gate) = gate.filter(|gate| gate.on) else {
        return Outcome::Skipped;
    };
    let Some(mut command) = command(&gate.command, &BTreeMap::new(), &[("release", release)]) else {
        return Outcome::undecided("the unit gate's command is empty");
    };
    match timeout(gate.within, command.output()).await {
        Err(_) => Outcome::Rejected {
            reason: format!("its checks did not finish within {}", words(gate.within)),
            evidence: Vec::new(),
        },
        // Checks that never ran say nothing about the release; it does not pass either.
        Ok(Err(error)) => Outcome::undecided(format!("its checks cannot be started: {error}")),
        Ok(Ok(output)) => {
            let mut evidence = last_lines(&output.stdout, &[]);
            if output.status.success() {
                return Outcome::Passed(evidence);
            }
            // Only of checks that failed: those that pass may write warnings there.
            evidence.extend(last_lines(&output.stderr, &[]));
            Outcome::Rejected {
                reason: format!("its own checks failed: {}", output.status),
                evidence,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn gate(script: &str, within: Duration) -> Unit {
        Unit {
            on: true,
            command: ["/bin/sh", "-c", script].map(str::to_owned).into(),
            within,
        }
    }

    #[tokio::test]
    async fn the_output_of_the_checks_is_the_evidence() {
        let gate = gate("echo 'FAIL {release}: no'; exit 1", Duration::from_secs(10));
        let Outcome::Rejected { evidence, .. } = unit(Some(&gate), "v2").await else {
            panic!("passed");
        };
        assert_eq!(evidence, ["FAIL v2: no"]);
    }

    #[tokio::test]
    async fn checks_that_do_not_finish_reject_the_release() {
        let gate = gate("sleep 60", Duration::from_millis(20));
        assert!(matches!(unit(Some(&gate), "v2").await, Outcome::Rejected { .. }));
    }

    #[tokio::test]
    async fn checks_that_cannot_be_started_are_undecided() {
        let gate = Unit {
            on: true,
            command: vec!["/does/not/exist".into()],
            within: Duration::from_secs(1),
        };
        assert!(matches!(unit(Some(&gate), "v2").await, Outcome::Undecided { .. }));
    }
}
