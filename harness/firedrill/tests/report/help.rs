//! The `--help` of the commands.

use std::process::Command;

fn help(command: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args([command, "--help"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_help_of_every_command_that_judges_has_examples_and_exit_codes() {
    for command in ["run", "report", "compare", "projection", "merge", "budget"] {
        let text = help(command);
        assert!(text.contains("Examples:\n  firedrill "), "{command}: {text}");
        assert!(text.contains("Exit codes:\n  "), "{command}: {text}");
        let examples = text.split("Examples:").nth(1).unwrap();
        assert!(
            examples.contains(&format!("firedrill {command} ")),
            "{command}: {text}"
        );
    }
}

#[test]
fn the_help_of_report_and_compare_has_what_a_gate_needs() {
    let report = help("report");
    assert!(report.contains("The run's own verdict"), "{report}");
    assert!(
        report.contains("--incident -o") && report.contains("runs/RUN --open"),
        "{report}"
    );
    let compare = help("compare");
    assert!(
        compare.contains("at least 5 drills per side") && compare.contains("1  a regression"),
        "{compare}"
    );
}
