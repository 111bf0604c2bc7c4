//! The Six Sigma frame of a post-mortem: define, measure, analyse, improve, control.

use std::fmt::Write;

use super::super::drill::DrillReport;
use super::super::markdown::escaped;
use super::super::words::{contract, contract_rule, of_budget, percent, times};
use super::{Draft, blank};
use firedrill_model::units::Span;

/// Defects per million, with three digits: a drill has some hundreds of answers.
#[expect(clippy::cast_precision_loss, reason = "counts of probes")]
fn per_million(defects: usize, opportunities: usize) -> f64 {
    let exact = 1e6 * defects as f64 / opportunities.max(1) as f64;
    let digit = 10f64.powf(exact.max(1.0).log10().floor() - 2.0).max(1.0);
    (exact / digit).round() * digit
}

impl Draft<'_> {
    pub(super) fn six_sigma(&self) -> String {
        let (report, cost) = (self.0, &self.0.judgement.cost);
        let mut text = String::from("## Define, measure, analyse, improve, control\n\n");
        let down: Vec<String> = self.down().map(|journey| escaped(&journey.name, 60)).collect();
        let lost = if down.is_empty() {
            "nothing".into()
        } else {
            down.join(", ")
        };
        let _ = writeln!(
            text,
            "**Define.** The promise: at most {} of downtime in {} days. What users lost: {lost}. A defect is an answer of an essential journey that fails its user.\n",
            Span(cost.budget),
            cost.window.as_secs() / 86_400
        );
        let _ = writeln!(
            text,
            "**Measure.** {}, that is {}. By contract:\n",
            report.measured.downtime,
            of_budget(cost)
        );
        text.push_str("| contract | bills | counts |\n|---|---|---|\n");
        for bill in &report.judgement.bills {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                contract(bill.contract),
                bill.billed,
                contract_rule(bill.contract)
            );
        }
        let (opportunities, defects) = self.answers();
        let million = per_million(defects, opportunities);
        let _ = writeln!(
            text,
            "\n{defects} of {opportunities} answers were defects while it was watched: {million} per million opportunities in this drill. Availability in it: {}.\n",
            availability(report.measured.availability)
        );
        let cause = self.0.culprit().map_or_else(
            || blank("cause: no error is known to have come up inside the outage"),
            |(_, entry)| escaped(&DrillReport::error(entry, 200), 200),
        );
        let _ = writeln!(
            text,
            "**Analyse.** {cause}. See the five whys. Other causes that were ruled out: {}\n",
            blank("which, and how")
        );
        let _ = writeln!(
            text,
            "**Improve.** The action items above; the expected downtime afterwards: {}\n",
            blank("to be rehearsed, not guessed")
        );
        let per_year = match (&report.start.plan.scenario.per_year, cost.per_year) {
            (Some(rate), Some(share)) => format!(
                "Expected {} a year ({}): up to {} of the budget.",
                times(rate.times),
                escaped(&rate.because, 120),
                share.high.map_or_else(|| "an unknown share".into(), percent)
            ),
            _ => format!(
                "How often it is to be expected: {}",
                blank("times a year, and why")
            ),
        };
        let _ = writeln!(
            text,
            "**Control.** {per_year} Where this scenario runs every night, its verdict and share of the budget are watched: {}. The real downtime goes into the ledger: {}",
            blank("where, and by whom"),
            blank("start and end")
        );
        text
    }

    /// Answers of essential journeys, and those that failed the user.
    fn answers(&self) -> (usize, usize) {
        let essential = self
            .0
            .measured
            .journeys
            .iter()
            .filter(|journey| journey.essential);
        essential.fold((0, 0), |(all, defects), journey| {
            let bad: usize = journey.bad.iter().map(|(_, count)| count).sum();
            (all + journey.good + journey.fallback + bad, defects + bad)
        })
    }
}

fn availability((low, high): (f64, f64)) -> String {
    format!("{:.1} % to {:.1} %", low * 100.0, high * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defects_per_million_have_three_digits() {
        let told = |defects, of| per_million(defects, of).to_string();
        assert_eq!(told(0, 300), "0");
        assert_eq!(told(1, 3000), "333");
        assert_eq!(told(25, 275), "90900");
        assert_eq!(told(5, 5), "1000000");
        assert_eq!(told(0, 0), "0");
    }
}
