//! The draft of a post-mortem, in Markdown: the usual sections, five whys, and the Six Sigma frame (define, measure,
//! analyse, improve, control). What the harness knows is filled in; what only people know is left as a marked blank.

mod six_sigma;

use std::fmt::Write;
use std::time::Duration;

use super::drill::{DrillReport, FaultSpan};
use super::markdown::{escaped, fenced, time_line};
use super::text::plain;
use super::timeline::Kind;
use super::words::{origin, percent, place};
use firedrill_judge::Verdict;
use firedrill_judge::measure::Journey;
use firedrill_model::units::Span;

/// What only people know.
fn blank(what: &str) -> String {
    format!("_[to be filled in: {what}]_")
}

/// Whole minutes in words; anything else as files write it.
fn minutes(time: Duration) -> String {
    match (
        time.as_secs() / 60,
        Duration::from_secs(time.as_secs() / 60 * 60) == time,
    ) {
        (1, true) => "1 minute".to_owned(),
        (minutes @ 1.., true) => format!("{minutes} minutes"),
        _ => Span(time).to_string(),
    }
}

/// The draft.
pub fn incident(report: &DrillReport) -> String {
    let draft = Draft(report);
    let parts = [
        draft.title(),
        draft.impact(),
        draft.when(),
        draft.detection(),
        draft.response(),
        draft.root_cause(),
        draft.five_whys(),
        draft.went_well(),
        draft.actions(),
        draft.six_sigma(),
    ];
    parts.join("\n")
}

struct Draft<'a>(&'a DrillReport);

