//! Every report of the stored histories, byte for byte.

use std::time::Duration;

use firedrill::history::{Event, History};
use firedrill::report::{self, DrillOutcome, DrillReport};
use firedrill::sample::{Bad, Found, Outcome, StreamId};
use firedrill::{history, judge, measure};

use crate::{STORED, drill_report, drills, folder};

#[test]
fn the_terminal_report() {
    for name in STORED {
        insta::assert_snapshot!(
            format!("terminal-{name}"),
            report::terminal(&drill_report(name), 100, false)
        );
    }
}

#[test]
fn the_json_report() {
    for name in STORED {
        let history = history::read(&folder(name)).unwrap();
        let measured = measure::measure(&history);
        let judgement = judge::judge(&history, &measured);
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
    let drill = DrillOutcome::Judged(Box::new(drill_report("wrong-loader-on-the-ladder")));
    insta::assert_snapshot!("page", report::html(&[drill]).unwrap());
}

#[test]
fn the_post_mortem() {
    let draft = report::incident(&drill_report("wrong-json-loader"));
    for known in [
        "23 min",
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
    insta::assert_snapshot!(
        "incident-of-a-kill",
        report::incident(&drill_report("wrong-loader-on-the-ladder"))
    );
}

/// A text between two others, the first of them included.
fn part<'t>(text: &'t str, from: &str, until: &str) -> &'t str {
    let rest = &text[text.find(from).unwrap_or_else(|| panic!("no {from} in {text}"))..];
    rest.find(until).map_or(rest, |end| &rest[..end])
}

#[test]
fn the_post_mortem_of_a_kill_names_neither_the_deploy_before_it_nor_its_errors() {
    let draft = report::incident(&drill_report("wrong-loader-on-the-ladder"));
    let whys = part(&draft, "## Five whys", "## What went well");
    assert!(whys.contains("The trigger: kill app with SIGKILL."), "{whys}");
    assert!(whys.contains("2. Why did they fail? _[to be filled in"), "{whys}");
    assert!(
        part(&draft, "**Analyse.**", "See the").contains("_[to be filled in: cause"),
        "{draft}"
    );
    let cause = part(&draft, "## Root cause", "## Five whys");
    assert!(
        cause.contains("* Trigger: kill app with SIGKILL (confirmed"),
        "{cause}"
    );
    assert!(
        cause.contains("Also injected, not the trigger: deploy v3-wrong-loader to app"),
        "{cause}"
    );
    for claim in [
        "staging gate",
        "roll back automatically",
        "rolled back",
        "compare the versions",
    ] {
        assert!(!draft.contains(claim), "{claim}: {draft}");
    }
    assert!(!draft.contains("This scenario runs every night"), "{draft}");
}

#[test]
fn without_an_outage_no_report_says_that_one_began() {
    let drill = drill_report("release-rolled-back");
    let draft = report::incident(&drill);
    let after = "after v2 first answered";
    assert!(
        draft.contains(after) && !draft.contains("after the outage began"),
        "{draft}"
    );
    assert!(
        draft.contains("2. Which error occurred nevertheless? The service logged"),
        "{draft}"
    );
    let page = report::html(&[DrillOutcome::Judged(Box::new(drill))]).unwrap();
    assert!(
        page.contains(after) && !page.contains("after the onset"),
        "{page}"
    );
}

/// Without the fault that the outage came with in the record, nobody knows it.
#[test]
fn an_outage_before_any_fault_has_no_trigger() {
    let folder = folder("wrong-loader-on-the-ladder");
    let mut history = history::read(&folder).unwrap();
    history
        .events
        .retain(|event| !matches!(event.event, Event::Injecting { .. }));
    let draft = report::incident(&report_of(&history));
    assert!(draft.contains("* Trigger: _[to be filled in"), "{draft}");
    assert!(
        draft.contains("3. Why did that happen? _[to be filled in"),
        "{draft}"
    );
}

/// The report of a history that was changed, without logs.
fn report_of(history: &History) -> DrillReport {
    let measured = measure::measure(history);
    let judgement = judge::judge(history, &measured);
    DrillReport::new(history, measured, judgement, Vec::new())
}

