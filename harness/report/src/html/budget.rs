//! The year's budget as a bar: what one such event uses of it, and what a year's events use.
//!
//! Takes one drill's report, gives a chart.

use super::svg::{Across, Chart, Down, Picture};
use crate::drill::DrillReport;
use crate::format::{events_a_year, percent, span};
use firedrill_judge::Share;

/// Height of a bar, of its heading, and of the space below.
const BAR: u32 = 26;
const HEADING: u32 = 20;
const SPACE: u32 = 12;

/// The picture.
pub(super) fn budget(report: &DrillReport, id: &str) -> Chart {
    let cost = &report.judgement.cost;
    let mut rows = vec![("one such event".to_owned(), cost.share)];
    if let (Some(share), Some(rate)) = (cost.per_year, &report.start.plan.scenario.per_year) {
        rows.push((format!("a year ({})", events_a_year(rate.times)), share));
    }
    let largest = rows
        .iter()
        .filter_map(|(_, share)| share.high)
        // At least the whole budget, so that a small cost looks small.
        .fold(100.0, f64::max);
    // A little room on the right, so that the end of the longest bar is seen.
    let scale = 100.0 / (largest * 1.02);
    let mut picture = Picture::default();
    let mut y = 0;
    for (name, share) in &rows {
        picture.heading(y + 14, name, &used(*share));
        let bar = Down {
            from: y + HEADING,
            height: BAR,
        };
        row(&mut picture, *share, scale, bar, cells(report));
        y += HEADING + BAR + SPACE;
    }
    let limit = Down {
        from: 18,
        height: y - 24,
    };
    picture.upright("limit", 100.0 * scale, limit);
    let whole = format!("whole budget: {}", span(cost.budget));
    picture.text("tick", "end", 100.0 * scale, y + 6, &whole);
    let title = format!("Budget used by {}", report.title());
    let description: String = rows
        .iter()
        .map(|(name, share)| format!("{name}: {}. ", used(*share)))
        .collect();
    picture.finish(id, y + 14, &title, &description)
}

fn used(share: Share) -> String {
    share.high.map_or_else(
        || "unknown: still down when the drill ended, no price set".into(),
        percent,
    )
}

/// One cell for each minute, where that can be seen.
fn cells(report: &DrillReport) -> u64 {
    let minutes = report.judgement.cost.budget.as_secs() / 60;
    // With fewer minutes one cell would be all, with more they could not be told apart: tenths instead.
    if (2..=60).contains(&minutes) { minutes } else { 10 }
}

fn row(picture: &mut Picture, share: Share, scale: f64, y: Down, cells: u64) {
    let across = |from: f64, until: f64| Across {
        from: from * scale,
        until: until * scale,
    };
    picture.rect("budget", across(0.0, 100.0), y, "the budget");
    for cell in 1..cells {
        #[expect(clippy::cast_precision_loss, reason = "sixty cells at most")]
        picture.upright("cell", 100.0 * scale * cell as f64 / cells as f64, y);
    }
    let Some(high) = share.high else { return };
    if high > 0.0 {
        // The certain part first, the uncertain one after it, and what is over the budget in its own colour.
        picture.rect("used", across(0.0, share.low.min(100.0)), y, "used, lower bound");
        picture.rect(
            "used-maybe",
            across(share.low.min(100.0), high.min(100.0)).visible(),
            y,
            "used, upper bound",
        );
    }
    if high > 100.0 {
        picture.rect("over", across(100.0, high), y, "over the budget");
    }
}
