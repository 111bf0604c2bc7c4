//! The report for a person at a terminal: what happened, what users had, what it cost, what to do next.

use std::fmt::Write;
use std::time::Duration;

use super::text::{Paint, plain, word};
use crate::history::{Event, History};
use crate::measure::{Journey, Measured, Standing};
use crate::sample::Micros;
use crate::scenario::Contract;
use crate::sla::{Judgement, Verdict};

/// The whole report. Readable without colours; `width` is the terminal's.
pub fn terminal(
    history: &History,
    measured: &Measured,
    judgement: &Judgement,
    width: usize,
    colours: bool,
) -> String {
    let page = Page {
        history,
        measured,
        judgement,
        width: width.clamp(60, 160),
        paint: Paint(colours),
    };
    let parts = [
        page.headline(),
        page.time_line(),
        page.lanes(),
        page.cost(),
        page.checks(),
        page.next(),
    ];
    parts.join("\n")
}

struct Page<'a> {
    history: &'a History,
    measured: &'a Measured,
    judgement: &'a Judgement,
    width: usize,
    paint: Paint,
}

/// An event of the time line.
struct Mark {
    at: Micros,
    text: String,
}

impl Page<'_> {
    fn headline(&self) -> String {
        let start = &self.history.start;
        let verdict = self.judgement.verdict();
        let told = match (&self.judgement.control, self.judgement.stated()) {
            (Some(_), true) => "BREACHED, as a control must".to_owned(),
            (Some(_), false) => format!("{}, and not as this control must", word(verdict).to_uppercase()),
            (None, _) => word(verdict).to_uppercase(),
        };
        let told = if self.judgement.stated() {
            self.paint.good(&told)
        } else {
            self.paint.verdict(verdict.max(Verdict::Undecided), &told)
        };
        let mut text = format!(
            "\n{}  {}\n",
            self.paint.bold(&start.plan.name),
            self.paint.bold(&told)
        );
        let _ = writeln!(text, "  {}", plain(&start.plan.scenario.summary, 300));
        if let Some(control) = &start.plan.scenario.control {
            let _ = writeln!(text, "  a control: {}", plain(&control.because, 300));
        }
        let place = format!(
            "{} ({}), {}, seed {}, run {}",
            start.target,
            start.place,
            start.wall.get(..19).unwrap_or(""),
            start.seed,
            start.run
        );
        let _ = writeln!(text, "  {}", self.paint.dim(&plain(&place, 200)));
        text
    }

    /// Seconds since the first step's origin, with a sign.
    fn time(&self, at: Micros) -> String {
        let origin = self.measured.window.from;
        if at < origin {
            format!("{:>8}", format!("-{:.2} s", origin.since(at).as_secs_f64()))
        } else {
            format!("{:>8}", format!("{:.2} s", at.since(origin).as_secs_f64()))
        }
    }

    fn time_line(&self) -> String {
        let mut marks = self.events();
        for outage in &self.measured.outages {
            let kinds: Vec<String> = outage
                .kinds
                .iter()
                .map(|(kind, count)| format!("{count} {kind}"))
                .collect();
            marks.push(Mark {
                at: outage.first_bad,
                text: self
                    .paint
                    .bad(&format!("users are let down: {}", kinds.join(", "))),
            });
            match outage.first_good {
                Some(at) if !outage.open => {
                    marks.push(Mark {
                        at,
                        text: self
                            .paint
                            .good(&format!("users are served again: down {}", outage.bounds())),
                    });
                }
                _ => marks.push(Mark {
                    at: outage.hull.until,
                    text: self.paint.bad("still down when the drill ended"),
                }),
            }
        }
        if let Some(at) = self.measured.instants.first_fallback {
            marks.push(Mark {
                at,
                text: self.paint.warn("first answer by a fallback"),
            });
        }
        for release in &self.measured.releases {
            let (answers, good) = release.answers;
            marks.push(Mark {
                at: release.first.0,
                text: format!(
                    "{} answers ({good} of {answers} right, until {})",
                    plain(&release.name, 40),
                    self.time(release.last.0).trim()
                ),
            });
        }
        marks.sort_by_key(|mark| mark.at);
        let mut text = format!("{}\n", self.paint.bold("What happened"));
        for mark in marks {
            let _ = writeln!(text, "  {}  {}", self.time(mark.at), mark.text);
        }
        text
    }

    fn events(&self) -> Vec<Mark> {
        let limit = self.width.saturating_sub(14).max(60) * 2;
        let mark = |event: &crate::history::Stamped| {
            let text = match &event.event {
                Event::Injecting { what, .. } => format!("fault: {what}"),
                Event::Injected {
                    evidence: Some(evidence),
                    ..
                } => format!("in effect: {evidence}"),
                Event::Injected { evidence: None, .. } => {
                    "not confirmed: nothing proves that it took effect".into()
                }
                Event::NotInjected { why, .. } => format!("not injected: {why}"),
                Event::Reverted { evidence, .. } => format!("reverted: {evidence}"),
                Event::NotReverted { why, .. } => format!("not reverted: {why}"),
                Event::Alert { kind, .. } => format!("alert: {kind}"),
                Event::Gap { .. } => "the prober stood still".into(),
                Event::Steady { evidence, .. } => format!("steady state: {evidence}"),
                _ => return None,
            };
            Some(Mark {
                at: event.at,
                text: plain(&text, limit),
            })
        };
        self.history.events.iter().filter_map(mark).collect()
    }

    fn lanes(&self) -> String {
        let widest = self
            .measured
            .journeys
            .iter()
            .map(|journey| journey.name.chars().count())
            .max()
            .unwrap_or(0)
            .min(24);
        let columns = self.width.saturating_sub(widest + 6).clamp(20, 100);
        let mut text = format!("{}  ", self.paint.bold("Journeys"));
        let _ = writeln!(
            text,
            "{}",
            self.paint.dim(&format!(
                "█ up  ▒ fallback  · down, over {:.1} s",
                self.measured.window.length().as_secs_f64()
            ))
        );
        for journey in &self.measured.journeys {
            let _ = writeln!(
                text,
                "  {:widest$}  {}",
                plain(&journey.name, widest),
                self.lane(journey, columns)
            );
            let _ = writeln!(text, "  {:widest$}  {}", "", self.counts(journey));
        }
        text
    }

    fn lane(&self, journey: &Journey, columns: usize) -> String {
        let window = self.measured.window;
        let whole = window.length().as_secs_f64().max(1e-9);
        let mut lane = String::new();
        for column in 0..columns {
            #[expect(clippy::cast_precision_loss, reason = "columns of a terminal")]
            let share =
                |column: usize| window.from + Duration::from_secs_f64(whole * column as f64 / columns as f64);
            let (from, until) = (share(column), share(column + 1));
            let here = journey
                .lane
                .iter()
                .filter(|segment| segment.time.from < until && from < segment.time.until);
            let worst = here
                .map(|segment| &segment.standing)
                .max_by_key(|standing| match standing {
                    Standing::Up => 0,
                    Standing::Fallback(_) => 1,
                    Standing::Down => 2,
                });
            lane.push_str(&match worst {
                Some(Standing::Up) => self.paint.good("█"),
                Some(Standing::Fallback(_)) => self.paint.warn("▒"),
                Some(Standing::Down) => self.paint.bad("·"),
                None => " ".into(),
            });
        }
        lane
    }

    fn counts(&self, journey: &Journey) -> String {
        let mut parts = vec![format!("{} good", journey.good)];
        for rung in &journey.rungs {
            parts.push(format!(
                "{} by {} for {:.1} s",
                rung.answers,
                plain(&rung.name, 40),
                rung.time.as_secs_f64()
            ));
        }
        parts.extend(journey.bad.iter().map(|(kind, count)| format!("{count} {kind}")));
        if journey.void > 0 {
            parts.push(format!("{} unknown", journey.void));
        }
        if !journey.outages.is_empty() {
            parts.push(format!("down {}", journey.downtime));
        }
        if !journey.essential {
            parts.push("not essential".into());
        }
        let latency = journey.latency;
        parts.push(format!(
            "p50 {:.1} ms, p99 {:.1} ms",
            latency.p50.as_secs_f64() * 1e3,
            latency.p99.as_secs_f64() * 1e3
        ));
        self.paint.dim(&parts.join(", "))
    }

    fn cost(&self) -> String {
        let (measured, cost) = (self.measured, &self.judgement.cost);
        let mut text = format!("{}\n", self.paint.bold("What it cost"));
        let _ = writeln!(text, "  downtime      {}{}", measured.downtime, self.unknown());
        let data = measured.data;
        if data.acknowledged > 0 {
            let _ = writeln!(
                text,
                "  writes        {} acknowledged: {} intact, {} lost, {} corrupt, {} unknown",
                data.acknowledged, data.intact, data.lost, data.corrupt, data.unknown
            );
        }
        let _ = writeln!(text, "  budget        {}", self.budget());
        if let Some(per_year) = cost.per_year {
            let high = per_year
                .high
                .map_or_else(|| "unknown".into(), |high| format!("{high:.1} %"));
            let because = self.history.start.plan.scenario.per_year.as_ref();
            let because = because.map_or_else(String::new, |p| {
                format!(" ({} times: {})", p.times, plain(&p.because, 80))
            });
            let _ = writeln!(text, "  in a year     up to {high} of it{because}");
        }
        let bills: Vec<String> = self
            .judgement
            .bills
            .iter()
            .map(|bill| format!("{} {}", contract(bill.contract), bill.billed))
            .collect();
        let _ = writeln!(text, "  by contract   {}", self.paint.dim(&bills.join(" · ")));
        text
    }

    fn unknown(&self) -> String {
        if self.measured.unknown.is_zero() {
            return String::new();
        }
        format!(" ({:.0} ms unknown)", self.measured.unknown.as_secs_f64() * 1e3)
    }

    /// The year's budget as a bar: what this took of it.
    fn budget(&self) -> String {
        let cost = &self.judgement.cost;
        let total = crate::units::Span(cost.budget);
        let days = cost.window.as_secs() / 86_400;
        let Some(high) = cost.share.high else {
            return format!(
                "the outage was still open, and no `manual_recovery` prices it (of {total} in {days} days)"
            );
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 20"
        )]
        let filled = (high / 5.0).ceil().clamp(0.0, 20.0) as usize;
        let bar = format!("[{}{}]", "#".repeat(filled), "-".repeat(20 - filled));
        let verdict = if high > 100.0 {
            Verdict::Breached
        } else {
            Verdict::Met
        };
        let priced = cost.priced.map_or_else(String::new, |price| {
            format!(
                ", priced at {} until a person has repaired it",
                crate::units::Span(price)
            )
        });
        let share = if high < 0.005 {
            "nothing".to_owned()
        } else {
            format!("{high:.2} %")
        };
        self.paint.verdict(
            verdict,
            &format!("{bar} {share} of {total} in {days} days{priced}"),
        )
    }

    fn checks(&self) -> String {
        let mut checks: Vec<_> = self.judgement.checks.iter().collect();
        checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
        let mut text = format!("{}\n", self.paint.bold("What was required"));
        for check in checks {
            let verdict = self
                .paint
                .verdict(check.verdict, &format!("{:9}", word(check.verdict)));
            let found = plain(&check.found, self.width.max(80));
            let _ = writeln!(
                text,
                "  {verdict} {:24} {}: {found}",
                plain(&check.name, 40),
                plain(&check.required, 120)
            );
        }
        text
    }

    fn next(&self) -> String {
        let run = &self.history.start.run;
        let verdict = self.judgement.verdict();
        let mut text = String::new();
        if !self.judgement.stated() {
            let advice = match verdict {
                Verdict::Breached => "look at the time line above, then at the logs",
                Verdict::Undecided => {
                    "this run proves nothing: mend what is undecided above, then run it again"
                }
                Verdict::Met => {
                    "this control must breach and did not: either the harness no longer sees it, or it was mended"
                }
            };
            let _ = writeln!(text, "  next          {advice}");
        }
        let _ = write!(
            text,
            "  again         firedrill report runs/{run}      logs: runs/{run}/logs/"
        );
        self.paint.dim(&text)
    }
}

fn contract(contract: Contract) -> &'static str {
    match contract {
        Contract::Strict => "strict",
        Contract::Request => "request",
        Contract::Minute1 => "minute 1%",
        Contract::Minute5 => "minute 5%",
        Contract::Minute10 => "minute 10%",
        Contract::FullMinutes => "full minutes",
        Contract::FiveMinuteMean => "five-minute mean",
    }
}
