//! A suite at the terminal: each drill in one line, and all of them in a few.
//!
//! Takes judged drills as they end, gives one [`DrillSummary`] for each and a closing text. The reports for machines and
//! for Markdown ([`suite`](super::suite)) are made from the same values.

use super::format::{bounds, count, percent};
use super::text::{Paint, pad, plain};
use super::words;
use firedrill_judge::measure::{Bounds, Measured};
use firedrill_judge::{Judgement, Verdict, tally};
use firedrill_model::check::CheckId;
use firedrill_model::history::History;

/// Columns of the result, of a scenario's name, of its downtime and of its share of the budget.
const COLUMNS: [usize; 4] = [11, 44, 26, 18];

/// One drill of a suite, in as much as one line shows.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillSummary {
    pub(super) name: String,
    pub(super) control: bool,
    pub(super) ending: Ending,
    note: Option<String>,
}

/// How a drill of a suite ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ending {
    /// It was judged.
    Judged(Judged),
    /// It was not run: the backend does not support it.
    Skipped(String),
    /// It was not run, or not to its end: a fault of the environment or the harness.
    NotRun(String),
}

/// The parts of a judgement that a summary shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) as_expected: bool,
    pub(super) downtime: Bounds,
    /// The upper bound of its share of the budget; `None` without a price.
    pub(super) percent: Option<f64>,
    /// What was lost, if anything.
    pub(super) damage: Option<String>,
    /// The checks behind a verdict that is not *met*.
    pub(super) checks: Vec<CheckId>,
}

impl Judged {
    /// The names of those checks; empty without any.
    pub(super) fn check_names(&self) -> String {
        let names: Vec<String> = self.checks.iter().map(CheckId::to_string).collect();
        names.join(", ")
    }
}

/// What a reader is to make of a drill's ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SuiteResult {
    /// Every check is met.
    Met,
    /// A negative control breached as it must.
    ControlAsExpected,
    /// A check is breached.
    Breached,
    /// A negative control did not breach as it must.
    ControlUnexpected,
    /// The evidence is not enough.
    Undecided,
    /// It was not run.
    NotRun,
    /// The backend does not support it.
    Skipped,
}

impl SuiteResult {
    /// In a word or two.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::ControlAsExpected => "as expected",
            Self::Breached => "breached",
            Self::ControlUnexpected => "unexpected",
            Self::Undecided => "undecided",
            Self::NotRun => "not run",
            Self::Skipped => "skipped",
        }
    }

    /// In the column of a terminal, where what needs attention stands out without colour, too.
    fn cell(self, paint: Paint) -> String {
        let word = match self {
            Self::Breached | Self::ControlUnexpected | Self::Undecided => self.word().to_uppercase(),
            _ => self.word().to_owned(),
        };
        let cell = pad(&word, COLUMNS[0]);
        match self {
            Self::Met | Self::ControlAsExpected => paint.good(&cell),
            Self::Breached | Self::ControlUnexpected | Self::NotRun => paint.bad(&cell),
            Self::Undecided | Self::Skipped => paint.warn(&cell),
        }
    }
}

impl DrillSummary {
    /// A drill that was judged.
    pub fn new(history: &History, measured: &Measured, judgement: &Judgement) -> Self {
        let verdict = judgement.verdict();
        let failed = judgement
            .of(verdict)
            .filter(|check| check.verdict != Verdict::Met);
        Self {
            name: history.start.plan.name.clone(),
            control: judgement.control.is_some(),
            ending: Ending::Judged(Judged {
                verdict,
                as_expected: judgement.as_expected(),
                downtime: measured.downtime,
                percent: judgement.cost.share.high,
                damage: words::damage(&measured.data),
                checks: failed.map(|check| check.id.clone()).collect(),
            }),
            note: None,
        }
    }

    /// A drill that the backend does not support.
    pub fn skipped(name: &str, control: bool, why: &str) -> Self {
        Self::unjudged(name, control, Ending::Skipped(plain(why, 200)))
    }