#[test]
fn a_blip_is_counted_for_its_journey_and_marked_on_its_lane() {
    let mut history = history::read(&folder("release-rolled-back")).unwrap();
    let from = measure::measure(&history).window.from;
    let resolve = history
        .samples
        .iter_mut()
        .find(|sample| sample.stream == StreamId(0) && sample.sent > from + Duration::from_millis(900));
    resolve.unwrap().outcome = Outcome::Bad(Bad::Reset);
    let (drill, measured) = (report_of(&history), measure::measure(&history));
    assert_eq!((measured.blips.len(), measured.outages.len()), (1, 0));
    let terminal = report::terminal(&drill, 100, false);
    assert_eq!(terminal.matches("· 1 blip ·").count(), 1, "{terminal}");
    assert!(
        terminal.contains("up; 1 blip"),
        "it breaks `never down`: {terminal}"
    );
    let one = [DrillOutcome::Judged(Box::new(drill))];
    let markdown = report::markdown(&one);
    assert!(
        markdown.contains("| journey | good | fallback | bad | blips |"),
        "{markdown}"
    );
    let row = |name: &str| {
        markdown
            .lines()
            .find(|line| line.starts_with(&format!("| {name} |")))
            .unwrap()
    };
    assert!(row("resolve").contains("| 0 | 1 | 1 | none |"), "{markdown}");
    assert!(row("shorten").contains("| 0 | 0 | 0 | none |"), "{markdown}");
    let page = report::html(&one).unwrap();
    assert_eq!(page.matches("<rect class=\"blip\"").count(), 1);
    assert!(
        page.contains("no downtime, 1 blip") && page.contains("resolve: one bad answer ("),
        "{page}"
    );
}

#[test]
fn a_release_that_is_killed_does_not_answer_meanwhile_on_the_page() {
    let history = history::read(&folder("wrong-loader-on-the-ladder")).unwrap();
    let measured = measure::measure(&history);
    let [down] = measured.outages.as_slice() else {
        panic!("{:?}", measured.outages)
    };
    let live = measured.releases.last().unwrap();
    assert_eq!(
        live.stretches.len(),
        2,
        "before the kill, and after it: {:?}",
        live.stretches
    );
    for core in &down.core {
        assert!(
            live.stretches
                .iter()
                .all(|stretch| stretch.within(*core).is_none())
        );
    }
}

#[test]
fn lost_writes_that_are_tolerated_are_in_every_report() {
    let mut history = history::read(&folder("wrong-loader-on-the-ladder")).unwrap();
    history.start.plan.scenario.expect.lost_writes = 20;
    let reads = history
        .events
        .iter_mut()
        .filter_map(|event| match &mut event.event {
            Event::ReadBack { found, .. } => Some(found),
            _ => None,
        });
    reads.take(5).for_each(|found| *found = Found::Lost);
    let drill = report_of(&history);
    let data = measure::measure(&history).data;
    assert_eq!((data.lost, data.intact), (5, data.acknowledged - 5));
    let wanted = format!(
        "{} of {} acknowledged writes intact",
        data.intact, data.acknowledged
    );
    let one = [DrillOutcome::Judged(Box::new(drill.clone()))];
    for text in [
        report::terminal(&drill, 100, false),
        report::markdown(&one),
        report::html(&one).unwrap(),
    ] {
        // The terminal breaks lines between words.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&wanted), "{text}");
    }
    for text in [
        report::junit(&one).unwrap(),
        report::github(&one),
        report::incident(&drill),
    ] {
        assert!(
            !text.contains("acknowledged writes intact") || text.contains(&wanted),
            "{text}"
        );
        assert!(!text.contains("No acknowledged write was lost"), "{text}");
    }
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
    let many: Vec<DrillOutcome> = (0..50).flat_map(|_| drills()).collect();
    let text = report::markdown(&many);
    assert!(
        text.len() <= report::MARKDOWN_LONGEST && text.chars().count() < 65_536,
        "{}",
        text.len()
    );
}

#[test]
fn a_page_of_nothing_but_a_drill_that_did_not_run_says_why() {
    let failed = DrillOutcome::Failed {
        name: "no-engine".into(),
        why: "no container engine answers".into(),
    };
    let page = report::html(&[failed]).unwrap();
    assert!(
        page.contains("1 drill<") && page.contains("no container engine answers"),
        "{page}"
    );
}

#[test]
fn what_a_service_wrote_is_text_on_the_page() {
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>";
    let failed = DrillOutcome::Failed {
        name: evil.into(),
        why: evil.into(),
    };
    let page = report::html(&[failed.clone(), failed]).unwrap();
    assert!(!page.contains("<script>alert") && !page.contains("<img"));
}
