//! Markdown for job summaries and comments: a table of all drills, the worst first, then the details of each.
//!
//! GitHub cuts nothing: it refuses a comment over 65,536 characters, and a summary over 1 MiB, as a whole. So the text
//! stays below the smaller limit, whatever was run, and says what it left out. Text from outside is escaped: no name, log
//! line or answer becomes markup, mentions anybody, or refers to an issue.

use std::fmt::Write;

use super::drill::DrillReport;
use super::format::{bounds, count, latency};
use super::outcome::{DrillOutcome, Status, counts, how_many, worst_first};
use super::text::plain;
use super::words::{self, of_budget, place};
use firedrill_judge::Verdict;

/// The longest text, in bytes: below the 65,536 characters of a comment, however they are counted.
pub const LONGEST: usize = 64_000;
/// Room for the sentence about what was left out.
const TAIL: usize = 400;
/// The longest table of drills.
const TABLE: usize = LONGEST / 3;

/// The whole report.
pub fn markdown(drills: &[DrillOutcome]) -> String {
    let sorted = worst_first(drills);
    let mut text = heading(drills);
    let mut left_out = table(&mut text, &sorted);
    let mut details = 0;
    for drill in sorted.iter().filter(|drill| drill.status() != Status::Skipped) {
        // Drills that were not run have their reason in the table, and no details.
        let Some(report) = drill.report() else { continue };
        let section = section(report, drill.status() != Status::AsExpected);
        // Later sections may be shorter and still fit, so that a long one does not end the report.
        if text.len() + section.len() + TAIL > LONGEST {
            details += 1;
            continue;
        }
        text.push_str(&section);
    }
    if details > 0 {
        left_out.push(format!("the details of {}", count(details, "drill")));
    }
    if !left_out.is_empty() {
        let _ = writeln!(
            text,
            "\n_Omitted for length: {}; see the artifacts._",
            left_out.join(" and ")
        );
    }
    text
}

fn heading(drills: &[DrillOutcome]) -> String {
    let worst = drills
        .iter()
        .map(DrillOutcome::status)
        .min()
        .unwrap_or(Status::Undecided);
    let what = match drills {
        [one] => escaped(&one.title(), 100),
        many => how_many(many),
    };
    format!("## {} Firedrill: {what}, {}\n\n", worst.sign(), counts(drills))
}

/// The table; what did not fit.
fn table(text: &mut String, drills: &[&DrillOutcome]) -> Vec<String> {
    text.push_str("| | drill | downtime | budget used | why |\n|---|---|---|---|---|\n");
    let mut left_out = 0;
    for drill in drills {
        let row = row(drill);
        // The worst drills come first, so that those left out matter least.
        if text.len() + row.len() > TABLE {
            left_out += 1;
        } else {
            text.push_str(&row);
        }
    }
    text.push('\n');
    if left_out > 0 {
        vec![count(left_out, "row")]
    } else {
        Vec::new()
    }
}

fn row(drill: &DrillOutcome) -> String {
    let status = drill.status();
    let (downtime, share) = drill.report().map_or_else(Default::default, |report| {
        (
            bounds(report.measured.downtime),
            words::share_cell(&report.judgement.cost),
        )
    });
    let why = match drill.report() {
        Some(report) if status == Status::AsExpected => match &report.judgement.control {
            Some(_) => "negative control: it breached as it must".into(),
            None => String::new(),
        },
        _ => escaped(&drill.reason(), 300),
    };
    let name = escaped(&drill.title(), 80);
    format!(
        "| {} {} | {name} | {downtime} | {share} | {why} |\n",
        status.sign(),
        status.word()
    )
}

/// One drill: folded when it is as expected.
fn section(report: &DrillReport, open: bool) -> String {
    let open = if open { " open" } else { "" };
    let mut text = format!(
        "<details{open}><summary><b>{}</b>: {}</summary>\n\n",
        html_escaped(&plain(&report.title(), 80)),
        html_escaped(&words::headline(&report.judgement))
    );
    let _ = writeln!(text, "{}\n", escaped(&report.start.plan.scenario.summary, 300));
    let _ = writeln!(text, "**Why:** {}\n", escaped(&report.reason(), 800));
    if let Some(reservation) = words::reservation(&report.start) {
        let _ = writeln!(text, "**Note:** {}\n", escaped(&reservation, 400));
    }
    text.push_str(&timeline(report));
    text.push_str(&journeys(report));
    text.push_str(&costs(report));
    text.push_str(&checks(report));
    text.push_str(&errors(report));
    let _ = writeln!(
        text,
        "<sub>{}</sub>\n\n</details>\n",
        html_escaped(&plain(&place(&report.start), 200))
    );
    text
}

/// The timeline as a table, for this report and for the post-mortem.
pub(super) fn timeline(report: &DrillReport) -> String {
    let mut text = String::from("| time | | what happened |\n|---:|---|---|\n");
    for moment in &report.timeline {
        let (time, word) = (report.time(moment.at), moment.kind.word());
        let _ = writeln!(text, "| {time} | {word} | {} |", escaped(&moment.text, 300));
    }
    text.push('\n');
    text
}

