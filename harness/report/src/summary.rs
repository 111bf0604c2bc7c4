//! One drill in one line, and many of them in a table.

use super::text::{Paint, plain, word};
use firedrill_judge::measure::{Bounds, Measured};
use firedrill_judge::{Judgement, Verdict};
use firedrill_model::history::History;

/// One drill in one line.
#[derive(Debug, Clone, PartialEq)]
pub struct DrillSummary {
    pub(super) name: String,
    pub(super) control: bool,
    pub(super) result: Outcome,
    note: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// Judged.
    Judged {
        verdict: Verdict,
        stated: bool,
        downtime: Bounds,
        percent: Option<f64>,
        data: String,
        why: String,
    },
    /// Not run: the backend cannot do it.
    Skipped(String),
    /// Not run, or not to its end: the environment's fault or ours.
    Failed(String),
}

impl DrillSummary {
    /// A drill that was judged.
    pub fn new(history: &History, measured: &Measured, judgement: &Judgement) -> Self {
        let verdict = judgement.verdict();
        let failed = judgement
            .checks
            .iter()
            .filter(|check| check.verdict == verdict && verdict != Verdict::Met);
        let why: Vec<String> = failed.map(|check| check.id.to_string()).collect();
        let data = &measured.data;
        let lost = if data.lost + data.corrupt > 0 {
            format!("{} lost, {} corrupt", data.lost, data.corrupt)
        } else {
            String::new()
        };
        Self {
            name: history.start.plan.name.clone(),
            control: judgement.control.is_some(),
            result: Outcome::Judged {
                verdict,
                stated: judgement.as_expected(),
                downtime: measured.downtime,
                percent: judgement.cost.share.high,
                data: lost,
                why: why.join(", "),
            },
            note: None,
        }
    }

    /// A drill that the backend cannot do.
    pub fn skipped(name: &str, control: bool, why: &str) -> Self {
        Self {
            name: name.into(),
            control,
            result: Outcome::Skipped(plain(why, 200)),
            note: None,
        }
    }

    /// A drill that could not be run or read.
    pub fn failed(name: &str, control: bool, why: &str) -> Self {
        Self {
            name: name.into(),
            control,
            result: Outcome::Failed(plain(why, 600)),
            note: None,
        }
    }

    /// Adds a remark.
    pub fn note(&mut self, text: &str) {
        self.note = Some(plain(text, 200));
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it came out as its scenario states.
    pub fn is_stated(&self) -> bool {
        matches!(self.result, Outcome::Judged { stated: true, .. })
    }

    /// Whether it was skipped.
    pub fn is_skipped(&self) -> bool {
        matches!(self.result, Outcome::Skipped(_))
    }

    /// The line.
    pub fn text(&self, colours: bool) -> String {
        let paint = Paint(colours);
        let text = match &self.result {
            Outcome::Skipped(why) => format!("{} {:44} {why}", paint.warn("skipped  "), self.name),
            Outcome::Failed(why) => format!("{} {:44} {why}", paint.bad("not run  "), self.name),
            Outcome::Judged {
                verdict,
                stated,
                downtime,
                percent,
                data,
                why,
            } => {
                let mark = match (stated, self.control) {
                    (true, true) => paint.good("as stated"),
                    (true, false) => paint.good("met      "),
                    (false, _) => paint.verdict(
                        (*verdict).max(Verdict::Undecided),
                        &format!("{:9}", self.unstated(*verdict)),
                    ),
                };
                let down = format!("down {downtime}");
                let share = percent.map_or_else(
                    || "no price".to_owned(),
                    |percent| format!("{percent:.2} % of budget"),
                );
                let why = if *stated && !self.control {
                    String::new()
                } else {
                    format!("  {}: {why}", word(*verdict))
                };
                let data = if data.is_empty() {
                    String::new()
                } else {
                    format!("  {data}")
                };
                format!("{mark} {:44} {down:26} {share:>18}{data}{why}", self.name)
            }
        };
        match &self.note {
            Some(note) => format!("{text}  ({note})"),
            None => text,
        }
    }

    /// Why it is not as stated: for a control that breached elsewhere or not at all, that it did not breach as it must.
    fn unstated(&self, verdict: Verdict) -> &'static str {
        match (self.control, verdict) {
            (true, Verdict::Met | Verdict::Breached) => "NOT AS ST",
            (_, verdict) => match verdict {
                Verdict::Breached => "BREACHED",
                _ => "UNDECIDED",
            },
        }
    }
}

