//! Every report of the stored histories, byte for byte.

use firedrill::report::{self, Drill};
use firedrill::{history, measure, sla};

use crate::{STORED, drills, folder, story};

#[test]
fn the_terminal_report() {
    for name in STORED {
        insta::assert_snapshot!(
            format!("terminal-{name}"),
            report::terminal(&story(name), 100, false)
        );
    }
}

#[test]
fn the_json_report() {
    for name in STORED {
        let history = history::read(&folder(name)).unwrap();
        let measured = measure::measure(&history);
        let judgement = sla::judge(&history, &measured);
        let json = report::json(&history, &measured, &judgement);
        insta::assert_snapshot!(format!("json-{name}"), format!("{json:#}"));
    }
}

#[test]
fn the_markdown_report() {
    insta::assert_snapshot!("markdown", report::markdown(&drills()));
}

#[test]
fn the_junit_report() {
    insta::assert_snapshot!("junit", report::junit(&drills()).unwrap());
}

#[test]
fn the_annotations() {
    insta::assert_snapshot!("annotations", report::github(&drills()));
}

#[test]
fn the_page() {
    let drill = Drill::Judged(Box::new(story("wrong-loader-on-the-ladder")));
    insta::assert_snapshot!("page", report::html(&[drill]).unwrap());
}

#[test]
fn the_post_mortem() {
    let draft = report::incident(&story("wrong-json-loader"));
    for known in [
        "23 minutes",
        "153 %",
        "v2",
        "ERROR POST /your-url failed: parsing the store",
        "## Impact",
        "## Five whys",
        "**Define.**",
        "**Control.**",
    ] {
        assert!(draft.contains(known), "the draft does not say {known}");
    }
    insta::assert_snapshot!("incident", draft);
}

#[test]
fn a_page_of_many_drills_begins_with_the_worst() {
    let page = report::html(&drills()).unwrap();
    let place = |text: &str| {
        page.find(text)
            .unwrap_or_else(|| panic!("the page has no {text}"))
    };
    assert!(place("no-engine") < place("disk-full") && place("disk-full") < place("id=\"d2\""));
}

#[test]
fn a_hundred_drills_fit_a_comment() {
    let many: Vec<Drill> = (0..50).flat_map(|_| drills()).collect();
    let text = report::markdown(&many);
    assert!(
        text.len() <= report::MARKDOWN_LONGEST && text.chars().count() < 65_536,
        "{}",
        text.len()
    );
}

#[test]
fn what_a_service_wrote_is_text_on_the_page() {
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>";
    let failed = Drill::Failed {
        name: evil.into(),
        why: evil.into(),
    };
    let page = report::html(&[failed.clone(), failed]).unwrap();
    assert!(!page.contains("<script>alert") && !page.contains("<img"));
}