    /// A drill that could not be run or read.
    pub fn failed(name: &str, control: bool, why: &str) -> Self {
        Self::unjudged(name, control, Ending::NotRun(plain(why, 600)))
    }

    fn unjudged(name: &str, control: bool, ending: Ending) -> Self {
        Self {
            name: name.into(),
            control,
            ending,
            note: None,
        }
    }

    /// Adds a remark to its line.
    pub fn note(&mut self, text: &str) {
        self.note = Some(plain(text, 200));
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it ended as its scenario requires.
    pub fn is_as_expected(&self) -> bool {
        matches!(self.result(), SuiteResult::Met | SuiteResult::ControlAsExpected)
    }

    /// Whether it was skipped.
    pub fn is_skipped(&self) -> bool {
        matches!(self.ending, Ending::Skipped(_))
    }

    pub(super) fn result(&self) -> SuiteResult {
        match &self.ending {
            Ending::Skipped(_) => SuiteResult::Skipped,
            Ending::NotRun(_) => SuiteResult::NotRun,
            Ending::Judged(judged) => match (judged.as_expected, self.control, judged.verdict) {
                (true, true, _) => SuiteResult::ControlAsExpected,
                (true, false, _) => SuiteResult::Met,
                (false, true, _) => SuiteResult::ControlUnexpected,
                (false, false, Verdict::Breached) => SuiteResult::Breached,
                // A drill that is met and no control is as expected, so this is always undecided.
                (false, false, Verdict::Met | Verdict::Undecided) => SuiteResult::Undecided,
            },
        }
    }

    pub(super) fn judged(&self) -> Option<&Judged> {
        match &self.ending {
            Ending::Judged(judged) => Some(judged),
            Ending::Skipped(_) | Ending::NotRun(_) => None,
        }
    }

    /// The line.
    pub fn text(&self, colours: bool) -> String {
        let result = self.result().cell(Paint(colours));
        let name = pad(&plain(&self.name, 200), COLUMNS[1]);
        let note = self
            .note
            .as_ref()
            .map_or_else(String::new, |note| format!("  ({note})"));
        match &self.ending {
            Ending::Skipped(why) | Ending::NotRun(why) => format!("{result} {name} {why}{note}"),
            Ending::Judged(judged) => format!("{result} {name} {}{note}", self.details(judged)),
        }
    }

    /// Downtime, share, damage, and the checks behind a verdict that is not *met*.
    fn details(&self, judged: &Judged) -> String {
        let down = if judged.downtime == Bounds::ZERO {
            "no downtime".to_owned()
        } else {
            format!("down {}", bounds(judged.downtime))
        };
        let share = judged.percent.map_or_else(
            || "unknown share".to_owned(),
            |share| format!("{} of budget", percent(share)),
        );
        let damage = judged
            .damage
            .as_ref()
            .map_or_else(String::new, |lost| format!("  {lost}"));
        let checks = if judged.checks.is_empty() {
            String::new()
        } else {
            format!("  {}: {}", words::verdict(judged.verdict), judged.check_names())
        };
        format!(
            "{} {share:>share_width$}{damage}{checks}",
            pad(&down, COLUMNS[2]),
            share_width = COLUMNS[3]
        )
    }
}

/// The end of a suite: counts, every drill that did not end as expected, and the most expensive one.
pub fn summary(lines: &[&DrillSummary], seed: u64, backend: &str, colours: bool) -> String {
    let paint = Paint(colours);
    let number = |wanted: fn(SuiteResult) -> bool| lines.iter().filter(|line| wanted(line.result())).count();
    let controls = number(|result| result == SuiteResult::ControlAsExpected);
    let as_expected = controls + number(|result| result == SuiteResult::Met);
    let mut text = format!("\n{} on {backend}, seed {seed}: ", count(lines.len(), "drill"));
    text.push_str(&paint.good(&format!(
        "{as_expected} as expected{}",
        of_them_controls(controls)
    )));
    // Undecided too: without evidence a drill did not end as it must.
    let unexpected = |result| {
        matches!(
            result,
            SuiteResult::Breached | SuiteResult::ControlUnexpected | SuiteResult::Undecided
        )
    };
    for (number, what) in [
        (number(unexpected), "unexpected"),
        (number(|result| result == SuiteResult::NotRun), "not run"),
        (
            number(|result| result == SuiteResult::Skipped),
            "skipped (unsupported here)",
        ),
    ] {
        if number > 0 {
            text.push_str(", ");
            text.push_str(&paint.warn(&format!("{number} {what}")));
        }
    }
    for (line, times) in without_repeats(lines) {
        text.push_str("\n  ");
        text.push_str(&line.text(colours));
        if times > 1 {
            text.push_str(&format!("  ({times} times)"));
        }
    }
    if let Some((line, downtime, share)) = costliest(lines) {
        text.push_str(&format!(
            "\nmost expensive: {}, down {}, ≤ {} of the yearly budget (negative controls excluded)",
            plain(&line.name, 200),
            bounds(downtime),
            percent(share)
        ));
    }
    if controls > 0 {
        text.push_str(
            "\na negative control runs without protection and must breach: it shows that the checks can fail",
        );
    }
    text
}

fn of_them_controls(controls: usize) -> String {
    match controls {
        0 => String::new(),
        some => format!(" ({} breached as required)", count(some, "negative control")),
    }
}

/// The drills that did not end as expected; repeats with the same ending appear once, with their number.
fn without_repeats<'a>(lines: &[&'a DrillSummary]) -> Vec<(&'a DrillSummary, usize)> {
    let mut all = Vec::new();
    for line in lines.iter().filter(|line| !line.is_as_expected()) {
        *tally::entry(&mut all, *line) += 1;
    }
    all
}