fn journeys(report: &DrillReport) -> String {
    let mut text = String::from(
        "| journey | good | fallback | bad | blips | downtime | p50 | p99 |\n|---|---:|---:|---:|---:|---|---:|---:|\n",
    );
    for journey in &report.measured.journeys {
        let bad: usize = journey.bad.iter().map(|(_, count)| count).sum();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {bad} | {} | {} | {} | {} |",
            escaped(&journey.name, 60),
            journey.good,
            journey.fallback,
            report.measured.blips_of(journey).count(),
            bounds(journey.downtime),
            latency(journey.latency.p50),
            latency(journey.latency.p99)
        );
    }
    text.push('\n');
    text
}

fn costs(report: &DrillReport) -> String {
    format!(
        "**Budget:** {}. By contract: {}.\n\n",
        of_budget(&report.judgement.cost),
        words::bills(&report.judgement).join("; ")
    )
}

fn checks(report: &DrillReport) -> String {
    let mut checks: Vec<_> = report
        .judgement
        .checks
        .iter()
        .filter(|check| check.verdict != Verdict::Met)
        .collect();
    let met = report.judgement.checks.len() - checks.len();
    // The worst first; the sort is stable, so each verdict keeps the order of the judgement.
    checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
    let mut text = String::new();
    for check in checks {
        let verdict = if check.verdict == Verdict::Breached {
            "✗ breached"
        } else {
            "? undecided"
        };
        let (name, found) = (
            escaped(&check.id.to_string(), 60),
            escaped(&check.found.to_string(), 300),
        );
        let _ = writeln!(
            text,
            "* {verdict} **{name}**: {found} (required: {})",
            escaped(&check.required.to_string(), 120)
        );
    }
    let _ = writeln!(text, "* ✓ {} met\n", count(met, "check"));
    text
}

fn errors(report: &DrillReport) -> String {
    // Errors in the log of a drill that met everything need nobody's attention here.
    let failed = report.judgement.verdict() != Verdict::Met;
    let Some((log, entry)) = report.loudest().filter(|_| failed) else {
        return String::new();
    };
    format!(
        "`{}.log`, line {} ({}):\n\n{}\n",
        code(&log.service),
        entry.line,
        count(entry.count, "occurrence"),
        fenced(
            &std::iter::once(&entry.text)
                .chain(&entry.after)
                .map(|line| plain(line, 300))
                .collect::<Vec<_>>()
        )
    )
}

/// Lines as code, in a fence of more backticks than any of them has.
pub(super) fn fenced(lines: &[String]) -> String {
    let longest = lines
        .iter()
        .flat_map(|line| line.split(|c| c != '`').map(str::len))
        .max()
        .unwrap_or(0);
    // Longer than any run of backticks inside, which would otherwise end the block.
    let fence = "`".repeat((longest + 1).max(3));
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

fn code(text: &str) -> String {
    plain(text, 80).replace('`', "'")
}

/// Text from outside as Markdown shows it: on one line, without markup, mentions or references.
pub(super) fn escaped(text: &str, longest: usize) -> String {
    // Cut before it is escaped: a cut inside an entity would show its remains.
    let mut escaped = String::new();
    for c in plain(text, longest).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("&#64;"),
            '#' => escaped.push_str("&#35;"),
            // The dollar sign too: GitHub renders mathematics between two of them.
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '!' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    // GitHub turns bare addresses into links, and `GH-12` into one to an issue.
    for (link, text) in [("://", ":&#47;&#47;"), ("www.", "www&#46;"), ("gh-", "gh&#45;")] {
        escaped = replace_ignoring_case(&escaped, link, text);
    }
    escaped
}

/// Replaces the last characters of `from`, which are no letters, and keeps the case of its letters.
fn replace_ignoring_case(text: &str, from: &str, to: &str) -> String {
    // ASCII only, so that both have the same offsets.
    let lower = text.to_ascii_lowercase();
    let letters = from.chars().take_while(char::is_ascii_alphabetic).count();
    let mut replaced = String::new();
    let mut end = 0;
    for (at, _) in lower.match_indices(from) {
        replaced.push_str(&text[end..at + letters]);
        replaced.push_str(&to[letters..]);
        end = at + from.len();
    }
    replaced.push_str(&text[end..]);
    replaced
}

fn html_escaped(text: &str) -> String {
    escaped(text, 400)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failed(name: String, why: String) -> DrillOutcome {
        DrillOutcome::Failed { name, why }
    }

    #[test]
    fn ten_thousand_drills_stay_below_the_limit_and_say_what_is_left_out() {
        let drills: Vec<DrillOutcome> = (0..10_000)
            .map(|n| failed(format!("drill-{n}"), "no engine".repeat(20)))
            .collect();
        let text = markdown(&drills);
        assert!(text.len() <= LONGEST, "{}", text.len());
        assert!(
            text.contains("Omitted for length"),
            "{}",
            &text[text.len() - 200..]
        );
    }

    #[test]
    fn code_that_contains_a_fence_has_a_longer_one() {
        assert!(fenced(&["a ```` b".into()]).starts_with("`````text\n"));
    }

    proptest! {
        #[test]
        fn no_text_from_outside_becomes_markup(text in ".{0,80}") {
            let row = row(&failed(text.clone(), text));
            prop_assert_eq!(row.matches('\n').count(), 1);
            prop_assert_eq!(row.replace("\\|", "").matches('|').count(), 6);
            prop_assert!(!row.contains('<') && !row.contains('@'));
        }
    }
}
