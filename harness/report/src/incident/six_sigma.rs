//! The Six Sigma frame of a post-mortem: define, measure, analyse, improve, control.

use std::fmt::Write;

use super::super::drill::DrillReport;
use super::super::format::{downtime, events_a_year, list, of_all, percent, range, span};
use super::super::markdown::escaped;
use super::super::words::{billed, contract, contract_rule, of_budget};
use super::{Draft, blank};

/// Defects per million opportunities, with three digits: more would claim precision that some hundreds of answers lack.
#[expect(clippy::cast_precision_loss, reason = "counts of probes")]
fn per_million(defects: usize, opportunities: usize) -> f64 {
    let exact = 1e6 * defects as f64 / opportunities.max(1) as f64;
    // The power of ten below which digits are rounded away: three digits stay.
    let digit = 10f64.powf(exact.max(1.0).log10().floor() - 2.0).max(1.0);
    (exact / digit).round() * digit
}

impl Draft<'_> {
    pub(super) fn six_sigma(&self) -> String {
        let mut text = String::from("## Define, measure, analyse, improve, control\n\n");
        text.push_str(&self.define());
        text.push_str(&self.measure());
        text.push_str(&self.analyse());
        let _ = writeln!(
            text,
            "**Improve.** The action items above. Expected downtime afterwards: {}\n",
            blank("from a drill, not a guess")
        );
        text.push_str(&self.control());
        text
    }

    fn define(&self) -> String {
        let cost = &self.0.judgement.cost;
        let down: Vec<String> = self.down().map(|journey| escaped(&journey.name, 60)).collect();
        let lost = list(down);
        format!(
            "**Define.** The promise: at most {} of downtime in {}. Journeys that were down: {lost}. A defect is an answer of an essential journey that fails its user.\n\n",
            span(cost.budget),
            span(cost.window)
        )
    }

    fn measure(&self) -> String {
        let report = self.0;
        let mut text = format!(
            "**Measure.** Downtime: {}; {}. By contract:\n\n| contract | bills | counts |\n|---|---|---|\n",
            downtime(report.measured.downtime),
            of_budget(&report.judgement.cost)
        );
        for bill in &report.judgement.bills {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                contract(bill.contract),
                billed(bill),
                contract_rule(bill.contract)
            );
        }
        let (opportunities, defects) = self.answers();
        let million = per_million(defects, opportunities);
        let _ = writeln!(
            text,
            "\nDefects: {} failed, that is {million} per million opportunities. Availability during the drill: {}.\n",
            of_all(defects, opportunities, "answer"),
            availability(report.measured.availability)
        );
        text
    }

    fn analyse(&self) -> String {
        let cause = self.0.culprit().map_or_else(
            || blank("cause: no new error was logged during the outage"),
            |(_, entry)| escaped(&DrillReport::error(entry, 200), 200),
        );
        format!(
            "**Analyse.** {cause}. See the five whys. Other causes that were ruled out: {}\n\n",
            blank("which, and how")
        )
    }

    fn control(&self) -> String {
        let rate = &self.0.start.plan.scenario.per_year;
        let per_year = match (rate, self.0.judgement.cost.per_year) {
            (Some(rate), Some(share)) => format!(
                "Expected rate: {} ({}), up to {} of the budget.",
                events_a_year(rate.times),
                escaped(&rate.because, 120),
                share.high.map_or_else(|| "an unknown share".into(), percent)
            ),
            _ => format!("Expected rate: {}", blank("events a year, and why")),
        };
        format!(
            "**Control.** {per_year} The nightly run of this scenario is watched by: {}. The real downtime is entered in the ledger: {}\n",
            blank("whom, and where"),
            blank("start and end")
        )
    }

    /// Answers of essential journeys, and those that failed the user.
    fn answers(&self) -> (usize, usize) {
        let essential = self
            .0
            .measured
            .journeys
            .iter()
            .filter(|journey| journey.essential);
        // Voids are left out: they are the prober's own failures.
        essential.fold((0, 0), |(all, defects), journey| {
            let bad: usize = journey.bad.iter().map(|(_, count)| count).sum();
            (all + journey.good + journey.fallback + bad, defects + bad)
        })
    }
}

/// Rounded outward, so that an outage never becomes 100 %.
fn availability((low, high): (f64, f64)) -> String {
    let (places, unit) = if low > 0.99 { (3, 1e3) } else { (1, 1e1) };
    let (low, high) = (
        (low * 100.0 * unit).floor() / unit,
        (high * 100.0 * unit).ceil() / unit,
    );
    format!(
        "{} %",
        range(format!("{low:.places$}"), format!("{high:.places$}"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defects_per_million_have_three_digits() {
        let text = |defects, of| per_million(defects, of).to_string();
        assert_eq!(text(0, 300), "0");
        assert_eq!(text(1, 3000), "333");
        assert_eq!(text(25, 275), "90900");
        assert_eq!(text(5, 5), "1000000");
        assert_eq!(text(0, 0), "0");
    }
}