/// The drill with the largest share of the budget, of all that are as expected and no negative controls: with its
/// downtime, and the upper bound of its share in percent.
pub fn costliest<'a>(lines: &[&'a DrillSummary]) -> Option<(&'a DrillSummary, Bounds, f64)> {
    let priced = lines.iter().filter_map(|line| {
        // Only drills that met everything: the others are listed with their cost already.
        let judged = line.judged().filter(|_| line.result() == SuiteResult::Met)?;
        // What costs nothing is not expensive, even where everything else costs nothing, too.
        let share = judged.percent.filter(|share| *share > 0.0)?;
        Some((*line, judged.downtime, share))
    });
    priced.max_by(|a, b| a.2.total_cmp(&b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, control: bool, percent: f64) -> DrillSummary {
        let ending = Ending::Judged(Judged {
            verdict: Verdict::Met,
            as_expected: true,
            downtime: Bounds::ZERO,
            percent: Some(percent),
            damage: None,
            checks: Vec::new(),
        });
        DrillSummary::unjudged(name, control, ending)
    }

    #[test]
    fn the_most_expensive_drill_is_no_control_and_costs_something() {
        let (cheap, dear, control) = (
            line("cheap", false, 0.1),
            line("dear", false, 0.5),
            line("control", true, 153.0),
        );
        let lines = [&cheap, &dear, &control];
        assert_eq!(
            costliest(&lines).map(|(line, ..)| line.name.as_str()),
            Some("dear")
        );
        let text = summary(&lines, 7, "process", false);
        assert!(
            text.contains("most expensive: dear") && text.contains("must breach"),
            "{text}"
        );
        assert!(
            text.contains("3 as expected (1 negative control breached as required)"),
            "{text}"
        );
        let free = line("free", false, 0.0);
        assert_eq!(costliest(&[&free, &control]), None);
        let text = summary(&[&free], 7, "process", false);
        assert!(
            text.starts_with("\n1 drill on process") && !text.contains("most expensive"),
            "{text}"
        );
    }

    #[test]
    fn repeats_with_the_same_ending_appear_once() {
        let skipped = DrillSummary::skipped("cpu", false, "no control group");
        let text = summary(&[&skipped, &skipped, &skipped], 7, "process", false);
        assert!(text.contains("3 skipped (unsupported here)"), "{text}");
        assert_eq!(text.matches("no control group").count(), 1, "{text}");
        assert!(text.contains("no control group  (3 times)"), "{text}");
    }
}
