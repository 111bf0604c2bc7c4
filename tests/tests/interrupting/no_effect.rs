//! Faults that come to nothing.

use crate::folder::*;

pub(crate) async fn a_fault_that_cannot_take_effect_leaves_the_drill_undecided() {
    let step = "[[step]]\nat = \"100ms\"\ntruncate-file = { service = \"app\", volume = \"store\", file = \"no-such.json\" }\n";
    let output = end(Folder::new("20/s", step).run()).await;
    assert_eq!(output.status.code(), Some(3), "{}", transcript(&output));
}

pub(crate) async fn a_fault_that_no_request_met_leaves_the_drill_undecided() {
    // One probe a second, just after each second of the steady state; the fault falls between two.
    let step = "[timing]\nsteady = \"3s\"\nquiet = \"3s\"\n[[step]]\nat = \"500ms\"\nfor = \"1ms\"\npause = { service = \"app\" }\n";
    let output = end(Folder::new("1/s", step).run()).await;
    assert_eq!(output.status.code(), Some(3), "{}", transcript(&output));
    assert!(
        transcript(&output).contains("no probe was sent while it was in effect"),
        "{}",
        transcript(&output)
    );
}
