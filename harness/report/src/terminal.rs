//! The report for a person at a terminal: what happened, what users had, what it cost, what to do next.
//!
//! Takes one drill's report and the terminal's width, gives text that is readable without colours.

use std::fmt::Write;
use std::time::Duration;

use super::advice;
use super::drill::DrillReport;
use super::format::{self, bounds, count, events_a_year, latency, percent};
use super::text::{Paint, column, pad, plain, width, wrap};
use super::timeline::Kind;
use super::words::{self, of_budget, place};
use firedrill_judge::Verdict;
use firedrill_judge::measure::{Journey, JourneyState};
use firedrill_model::sample::Micros;

/// Columns of a verdict, and of a moment's kind.
const WORD: usize = 9;
/// Columns of a time.
const TIME: usize = 9;
/// A name takes at most so many columns.
const NAME: usize = 24;
/// Cells of the bar that shows the budget.
const BAR: usize = 20;

/// The whole report; `width` is the terminal's.
pub fn terminal(report: &DrillReport, width: usize, colours: bool) -> String {
    let page = Page {
        report,
        // Narrower than 60 the columns do not fit; lines over 160 are hard to follow.
        width: width.clamp(60, 160),
        paint: Paint(colours),
    };
    let parts = [
        page.headline(),
        page.timeline(),
        page.lanes(),
        page.cost(),
        page.checks(),
        page.log(),
        page.next_steps(),
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
        // The colour says whether to worry: a control that breached as it must is good.
        let colour = if judgement.as_expected() {
            Verdict::Met
        } else {
            judgement.verdict().max(Verdict::Undecided)
        };
        let headline = self.paint.verdict(colour, &words::headline(judgement));
        let mut text = format!(
            "\n{}  {}\n",
            self.paint.bold(&self.report.title()),
            self.paint.bold(&headline)
        );
        text.push_str(&self.indented("", &self.report.reason()));
        text.push_str(&self.indented("", &plain(&start.plan.scenario.summary, 300)));
        if let Some(control) = &start.plan.scenario.control {
            text.push_str(&self.indented("negative control: ", &plain(&control.because, 300)));
        }
        if let Some(reservation) = words::reservation(start) {
            text.push_str(&self.indented("", &reservation));
        }
        let _ = writeln!(text, "  {}", self.paint.dim(&plain(&place(start), 200)));
        text
    }

    /// A text after two spaces and a word or two, wrapped below itself.
    fn indented(&self, head: &str, text: &str) -> String {
        let indent = 2 + width(head);
        let text = plain(text, 3000);
        let mut lines = wrap(&text, self.width.saturating_sub(indent)).into_iter();
        let mut indented = format!("  {head}{}\n", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(indented, "{:indent$}{line}", "");
        }
        indented
    }

    fn timeline(&self) -> String {
        let origin = self.paint.dim("in seconds from the start of the steps");
        let mut text = format!("{}  {origin}\n", self.paint.bold("Timeline"));
        let indent = TIME + WORD + 6;
        for moment in &self.report.timeline {
            let time = format!("{:>TIME$}", self.report.time(moment.at));
            let word = self.coloured(moment.kind);
            let mut lines = wrap(&plain(&moment.text, 400), self.width.saturating_sub(indent)).into_iter();
            let _ = writeln!(text, "  {time}  {word}  {}", lines.next().unwrap_or_default());
            for line in lines {
                let _ = writeln!(text, "{:indent$}{line}", "");
            }
        }
        text
    }

    fn coloured(&self, kind: Kind) -> String {
        let word = pad(kind.word(), WORD);
        match kind {
            Kind::Down | Kind::StillDown => self.paint.bad(&word),
            Kind::Up => self.paint.good(&word),
            Kind::Fault | Kind::Fallback | Kind::Warning => self.paint.warn(&word),
            _ => self.paint.dim(&word),
        }
    }

    fn lanes(&self) -> String {
        let measured = &self.report.measured;
        let mut text = format!(
            "{}  {}\n",
            self.paint.bold("Journeys"),
            self.paint.dim("█ up  ▒ fallback  · down  ? unknown")
        );
        // Places in the window are shares of its length.
        if measured.window.length().is_zero() {
            text.push_str("  nothing measured: the drill ended before its first step\n");
            return text;
        }
        let widest = self.widest_journey();
        // Six columns are the indent, the gap and a margin at the right.
        let columns = self.width.saturating_sub(widest + 6).clamp(20, 100);
        for journey in &measured.journeys {
            let name = pad(&plain(&journey.name, widest), widest);
            let _ = writeln!(text, "  {name}  {}", self.lane(journey, columns));
            for line in wrap(&answers(journey, measured.blips_of(journey).count()), columns) {
                let _ = writeln!(text, "  {:widest$}  {}", "", self.paint.dim(&line));
            }
        }
        let _ = writeln!(text, "  {:widest$}  {}", "", self.paint.dim(&self.axis(columns)));
        text
    }

    fn widest_journey(&self) -> usize {
        let names = self
            .report
            .measured
            .journeys
            .iter()
            .map(|journey| journey.name.as_str());
        column(names, 0, NAME)
    }

    /// The faults under the lanes, between the start and the end of the judged time.
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
                // A later fault in the same column replaces an earlier mark: the timeline lists both.
                axis[column] = if at == fault.from { '▲' } else { '△' };
            }
        }
        let line: String = axis.into_iter().collect();
        // The length stands at the right end, the key in the middle of what is left.
        let end = format!("{:.1} s", window.length().as_secs_f64());
        let key = if self.report.faults.is_empty() {
            ""
        } else {
            "▲ fault  △ reverted"
        };
        let room = columns.saturating_sub(end.chars().count() + 3);
        let indent = self.widest_journey() + 4;
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
                // The worst state of the cell, so that an outage shorter than a cell is seen.
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
        let mut text = format!("{}\n", self.paint.bold("Cost"));
        let unknown = if measured.unknown.is_zero() {
            String::new()
        } else {
            format!("; {} unknown", latency(measured.unknown))
        };
        let _ = writeln!(
            text,
            "  downtime     {}{unknown}",
            format::downtime(measured.downtime)
        );
        let _ = writeln!(text, "  budget       {}", self.budget());
        if let (Some(share), Some(rate)) = (cost.per_year, &self.report.start.plan.scenario.per_year) {
            let share = share.high.map_or_else(|| "unknown share".into(), percent);
            let per_year = format!(
                "up to {share} of the budget at {} ({})",
                events_a_year(rate.times),
                plain(&rate.because, 120)
            );
            text.push_str(&self.indented("per year     ", &per_year));
        }
        let data = measured.data;
        if data.acknowledged > 0 {
            let _ = writeln!(text, "  writes       {}", words::writes(&data));
        }
        let bills = words::bills(&self.report.judgement).join(" · ");
        text.push_str(&self.indented("by contract  ", &bills));
        text
    }

    /// The budget as a bar, filled by what this drill cost.
    fn budget(&self) -> String {
        let cost = &self.report.judgement.cost;
        let Some(high) = cost.share.high else {
            return of_budget(cost);
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "clamped to the bar"
        )]
        // Rounded up: the smallest cost still shows as one cell.
        let filled = (high / 100.0 * BAR as f64).ceil().clamp(0.0, BAR as f64) as usize;
        // The bar ends at the budget; an arrow says that the cost goes on.
        let over = if high > 100.0 { "▶" } else { "" };
        let bar = format!("[{}{}]{over}", "█".repeat(filled), "·".repeat(BAR - filled));
        let verdict = if high > 100.0 {
            Verdict::Breached
        } else {
            Verdict::Met
        };
        self.paint.verdict(verdict, &format!("{bar} {}", of_budget(cost)))
    }

    fn checks(&self) -> String {
        // All of them: what was met is a result too.
        let mut checks: Vec<_> = self.report.judgement.checks.iter().collect();
        // The worst first; within a verdict in the fixed order of the judgement.
        checks.sort_by_key(|check| std::cmp::Reverse(check.verdict));
        let names: Vec<String> = checks.iter().map(|check| check.id.to_string()).collect();
        let widest = column(names.iter().map(String::as_str), 0, 32);
        let indent = widest + WORD + 6;
        let mut text = format!("{}\n", self.paint.bold("Checks"));
        for (check, name) in checks.into_iter().zip(&names) {
            let verdict = pad(words::verdict(check.verdict), WORD);
            let found = format!(
                "{}  (required: {})",
                plain(&check.found.to_string(), 300),
                plain(&check.required.to_string(), 120)
            );
            let mut lines = wrap(&found, self.width.saturating_sub(indent)).into_iter();
            let _ = writeln!(
                text,
                "  {}  {}  {}",
                self.paint.verdict(check.verdict, &verdict),
                pad(&plain(name, widest), widest),
                lines.next().unwrap_or_default()
            );
            for line in lines {
                let _ = writeln!(text, "{:indent$}{line}", "");
            }
        }
        text
    }

    /// The error that most likely names the cause, with the indented lines after it.
    fn log(&self) -> String {
        let failed = self.report.judgement.verdict() != Verdict::Met;
        let Some((log, entry)) = self.report.loudest().filter(|_| failed) else {
            return String::new();
        };
        let source = format!(
            "{}.log, line {} ({})",
            plain(&log.service, 80),
            entry.line,
            count(entry.count, "occurrence")
        );
        let mut text = format!("{}  {}\n", self.paint.bold("Logs"), self.paint.dim(&source));
        let mut lines = vec![DrillReport::error(entry, 400)];
        // Services indent what belongs to an error: its cause, its trace.
        let details = entry.after.iter().filter(|line| line.starts_with(' '));
        lines.extend(details.map(|line| plain(line, 400)));
        for line in lines {
            text.push_str(&self.indented("", &line));
        }
        text
    }

    fn next_steps(&self) -> String {
        let mut text = format!("{}\n", self.paint.bold("Next steps"));
        for sentence in advice::sentences(self.report) {
            text.push_str(&self.indented("• ", &sentence));
        }
        for (what, command) in advice::commands(self.report) {
            let _ = writeln!(
                text,
                "  {}",
                self.paint.dim(&plain(&format!("{what:14}{command}"), 600))
            );
        }
        text.trim_end().to_owned()
    }
}

/// A journey's answers in numbers.
fn answers(journey: &Journey, blips: usize) -> String {
    let mut parts = vec![format!("{} good", journey.good)];
    parts.extend(journey.rungs.iter().map(words::rung));
    parts.extend(words::bad(journey));
    if blips > 0 {
        parts.push(count(blips, "blip"));
    }
    if journey.void > 0 {
        parts.push(format!("{} void", journey.void));
    }
    if journey.reconnects > 0 {
        parts.push(count(journey.reconnects, "reconnect"));
    }
    if !journey.outages.is_empty() {
        parts.push(format!("down {}", bounds(journey.downtime)));
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
