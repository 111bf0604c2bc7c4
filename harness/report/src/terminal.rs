//! The report for a person at a terminal: what happened, what users had, what it cost, what to do next.

use std::fmt::Write;
use std::time::Duration;

use super::advice;
use super::drill::DrillReport;
use super::text::{Paint, plain, word, wrap};
use super::timeline::Kind;
use super::words::{self, contract, latency, of_budget, percent, place, times, told};
use firedrill_judge::Verdict;
use firedrill_judge::measure::{Journey, JourneyState};
use firedrill_model::sample::Micros;

/// The whole report. Readable without colours; `width` is the terminal's.
pub fn terminal(report: &DrillReport, width: usize, colours: bool) -> String {
    let page = Page {
        report,
        width: width.clamp(60, 160),
        paint: Paint(colours),
    };
    let parts = [
        page.headline(),
        page.time_line(),
        page.lanes(),
        page.cost(),
        page.checks(),
        page.log(),
        page.next(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

struct Page<'a> {
    report: &'a DrillReport,
    width: usize,
    paint: Paint,
}

impl Page<'_> {
    fn headline(&self) -> String {
        let (start, judgement) = (&self.report.start, &self.report.judgement);
        let verdict = if judgement.as_expected() {
            Verdict::Met
        } else {
            judgement.verdict().max(Verdict::Undecided)
        };
        let told = self.paint.verdict(verdict, &told(judgement));
        let mut text = format!(
            "\n{}  {}\n",
            self.paint.bold(&self.report.title()),
            self.paint.bold(&told)
        );
        text.push_str(&self.indented("", &self.report.reason()));
        text.push_str(&self.indented("", &plain(&start.plan.scenario.summary, 300)));
        if let Some(control) = &start.plan.scenario.control {
            text.push_str(&self.indented("a control: ", &plain(&control.because, 300)));
        }
        let _ = writeln!(text, "  {}", self.paint.dim(&plain(&place(start), 200)));
        text
    }

    /// A text after two spaces and a word or two, wrapped below itself.
    fn indented(&self, head: &str, text: &str) -> String {
        let indent = 2 + head.chars().count();
        let mut lines = wrap(text, self.width.saturating_sub(indent)).into_iter();
        let mut indented = format!("  {head}{}\n", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(indented, "{:indent$}{line}", "");
        }
        indented
    }

    fn time_line(&self) -> String {
        let dim = self.paint.dim("0 s is when the schedule of steps begins");
        let mut text = format!("{}  {dim}\n", self.paint.bold("What happened"));
        for mark in &self.report.timeline {
            let time = format!("{:>9}", self.report.time(mark.at));
            let word = format!("{:9}", mark.kind.word());
            let word = match mark.kind {
                Kind::Down | Kind::Open => self.paint.bad(&word),
                Kind::Up => self.paint.good(&word),
                Kind::Fault | Kind::Fallback | Kind::Doubt => self.paint.warn(&word),
                _ => self.paint.dim(&word),
            };
            let mut lines = wrap(&plain(&mark.text, 400), self.width.saturating_sub(24)).into_iter();
            let _ = writeln!(text, "  {time}  {word}  {}", lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(text, "{:24}{line}", "");
            }
        }
        text
    }

    fn lanes(&self) -> String {
        let measured = &self.report.measured;
        let mut text = format!(
            "{}  {}\n",
            self.paint.bold("Journeys"),
            self.paint.dim("█ up  ▒ fallback  · down  ? unknown")
        );
        if measured.window.length().is_zero() {
            text.push_str("  nothing was measured: the drill ended before its first step\n");
            return text;
        }
        let names = measured
            .journeys
            .iter()
            .map(|journey| journey.name.chars().count());
        let widest = names.max().unwrap_or(0).min(24);
        let columns = self.width.saturating_sub(widest + 6).clamp(20, 100);
        for journey in &measured.journeys {
            let name = plain(&journey.name, widest);
            let _ = writeln!(text, "  {name:widest$}  {}", self.lane(journey, columns));
            for line in wrap(&counts(journey, measured.blips_of(journey).count()), columns) {
                let _ = writeln!(text, "  {:widest$}  {}", "", self.paint.dim(&line));
            }
        }
        let _ = writeln!(text, "  {:widest$}  {}", "", self.paint.dim(&self.axis(columns)));
        text
    }

    /// The faults under the lanes, between the start and the end of the time that is judged.
    fn axis(&self, columns: usize) -> String {
        let window = self.report.measured.window;
        let mut axis: Vec<char> = vec!['─'; columns];
        for fault in &self.report.faults {
            for at in [Some(fault.from), fault.until]
                .into_iter()
                .flatten()
                .filter(|at| window.contains(*at))
            {
                let share = at.since(window.from).as_secs_f64() / window.length().as_secs_f64().max(1e-9);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "columns of a terminal"
                )]
                let column = ((share * columns as f64) as usize).min(columns - 1);
                axis[column] = if at == fault.from { '▲' } else { '△' };
            }
        }
        let line: String = axis.into_iter().collect();
        let end = format!("{:.1} s", window.length().as_secs_f64());
        let key = if self.report.faults.is_empty() {
            ""
        } else {
            "▲ fault  △ reverted"
        };
        let room = columns.saturating_sub(end.chars().count() + 3);
        let widest = self
            .report
            .measured
            .journeys
            .iter()
            .map(|j| j.name.chars().count())
            .max();
        let indent = widest.unwrap_or(0).min(24) + 4;
        format!("{line}\n{:indent$}0 s{key:^room$}{end}", "")
    }

    fn lane(&self, journey: &Journey, columns: usize) -> String {
        let window = self.report.measured.window;
        let whole = window.length().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "columns of a terminal")]
        let edge =
            |column: usize| window.from + Duration::from_secs_f64(whole * column as f64 / columns as f64);
        let cell = |column: usize| {
            let (from, until) = (edge(column), edge(column + 1));
            match self.worst(journey, from, until) {
                Some(JourneyState::Down) => self.paint.bad("·"),
                Some(JourneyState::Fallback(_)) => self.paint.warn("▒"),
                Some(JourneyState::Up) if self.unknown(from, until) => self.paint.dim("?"),
                Some(JourneyState::Up) => self.paint.good("█"),
                None => " ".into(),
            }
        };
        (0..columns).map(cell).collect()
    }

    fn worst<'j>(&self, journey: &'j Journey, from: Micros, until: Micros) -> Option<&'j JourneyState> {
        let here = journey
            .lane
            .iter()
            .filter(|segment| segment.time.from < until && from < segment.time.until);
        here.map(|segment| &segment.state)
            .max_by_key(|standing| match standing {
                JourneyState::Up => 0,
                JourneyState::Fallback(_) => 1,
                JourneyState::Down => 2,
            })
    }

    fn unknown(&self, from: Micros, until: Micros) -> bool {
        let parts = &self.report.measured.unknown_parts;
        parts.iter().any(|part| part.from < until && from < part.until)
    }

    fn cost(&self) -> String {
        let (measured, cost) = (&self.report.measured, &self.report.judgement.cost);
        let mut text = format!("{}\n", self.paint.bold("What it cost"));
        let unknown = if measured.unknown.is_zero() {
            String::new()
        } else {
            format!(", {} unknown", latency(measured.unknown))
        };
        let _ = writeln!(text, "  downtime     {}{unknown}", measured.downtime);
        let _ = writeln!(text, "  budget       {}", self.budget());
        if let (Some(per_year), Some(because)) = (cost.per_year, &self.report.start.plan.scenario.per_year) {
            let high = per_year.high.map_or_else(|| "unknown".into(), percent);
            let told = format!(
                "up to {high} of it: {} a year, {}",
                times(because.times),
                plain(&because.because, 120)
            );
            text.push_str(&self.indented("in a year    ", &told));
        }
        let data = measured.data;
        if data.acknowledged > 0 {
            let counts = [
                (data.intact, "intact"),
                (data.lost, "lost"),
                (data.corrupt, "corrupt"),
                (data.unknown, "unknown"),
            ];
            let counts = counts.iter().filter(|(count, _)| *count > 0);
            let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
            let _ = writeln!(
                text,
                "  writes       {} acknowledged: {}",
                data.acknowledged,
                counts.join(", ")
            );
        }
        let bills = self.report.judgement.bills.iter();
        let bills: Vec<String> = bills
            .map(|bill| format!("{}: {}", contract(bill.contract), bill.billed))
            .collect();
        text.push_str(&self.indented("by contract  ", &bills.join(" · ")));
        text
    }

    /// The year's budget as a bar: what this took of it.
    fn budget(&self) -> String {
        let cost = &self.report.judgement.cost;
        let Some(high) = cost.share.high else {
            return of_budget(cost);
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 20"
        )]
        let filled = (high / 5.0).ceil().clamp(0.0, 20.0) as usize;
        let over = if high > 100.0 { "▶" } else { "" };
        let bar = format!("[{}{}]{over}", "█".repeat(filled), "·".repeat(20 - filled));
        let verdict = if high > 100.0 {
            Verdict::Breached
        } else {
            Verdict::Met
        };
        self.paint.verdict(verdict, &format!("{bar} {}", of_budget(cost)))
    }

    fn checks(&self) -> String {
        let mut checks: Vec<_> = self.report.judgement.checks.iter().collect();
        checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
        let widest = checks
            .iter()
            .map(|check| check.id.to_string().chars().count())
            .max()
            .unwrap_or(0)
            .min(32);
        let mut text = format!("{}\n", self.paint.bold("What was required"));
        for check in checks {
            let verdict = format!("{:9}", word(check.verdict));
            let found = format!(
                "{}  (required: {})",
                plain(&check.found.to_string(), 300),
                plain(&check.required.to_string(), 120)
            );
            let mut lines = wrap(&found, self.width.saturating_sub(widest + 15)).into_iter();
            let _ = writeln!(
                text,
                "  {}  {:widest$}  {}",
                self.paint.verdict(check.verdict, &verdict),
                plain(&check.id.to_string(), widest),
                lines.next().unwrap_or_default()
            );
            for line in lines {
                let _ = writeln!(text, "{:indent$}{line}", "", indent = widest + 15);
            }
        }
        text
    }

    /// The error that most likely tells the cause, with the lines after it.
    fn log(&self) -> String {
        let Some((log, entry)) = self
            .report
            .loudest()
            .filter(|_| self.report.judgement.verdict() != Verdict::Met)
        else {
            return String::new();
        };
        let mut text = format!(
            "{}  {}\n",
            self.paint.bold("What the logs say"),
            self.paint.dim(&format!(
                "{}.log, line {}, {} times",
                log.service, entry.line, entry.count
            ))
        );
        let mut lines = vec![DrillReport::error(entry, 400)];
        lines.extend(
            entry
                .after
                .iter()
                .filter(|line| line.starts_with(' '))
                .map(|line| plain(line, 400)),
        );
        for line in lines {
            text.push_str(&self.indented("", &line));
        }
        text
    }

    fn next(&self) -> String {
        let mut text = format!("{}\n", self.paint.bold("What next"));
        for advice in advice::advice(self.report) {
            text.push_str(&self.indented("• ", &advice));
        }
        for (what, command) in advice::commands(self.report) {
            let _ = writeln!(text, "  {}", self.paint.dim(&format!("{what:14}{command}")));
        }
        text.trim_end().to_owned()
    }
}

/// A journey's answers in numbers.
fn counts(journey: &Journey, blips: usize) -> String {
    let mut parts = vec![format!("{} good", journey.good)];
    for rung in &journey.rungs {
        let (name, time) = (plain(&rung.name, 40), rung.time.as_secs_f64());
        parts.push(format!("{} by {name} for {time:.1} s", rung.answers));
    }
    parts.extend(journey.bad.iter().map(|(kind, count)| format!("{count} {kind}")));
    if blips > 0 {
        parts.push(words::blips(blips));
    }
    if journey.void > 0 {
        parts.push(format!("{} unknown", journey.void));
    }
    if !journey.outages.is_empty() {
        parts.push(format!("down {}", journey.downtime));
    }
    if !journey.essential {
        parts.push("not essential".into());
    }
    if journey.latency.n > 0 {
        let (p50, p99) = (latency(journey.latency.p50), latency(journey.latency.p99));
        parts.push(format!("p50 {p50}, p99 {p99}"));
    }
    parts.join(" · ")
}