/// All drills of one call.
pub fn summary(lines: &[&DrillSummary], seed: u64, backend: &str, colours: bool) -> String {
    let paint = Paint(colours);
    let count = |wanted: fn(&DrillSummary) -> bool| lines.iter().filter(|line| wanted(line)).count();
    let stated = count(|line| matches!(line.result, Outcome::Judged { stated: true, .. }));
    let controls = count(|line| line.control && matches!(line.result, Outcome::Judged { stated: true, .. }));
    let skipped = count(DrillSummary::is_skipped);
    let failed = count(|line| matches!(line.result, Outcome::Failed(_)));
    let unstated = lines.len() - stated - skipped - failed;
    let mut text = format!("\n{} drills on {backend}, seed {seed}: ", lines.len());
    text.push_str(&paint.good(&format!(
        "{stated} as stated ({controls} controls breached as they must)"
    )));
    for (count, what) in [
        (unstated, "not as stated"),
        (failed, "not run"),
        (skipped, "skipped: unsupported here"),
    ] {
        if count > 0 {
            text.push_str(", ");
            text.push_str(&paint.warn(&format!("{count} {what}")));
        }
    }
    for (told, times) in told_once(lines, colours) {
        text.push_str("\n  ");
        text.push_str(&told);
        if times > 1 {
            text.push_str(&format!("  ({times} times)"));
        }
    }
    if let Some((line, downtime, percent)) = costliest(lines) {
        text.push_str(&format!(
            "\ncostliest: {}, down {downtime}, at most {percent:.2} % of the year's budget (controls apart)",
            line.name
        ));
    }
    if controls > 0 {
        text.push_str(
            "\na control leaves the protection out: it must breach, or the harness would not see it",
        );
    }
    text
}

/// What is said of the drills that are not as stated, and how often: repeats of which the same is to be said are told once.
fn told_once(lines: &[&DrillSummary], colours: bool) -> Vec<(String, usize)> {
    let mut all: Vec<(String, usize)> = Vec::new();
    for line in lines.iter().filter(|line| !line.is_stated()) {
        let text = line.text(colours);
        match all.iter_mut().find(|(told, _)| *told == text) {
            Some((_, times)) => *times += 1,
            None => all.push((text, 1)),
        }
    }
    all
}

/// What costs the most of the budget, of all that are as stated and no controls: its downtime, and the upper bound of
/// its share in percent.
pub fn costliest<'a>(lines: &[&'a DrillSummary]) -> Option<(&'a DrillSummary, Bounds, f64)> {
    let priced = lines.iter().filter_map(|line| match &line.result {
        Outcome::Judged {
            stated: true,
            percent: Some(percent),
            downtime,
            ..
        } if !line.control && *percent > 0.0 => Some((*line, *downtime, *percent)),
        _ => None,
    });
    priced.max_by(|a, b| a.2.total_cmp(&b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, control: bool, percent: f64) -> DrillSummary {
        let result = Outcome::Judged {
            verdict: Verdict::Met,
            stated: true,
            downtime: Bounds::ZERO,
            percent: Some(percent),
            data: String::new(),
            why: String::new(),
        };
        DrillSummary {
            name: name.into(),
            control,
            result,
            note: None,
        }
    }

    #[test]
    fn the_costliest_is_no_control_and_costs_something() {
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
            text.contains("costliest: dear") && text.contains("must breach"),
            "{text}"
        );
        let free = line("free", false, 0.0);
        assert_eq!(costliest(&[&free, &control]), None);
        assert!(!summary(&[&free], 7, "process", false).contains("costliest"));
    }

    #[test]
    fn repeats_of_which_the_same_is_to_be_said_are_told_once() {
        let skipped = DrillSummary::skipped("cpu", false, "no control group");
        let text = summary(&[&skipped, &skipped, &skipped], 7, "process", false);
        assert!(text.contains("3 skipped: unsupported here"), "{text}");
        assert_eq!(text.matches("no control group").count(), 1, "{text}");
        assert!(text.contains("no control group  (3 times)"), "{text}");
    }
}