impl Draft<'_> {
    fn title(&self) -> String {
        let report = self.0;
        format!(
            "# Post-mortem (draft): {}\n\n{}\n\n* Rehearsed: {}\n* Run: `{}`\n* Severity: {}\n* Author and reviewers: {}\n",
            escaped(report.name(), 100),
            escaped(&report.start.plan.scenario.summary, 300),
            escaped(&place(&report.start), 200),
            plain(&report.start.run, 120).replace('`', "'"),
            blank("by your own scale"),
            blank("names"),
        )
    }

    fn down(&self) -> impl Iterator<Item = &Journey> {
        self.0
            .measured
            .journeys
            .iter()
            .filter(|journey| !journey.outages.is_empty())
    }

    /// Whether an outage came with a deploy: only then is there a release to test, to gate and to roll back.
    fn deployed(&self) -> bool {
        let report = self.0;
        report.outage().is_some() && report.trigger().is_some_and(FaultSpan::is_deploy)
    }

    /// The downtime that is accounted: the price of an outage that no rehearsal waits for, or what was measured.
    fn length(&self) -> String {
        let cost = &self.0.judgement.cost;
        match cost.priced {
            Some(price) => minutes(price),
            None => self.0.measured.downtime.to_string(),
        }
    }

    fn share(&self) -> String {
        self.0
            .judgement
            .cost
            .share
            .high
            .map_or_else(|| "an unknown share".into(), percent)
    }

    fn impact(&self) -> String {
        let (report, cost) = (self.0, &self.0.judgement.cost);
        let (budget, days) = (minutes(cost.budget), cost.window.as_secs() / 86_400);
        let mut text = format!(
            "## Impact\n\n**Down for {}: {} of the {budget} that {days} days allow.**\n\n",
            self.length(),
            self.share()
        );
        if cost.priced.is_some() {
            let _ = writeln!(
                text,
                "The rehearsal saw it down {}, and it did not recover by itself; it is accounted at the time until a person has repaired it.\n",
                report.measured.downtime
            );
        }
        for journey in &report.measured.journeys {
            let _ = writeln!(text, "* {}", suffered(journey));
        }
        let data = report.measured.data;
        if data.acknowledged > 0 {
            let unknown = match data.unknown {
                0 => String::new(),
                unknown => format!(", {unknown} unknown"),
            };
            let _ = writeln!(
                text,
                "* Data: {} writes acknowledged, {} intact, {} lost, {} corrupt{unknown}.",
                data.acknowledged, data.intact, data.lost, data.corrupt
            );
        }
        let _ = writeln!(
            text,
            "* Users and revenue: {}",
            blank("how many people, how much money, which customers")
        );
        text
    }

    fn when(&self) -> String {
        let mut text = format!(
            "## Time line\n\nSeconds since the schedule of steps began.\n\n{}",
            time_line(self.0)
        );
        if let Some(price) = self.0.judgement.cost.priced {
            let _ = writeln!(
                text,
                "From here on a person repairs it{}; restored after {}:{:02} ({}).",
                if self.deployed() {
                    ": find the logs, find the error, compare the versions, fix, push, build, test, deploy"
                } else {
                    ""
                },
                price.as_secs() / 60,
                price.as_secs() % 60,
                blank("the instants of the real day")
            );
        }
        text
    }

    fn detection(&self) -> String {
        let (report, instants) = (self.0, &self.0.measured.instants);
        let told = match instants.time_to_detect {
            Some(time) => format!("The first alert arrived {time} after {}.", origin(instants)),
            None => "**No alert arrived.** Whoever noticed it was a person.".into(),
        };
        let mut blind: Vec<String> = Vec::new();
        for journey in report.measured.journeys.iter().filter(|j| j.outages.is_empty()) {
            blind.push(format!("`{}`", plain(&journey.name, 60).replace('`', "'")));
        }
        let green = if blind.is_empty() || self.down().next().is_none() {
            String::new()
        } else {
            format!(
                "\n\nA check on {} alone stayed green through all of it.",
                blind.join(", ")
            )
        };
        format!(
            "## Detection\n\n{told}{green}\n\n* Who noticed, and how: {}\n",
            blank("person or page")
        )
    }

    fn response(&self) -> String {
        let instants = &self.0.measured.instants;
        let mut text = String::from("## Response\n\n");
        match &instants.rollback {
            Some(back) => {
                let _ = writeln!(
                    text,
                    "The system went back from {} to {} by itself, in {}.",
                    escaped(&back.from, 60),
                    escaped(&back.to, 60),
                    back.time
                );
            }
            None if self.deployed() => {
                text.push_str("Nothing went back to the last working version by itself.\n");
            }
            None => {}
        }
        match instants.time_to_recover {
            Some(time) => {
                let _ = writeln!(text, "Users were served again {time} after the outage began.");
            }
            None if self.down().next().is_some() => {
                text.push_str("It had not recovered when the rehearsal ended.\n")
            }
            None => text.push_str("There was nothing to recover from.\n"),
        }
        let _ = writeln!(
            text,
            "\n* What people did, in order: {}",
            blank("steps, with times")
        );
        text
    }

    fn root_cause(&self) -> String {
        let report = self.0;
        let mut text = String::from("## Root cause\n\n");
        let trigger = report.trigger();
        if trigger.is_none() {
            let _ = writeln!(text, "* Trigger: {}", blank("what the outage came with"));
        }
        for fault in &report.faults {
            let proof = match (fault.confirmed, fault.failed) {
                (Some(_), _) => "confirmed",
                (None, true) => "not injected",
                (None, false) => "not confirmed",
            };
            let part = if trigger == Some(fault) {
                "Trigger"
            } else {
                "Injected too; the outage did not begin with it"
            };
            let _ = writeln!(
                text,
                "* {part}: {} ({proof}, at {})",
                escaped(&fault.what, 200),
                report.time(fault.from)
            );
        }
        for release in &report.measured.releases {
            let (answers, good) = release.answers;
            let _ = writeln!(
                text,
                "* {} answered {answers} requests, {good} of them right.",
                escaped(&release.name, 60)
            );
        }
        match report.loudest() {
            Some((log, entry)) => {
                let _ = writeln!(
                    text,
                    "\n{}he log of `{}` says, at line {} and {} times in all:\n",
                    if report.culprit().is_some() {
                        "T"
                    } else {
                        "No error is known to have come up inside the outage. Apart from it t"
                    },
                    plain(&log.service, 60).replace('`', "'"),
                    entry.line,
                    entry.count
                );
                let lines = std::iter::once(&entry.text)
                    .chain(entry.after.iter().filter(|line| line.starts_with(' ')));
                text.push_str(&fenced(&lines.map(|line| plain(line, 400)).collect::<Vec<_>>()));
            }
            None => text.push_str("\nThe logs hold no error.\n"),
        }
        let _ = writeln!(
            text,
            "\n* The line of code, and the change that brought it: {}",
            blank("commit and file")
        );
        text
    }

    fn five_whys(&self) -> String {
        let down: Vec<String> = self.down().map(|journey| escaped(&journey.name, 60)).collect();
        let mut sums: Vec<(firedrill_model::sample::Bad, usize)> = Vec::new();
        for (kind, count) in self.down().flat_map(|journey| &journey.bad) {
            match sums.iter_mut().find(|(known, _)| known == kind) {
                Some((_, sum)) => *sum += count,
                None => sums.push((*kind, *count)),
            }
        }
        let kinds: Vec<String> = sums
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let first = if down.is_empty() {
            "Users were not let down.".to_owned()
        } else {
            format!("{} failed: {}.", down.join(" and "), kinds.join(", "))
        };
        let second = self.0.culprit().map_or_else(
            || blank("what failed inside"),
            |(_, entry)| {
                format!(
                    "The service said: {}",
                    escaped(&DrillReport::error(entry, 200), 200)
                )
            },
        );
        let why = if down.is_empty() {
            "What failed all the same?"
        } else {
            "Why did that fail?"
        };
        let third = self.0.trigger().map_or_else(
            || blank("what triggered it"),
            |fault| format!("It came with: {}.", escaped(&fault.what, 200)),
        );
        format!(
            "## Five whys\n\n1. Why were users let down? {first}\n2. {why} {second}\n3. Why was it there? {third}\n4. Why did nothing stop it before users met it? {}\n5. Why is it made so that this can happen? {}\n",
            blank(if self.deployed() {
                "the gate that was missing: unit test, staging with production-like data, automatic rollback"
            } else {
                "the guard that was missing"
            }),
            blank("the habit or the structure behind it"),
        )
    }

    fn went_well(&self) -> String {
        let report = self.0;
        let mut text = String::from("## What went well\n\n");
        for journey in report
            .measured
            .journeys
            .iter()
            .filter(|j| j.outages.is_empty() && j.good + j.fallback > 0)
        {
            let _ = writeln!(text, "* {} never went down.", escaped(&journey.name, 60));
        }
        for journey in &report.measured.journeys {
            for rung in &journey.rungs {
                let _ = writeln!(
                    text,
                    "* {} got {} right answers by {} while the normal way was closed.",
                    escaped(&journey.name, 60),
                    rung.answers,
                    escaped(&rung.name, 60)
                );
            }
        }
        let data = report.measured.data;
        if data.acknowledged > 0 && data.intact == data.acknowledged {
            let _ = writeln!(text, "* No acknowledged write was lost.");
        }
        for mark in report.timeline.iter().filter(|mark| mark.kind == Kind::Alert) {
            let _ = writeln!(
                text,
                "* The alert `{}` arrived at {}.",
                plain(&mark.text, 60).replace('`', "'"),
                report.time(mark.at)
            );
        }
        let _ = writeln!(text, "* {}", blank("what people did well"));
        text
    }

    fn actions(&self) -> String {
        let report = self.0;
        let mut text = String::from("## Action items\n\n| what | why | owner | due |\n|---|---|---|---|\n");
        let mut row = |what: &str, why: String| {
            let _ = writeln!(text, "| {what} | {why} | {} | {} |", blank("name"), blank("date"));
        };
        if self.deployed() {
            row(
                "Prevent: a test that fails on this",
                "bad code is cheapest before it is deployed".into(),
            );
            row(
                "Prevent: a staging gate with a copy of the production store",
                "an empty store can hide it".into(),
            );
        }
        if report.measured.instants.rollback.is_none() && self.deployed() {
            row(
                "Mitigate: roll back by itself when answers go bad after a push",
                format!("it would have ended {} of downtime within seconds", self.length()),
            );
        }
        if report.measured.instants.detected.is_none() && self.down().next().is_some() {
            row(
                "Detect: alert on the journeys that failed",
                "no alert arrived".into(),
            );
        }
        if report.measured.data.lost + report.measured.data.corrupt > 0 {
            row(
                "Mend: acknowledge writes only when they are durable",
                format!(
                    "{} lost, {} corrupt",
                    report.measured.data.lost, report.measured.data.corrupt
                ),
            );
        }
        for check in report.judgement.of(Verdict::Breached) {
            row(
                &format!("Meet `{}`", plain(&check.id.to_string(), 60).replace('`', "'")),
                format!(
                    "{}; required: {}",
                    escaped(&check.found.to_string(), 200),
                    escaped(&check.required.to_string(), 120)
                ),
            );
        }
        row(
            "Verify: run this scenario every night",
            format!("`firedrill run {}`", plain(report.name(), 80).replace('`', "'")),
        );
        text
    }
}

/// What the users of a journey went through.
fn suffered(journey: &Journey) -> String {
    let bad: usize = journey.bad.iter().map(|(_, count)| count).sum();
    let all = journey.good + journey.fallback + bad;
    let name = escaped(&journey.name, 60);
    if journey.outages.is_empty() {
        let other = if journey.fallback > 0 {
            format!(", {} of them by a fallback", journey.fallback)
        } else {
            String::new()
        };
        return format!("{name}: never down; {} of {all} answers right{other}.", all - bad);
    }
    let aside = if journey.essential { "" } else { " (not essential)" };
    format!(
        "{name}{aside}: down {}; {bad} of {all} answers failed.",
        journey.downtime
    )
}
