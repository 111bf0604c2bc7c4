//! The draft of a post-mortem, in Markdown: the usual sections, five whys, and the Six Sigma frame (define, measure,
//! analyse, improve, control).
//!
//! Takes one drill's report, gives text in which everything that the harness measured is filled in, and everything that
//! only people know is a marked blank.

mod actions;
mod six_sigma;

use std::fmt::Write;

use super::drill::{DrillReport, FaultSpan};
use super::format::{bounds, count, of_all, percent, span, tally};
use super::markdown::{escaped, fenced, timeline};
use super::text::plain;
use super::timeline::Kind;
use super::words::{self, budget_name, detection_origin, place};
use firedrill_judge::measure::{Bounds, Journey};
use firedrill_judge::tally;
use firedrill_model::sample::Bad;

/// What only people know.
fn blank(what: &str) -> String {
    format!("_[to be filled in: {what}]_")
}

/// A name as code.
fn code(name: &str, longest: usize) -> String {
    format!("`{}`", plain(name, longest).replace('`', "'"))
}

/// The draft.
pub fn incident(report: &DrillReport) -> String {
    let draft = Draft(report);
    let parts = [
        draft.title(),
        draft.impact(),
        draft.timeline(),
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
            "# Post-mortem (draft): {}\n\n{}\n\n* Drill: {}\n* Run: {}\n* Severity: {}\n* Author and reviewers: {}\n",
            escaped(report.name(), 100),
            escaped(&report.start.plan.scenario.summary, 300),
            escaped(&place(&report.start), 200),
            code(&report.start.run, 120),
            blank("on your own scale"),
            blank("names"),
        )
    }

    fn journeys(&self) -> &[Journey] {
        &self.0.measured.journeys
    }

    fn down(&self) -> impl Iterator<Item = &Journey> {
        self.journeys()
            .iter()
            .filter(|journey| !journey.outages.is_empty())
    }

    fn never_down(&self) -> impl Iterator<Item = &Journey> {
        self.journeys()
            .iter()
            .filter(|journey| journey.outages.is_empty())
    }

    /// Whether an outage began with a deploy: only then is there a release to test, to gate and to roll back.
    fn deployed(&self) -> bool {
        let report = self.0;
        report.outage().is_some() && report.trigger().is_some_and(FaultSpan::is_deploy)
    }

    /// The downtime that counts: the price of an outage that no drill waits for, or what was measured.
    fn length(&self) -> String {
        match self.0.judgement.cost.priced {
            Some(price) => span(price),
            None => bounds(self.0.measured.downtime),
        }
    }

    fn impact(&self) -> String {
        let (report, cost) = (self.0, &self.0.judgement.cost);
        let share = cost.share.high.map_or_else(|| "unknown share".into(), percent);
        let downtime = if report.measured.downtime == Bounds::ZERO {
            "No downtime".to_owned()
        } else {
            format!("Downtime: {}", self.length())
        };
        let mut text = format!(
            "## Impact\n\n**{downtime}; {share} of {} used.**\n\n",
            budget_name(cost)
        );
        if let Some(price) = cost.priced {
            let _ = writeln!(
                text,
                "The drill measured {} of downtime and saw no automatic recovery. The draft counts {}, the time that manual recovery takes.\n",
                bounds(report.measured.downtime),
                span(price)
            );
        }
        for journey in self.journeys() {
            let _ = writeln!(text, "* {}", suffered(journey));
        }
        let data = report.measured.data;
        if data.acknowledged > 0 {
            let _ = writeln!(text, "* Writes: {}.", words::writes(&data));
        }
        let _ = writeln!(
            text,
            "* Users and revenue: {}",
            blank("how many people, how much money, which customers")
        );
        text
    }

    fn timeline(&self) -> String {
        let mut text = format!(
            "## Timeline\n\nSeconds from the start of the steps.\n\n{}",
            timeline(self.0)
        );
        if let Some(price) = self.0.judgement.cost.priced {
            let steps = if self.deployed() {
                " (find the logs, find the error, compare the versions, fix, push, build, test, deploy)"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "Manual recovery from here on{steps}; service restored after {}. {}",
                span(price),
                blank("the times of the real day")
            );
        }
        text
    }

    fn detection(&self) -> String {
        let instants = &self.0.measured.instants;
        let alert = match instants.time_to_detect {
            Some(time) => format!(
                "The first alert arrived {} after {}.",
                bounds(time),
                escaped(&detection_origin(instants), 80)
            ),
            None if self.down().next().is_some() => "**No alert arrived.** A person noticed.".into(),
            None => "**No alert arrived.**".into(),
        };
        // What the incident taught: its monitor watched a page that stayed up.
        let blind: Vec<String> = self.never_down().map(|journey| code(&journey.name, 60)).collect();
        let green = if blind.is_empty() || self.down().next().is_none() {
            String::new()
        } else {
            format!(
                "\n\nA monitor of {} alone would have stayed green.",
                blind.join(", ")
            )
        };
        format!(
            "## Detection\n\n{alert}{green}\n\n* Who noticed, and how: {}\n",
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
                    "The system rolled back from {} to {} automatically, in {}.",
                    escaped(&back.from, 60),
                    escaped(&back.to, 60),
                    bounds(back.time)
                );
            }
            // Without a deploy there was nothing to roll back to.
            None if self.deployed() => text.push_str("No automatic rollback to the last working release.\n"),
            None => {}
        }
        match instants.time_to_recover {
            Some(time) => {
                let _ = writeln!(
                    text,
                    "The service recovered {} after the outage began.",
                    bounds(time)
                );
            }
            None if self.down().next().is_some() => {
                text.push_str("The service had not recovered when the drill ended.\n");
            }
            None => text.push_str("There was no outage to recover from.\n"),
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
        // All faults are listed: a drill may inject one that did no harm.
        let trigger = report.trigger();
        if trigger.is_none() {
            let _ = writeln!(text, "* Trigger: {}", blank("what the outage began with"));
        }
        for fault in &report.faults {
            let evidence = match (fault.confirmed, fault.failed) {
                (Some(_), _) => "confirmed",
                (None, true) => "not injected",
                (None, false) => "not confirmed",
            };
            let part = if trigger == Some(fault) {
                "Trigger"
            } else {
                "Also injected, not the trigger"
            };
            let _ = writeln!(
                text,
                "* {part}: {} ({evidence}, at {})",
                escaped(&fault.what, 200),
                report.time(fault.from)
            );
        }
        for release in &report.measured.releases {
            let (answers, good) = release.answers;
            let _ = writeln!(
                text,
                "* {}: {} right.",
                escaped(&release.name, 60),
                of_all(good, answers, "answer")
            );
        }
        text.push_str(&self.logged_error());
        let _ = writeln!(
            text,
            "\n* The line of code, and the change that introduced it: {}",
            blank("commit and file")
        );
        text
    }

    /// The error to read first, with the indented lines after it.
    fn logged_error(&self) -> String {
        let Some((log, entry)) = self.0.loudest() else {
            return "\nThe logs contain no error.\n".to_owned();
        };
        // Only an error of the outage can be its cause; any other is shown, but not as such.
        let which = if self.0.culprit().is_some() {
            "Most frequent error of the outage"
        } else {
            "No new error during the outage. Most frequent error overall"
        };
        let lines =
            std::iter::once(&entry.text).chain(entry.after.iter().filter(|line| line.starts_with(' ')));
        format!(
            "\n{which}, in the log of {} (line {}, {}):\n\n{}",
            code(&log.service, 60),
            entry.line,
            count(entry.count, "occurrence"),
            fenced(&lines.map(|line| plain(line, 400)).collect::<Vec<_>>())
        )
    }

    fn five_whys(&self) -> String {
        let down: Vec<String> = self.down().map(|journey| escaped(&journey.name, 60)).collect();
        // A drill without an outage still has a draft: an error may have been kept from users.
        let first = if down.is_empty() {
            "Users were not affected.".to_owned()
        } else {
            format!(
                "{} failed: {}.",
                down.join(" and "),
                tally(self.kinds_of_failure())
            )
        };
        let second = self.0.culprit().map_or_else(
            || blank("what failed inside"),
            |(_, entry)| {
                format!(
                    "The service logged: {}",
                    escaped(&DrillReport::error(entry, 200), 200)
                )
            },
        );
        let why = if down.is_empty() {
            "Which error occurred nevertheless?"
        } else {
            "Why did they fail?"
        };
        let third = self.0.trigger().map_or_else(
            || blank("the trigger"),
            |fault| format!("The trigger: {}.", escaped(&fault.what, 200)),
        );
        let fourth = blank(if self.deployed() {
            "the missing gate: unit test, staging with production-like data, automatic rollback"
        } else {
            "the missing protection"
        });
        let fifth = blank("the practice or the design behind it");
        let whys = [
            format!("Why were users affected? {first}"),
            format!("{why} {second}"),
            format!("Why did that happen? {third}"),
            format!("Why was it not stopped before it reached users? {fourth}"),
            format!("Why does the system allow it? {fifth}"),
        ];
        let mut text = String::from("## Five whys\n\n");
        for (number, why) in (1..).zip(whys) {
            let _ = writeln!(text, "{number}. {why}");
        }
        text
    }

    /// How the answers of all journeys that were down failed, and how often.
    fn kinds_of_failure(&self) -> Vec<(Bad, usize)> {
        let mut sums = Vec::new();
        for (kind, count) in self.down().flat_map(|journey| &journey.bad) {
            *tally::entry(&mut sums, *kind) += count;
        }
        sums
    }

    fn went_well(&self) -> String {
        let report = self.0;
        let mut text = String::from("## What went well\n\n");
        for journey in self
            .never_down()
            .filter(|journey| journey.good + journey.fallback > 0)
        {
            let _ = writeln!(text, "* {} had no downtime.", escaped(&journey.name, 60));
        }
        for journey in self.journeys() {
            for rung in &journey.rungs {
                let _ = writeln!(
                    text,
                    "* {}: {} by fallback {}.",
                    escaped(&journey.name, 60),
                    count(rung.answers, "right answer"),
                    escaped(&rung.name, 60)
                );
            }
        }
        let data = report.measured.data;
        if data.acknowledged > 0 && data.intact == data.acknowledged {
            let _ = writeln!(text, "* No acknowledged write was lost.");
        }
        for moment in report.timeline.iter().filter(|moment| moment.kind == Kind::Alert) {
            let _ = writeln!(
                text,
                "* Alert {} arrived at {}.",
                code(&moment.text, 60),
                report.time(moment.at)
            );
        }
        let _ = writeln!(text, "* {}", blank("what people did well"));
        text
    }
}

/// What a journey's users experienced.
fn suffered(journey: &Journey) -> String {
    let bad: usize = journey.bad.iter().map(|(_, count)| count).sum();
    let all = journey.good + journey.fallback + bad;
    let name = escaped(&journey.name, 60);
    let aside = if journey.essential { "" } else { " (not essential)" };
    if !journey.outages.is_empty() {
        let failed = of_all(bad, all, "answer");
        return format!(
            "{name}{aside}: down {}; {failed} failed.",
            bounds(journey.downtime)
        );
    }
    let fallback = if journey.fallback > 0 {
        format!(", {} by a fallback", journey.fallback)
    } else {
        String::new()
    };
    let right = of_all(all - bad, all, "answer");
    format!("{name}{aside}: no downtime; {right} right{fallback}.")
}
