//! The year's budget as a bar: a cell for each part of it, what one such event takes, and what a year's events take.

use super::svg::{Across, Down, Picture};
use crate::drill::DrillReport;
use crate::words::percent;
use firedrill_judge::Share;

const BAR: u32 = 26;

/// The picture.
pub(super) fn budget(report: &DrillReport, id: &str) -> String {
    let cost = &report.judgement.cost;
    let mut rows = vec![("one such event".to_owned(), cost.share)];
    if let (Some(share), Some(times)) = (cost.per_year, &report.start.plan.scenario.per_year) {
        rows.push((format!("a year's events ({} of them)", times.times), share));
    }
    let largest = rows
        .iter()
        .filter_map(|(_, share)| share.high)
        .fold(100.0, f64::max);
    let scale = 100.0 / (largest * 1.02);
    let mut picture = Picture::default();
    let mut y = 0;
    for (name, share) in &rows {
        picture.heading(y + 14, name, &told(*share));
        row(
            &mut picture,
            *share,
            scale,
            Down {
                from: y + 20,
                height: BAR,
            },
            cells(report),
        );
        y += 20 + BAR + 12;
    }
    picture.upright(
        "limit",
        100.0 * scale,
        Down {
            from: 18,
            height: y - 24,
        },
    );
    picture.text(
        "tick",
        "end",
        100.0 * scale,
        y + 6,
        &format!("the whole budget: {}", firedrill_model::units::Span(cost.budget)),
    );
    let title = format!("What {} takes of the budget", report.title());
    picture.finish(
        id,
        y + 14,
        &title,
        &rows
            .iter()
            .map(|(name, share)| format!("{name}: {}. ", told(*share)))
            .collect::<String>(),
    )
}

fn told(share: Share) -> String {
    share
        .high
        .map_or_else(|| "not priced: the outage was still open".into(), percent)
}

/// A cell a minute, where that can be seen.
fn cells(report: &DrillReport) -> u64 {
    let minutes = report.judgement.cost.budget.as_secs() / 60;
    if (2..=60).contains(&minutes) { minutes } else { 10 }
}

fn row(picture: &mut Picture, share: Share, scale: f64, y: Down, cells: u64) {
    let across = |from: f64, until: f64| Across {
        from: from * scale,
        until: until * scale,
    };
    picture.rect("budget", across(0.0, 100.0), y, "the budget");
    for cell in 1..cells {
        #[expect(clippy::cast_precision_loss, reason = "at most sixty")]
        picture.upright("cell", 100.0 * scale * cell as f64 / cells as f64, y);
    }
    let Some(high) = share.high else { return };
    if high > 0.0 {
        picture.rect("used", across(0.0, share.low.min(100.0)), y, "used, at least");
        picture.rect(
            "used-maybe",
            across(share.low.min(100.0), high.min(100.0)).visible(),
            y,
            "used, at most",
        );
    }
    if high > 100.0 {
        picture.rect("over", across(100.0, high), y, "over the budget");
    }
}
