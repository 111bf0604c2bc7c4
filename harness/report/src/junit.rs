//! JUnit, as CI systems read it: a suite for each backend, a case for each drill.
//!
//! A drill that is as expected passes (a negative control that breached as it must, too); one that is not fails; one
//! without evidence, or that could not be run, is an error; one that the backend does not support is skipped.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::outcome::{DrillOutcome, Status};
use super::terminal::terminal;
use super::text::plain;
use firedrill_judge::{Verdict, tally};
use firedrill_model::history::BackendKind;

/// Columns of the report that goes with each case.
const WIDTH: usize = 120;

/// The XML.
///
/// # Errors
/// When the XML cannot be written; writing into memory does not fail.
pub fn junit(drills: &[DrillOutcome]) -> Result<String, quick_junit::SerializeError> {
    // In the order in which the backends appear; drills of several may alternate.
    let mut backends: Vec<(Option<&BackendKind>, Vec<TestCase>)> = Vec::new();
    for drill in drills {
        let backend = drill.report().map(|report| &report.start.backend);
        tally::entry(&mut backends, backend).push(case(drill));
    }
    let mut report = Report::new("firedrill");
    for (backend, cases) in backends {
        let mut suite = TestSuite::new(match backend {
            Some(backend) => plain(&format!("firedrill {backend}"), 200),
            None => "firedrill".to_owned(),
        });
        suite.add_test_cases(cases);
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(drill: &DrillOutcome) -> TestCase {
    let mut case = TestCase::new(plain(&drill.title(), 200), status(drill));
    let Some(report) = drill.report() else {
        return case;
    };
    let class = format!("{}.{}", report.start.backend, report.name());
    case.set_classname(plain(&class, 200));
    // The probed time, not the wall clock: it is in the history, so that a stored run gives the same file.
    case.set_time(Duration::from_micros(
        report.shown.until.0.saturating_sub(report.shown.from.0),
    ));
    case.set_system_out(terminal(report, WIDTH, false));
    case
}

fn status(drill: &DrillOutcome) -> TestCaseStatus {
    let reason = plain(&drill.reason(), 1000);
    let failed = |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status
            .set_type(drill.status().word())
            .set_message(reason.clone())
            .set_description(checks(drill));
        status
    };
    match drill.status() {
        Status::AsExpected => TestCaseStatus::success(),
        Status::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason);
            status
        }
        Status::Breached => failed(NonSuccessKind::Failure),
        Status::Undecided | Status::NotRun => failed(NonSuccessKind::Error),
    }
}

/// The checks that are not met, one a line.
fn checks(drill: &DrillOutcome) -> String {
    let Some(report) = drill.report() else {
        return String::new();
    };
    let failed = report
        .judgement
        .checks
        .iter()
        .filter(|check| check.verdict != Verdict::Met);
    let lines: Vec<String> = failed
        .map(|check| {
            let line = format!("{}: {}; required: {}", check.id, check.found, check.required);
            plain(&line, 1000)
        })
        .collect();
    lines.join("\n")
}
