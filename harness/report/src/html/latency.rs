//! Latency over time: for each journey the minimum, median, 99th percentile and maximum of the right answers in each
//! bucket, on a logarithmic scale, and the share of bad answers below.
//!
//! Takes one drill's report, gives a chart for each journey that was probed.

use std::fmt::Write;
use std::time::Duration;

use super::svg::{Chart, Down, Picture, anchor};
use super::timeline::Scale;
use crate::drill::DrillReport;
use crate::format;
use firedrill_judge::measure::{Bucket, Series};

/// The lowest latency of the scale, in milliseconds.
const LOWEST: f64 = 0.1;
const CHART: u32 = 120;
const BAD: u32 = 22;
const AXIS: u32 = 22;

/// One picture for each journey.
pub(super) fn latencies(report: &DrillReport, id: &str) -> Vec<Chart> {
    let charts = report.series.iter().enumerate();
    charts
        .map(|(n, series)| chart(report, series, &format!("{id}-l{n}")))
        .collect()
}

fn chart(report: &DrillReport, series: &Series, id: &str) -> Chart {
    let journey = report
        .start
        .plan
        .system
        .journeys
        .iter()
        .find(|journey| journey.name == series.journey);
    let deadline = journey.map_or(Duration::from_millis(250), |journey| journey.deadline.0);
    let slowest = series
        .buckets
        .iter()
        .map(|bucket| bucket.max)
        .max()
        .unwrap_or_default();
    // Thirty percent above the highest value, so that neither the curve nor the deadline touches the edge.
    let highest = slowest.max(deadline).as_secs_f64() * 1e3 * 1.3;
    let mut picture = Picture::default();
    let plot = Down {
        from: 22,
        height: CHART,
    };
    picture.heading(14, &series.journey, &heading(series));
    let levels = levels(plot, highest);
    for (y, _) in &levels {
        picture.level("grid", *y);
    }
    for (x, name) in Scale::new(report).ticks() {
        picture.upright(
            "grid",
            x,
            Down {
                from: plot.from,
                height: CHART + BAD,
            },
        );
        picture.text("tick", anchor(x), x, plot.from + CHART + BAD + 15, &name);
    }
    // As many as the whole time has: a series may end before the drill, and its curve must then end early too.
    let columns = columns(report, series);
    picture.stretched(columns, plot, curves(series, highest));
    for (y, name) in &levels {
        picture.text("tick", "start", 0.0, y.saturating_sub(3), name);
    }
    // After the curves, which must not hide it.
    draw_deadline(&mut picture, plot, deadline, highest);
    let strip = Down {
        from: plot.from + CHART,
        height: BAD,
    };
    picture.stretched(columns, strip, vec![("bad", bad(&series.buckets))]);
    let title = format!("Latency of {} over time", series.journey);
    picture.finish(id, plot.from + CHART + BAD + AXIS, &title, &heading(series))
}

/// A level line at the deadline, with its name.
fn draw_deadline(picture: &mut Picture, plot: Down, deadline: Duration, highest: f64) {
    let late = pixel(plot, height(deadline.as_secs_f64() * 1e3, highest));
    picture.level("deadline", late);
    picture.text(
        "tick",
        "end",
        100.0,
        late.saturating_sub(3),
        &format!("deadline {}", format::latency(deadline)),
    );
}

/// The bands around the median, and the median, as paths.
fn curves(series: &Series, highest: f64) -> Vec<(&'static str, String)> {
    let y = |time: Duration| height(time.as_secs_f64() * 1e3, highest);
    vec![
        (
            "band-max",
            area(&series.buckets, |bucket| (y(bucket.min), y(bucket.max))),
        ),
        (
            "band-p99",
            area(&series.buckets, |bucket| (y(bucket.min), y(bucket.p99))),
        ),
        ("median", line(&series.buckets, |bucket| y(bucket.p50))),
    ]
}

/// The powers of ten on the scale, from the lowest.
fn levels(plot: Down, highest: f64) -> Vec<(u32, &'static str)> {
    let all = [
        (1.0, "1 ms"),
        (10.0, "10 ms"),
        (100.0, "100 ms"),
        (1000.0, "1 s"),
        (10_000.0, "10 s"),
    ];
    let fits = all.into_iter().filter(|(millis, _)| *millis <= highest);
    fits.map(|(millis, name)| (pixel(plot, height(millis, highest)), name))
        .collect()
}

fn heading(series: &Series) -> String {
    let (up, bad) = series.buckets.iter().fold((0u64, 0u64), |(up, bad), bucket| {
        (up + u64::from(bucket.up), bad + u64::from(bucket.bad))
    });
    let slowest = series
        .buckets
        .iter()
        .map(|bucket| bucket.max)
        .max()
        .unwrap_or_default();
    let answers = if up > 0 {
        format!(", max {}", format::latency(slowest))
    } else {
        String::new()
    };
    format!(
        "{up} right{answers} · {bad} bad · {} per step",
        format::latency(series.width)
    )
}

/// How many buckets cover the shown time; the last one may reach beyond it.
fn columns(report: &DrillReport, series: &Series) -> usize {
    let shown = report.shown.length().as_micros();
    let columns = shown.div_ceil(series.width.as_micros().max(1));
    usize::try_from(columns).unwrap_or(1).max(1)
}

/// A place from the top, 0 to 100, on a logarithmic scale.
fn height(millis: f64, highest: f64) -> f64 {
    // Logarithmic from LOWEST at the bottom (100) to `highest` at the top (0).
    let share = (millis.max(LOWEST) / LOWEST).ln() / (highest / LOWEST).ln().max(1e-9);
    (100.0 - 100.0 * share).clamp(0.0, 100.0)
}

fn pixel(plot: Down, height: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "pixels of a chart"
    )]
    let down = (f64::from(plot.height) * height / 100.0).round() as u32;
    plot.from + down
}

/// A stepped area between two heights, with a gap where a bucket has no right answer.
fn area(buckets: &[Bucket], edges: impl Fn(&Bucket) -> (f64, f64)) -> String {
    let mut path = String::new();
    let mut at = 0;
    for row in buckets.chunk_by(|a, b| (a.up > 0) == (b.up > 0)) {
        if row[0].up > 0 {
            let _ = write!(path, "M{at} {:.1}", edges(&row[0]).1);
            for (n, bucket) in row.iter().enumerate() {
                let _ = write!(path, "V{:.1}H{}", edges(bucket).1, at + n + 1);
            }
            // Back along the lower edge, so that the path encloses an area.
            for (n, bucket) in row.iter().enumerate().rev() {
                let _ = write!(path, "V{:.1}H{}", edges(bucket).0, at + n);
            }
            path.push('Z');
        }
        at += row.len();
    }
    path
}

fn line(buckets: &[Bucket], y: impl Fn(&Bucket) -> f64) -> String {
    let mut path = String::new();
    let mut at = 0;
    for row in buckets.chunk_by(|a, b| (a.up > 0) == (b.up > 0)) {
        if row[0].up > 0 {
            let _ = write!(path, "M{at} {:.1}", y(&row[0]));
            for (n, bucket) in row.iter().enumerate() {
                let _ = write!(path, "V{:.1}H{}", y(bucket), at + n + 1);
            }
        }
        at += row.len();
    }
    path
}

/// The share of bad answers of each bucket, as bars that hang from the chart.
fn bad(buckets: &[Bucket]) -> String {
    let mut path = String::new();
    for (at, bucket) in buckets.iter().enumerate().filter(|(_, bucket)| bucket.bad > 0) {
        let share = 100.0 * f64::from(bucket.bad) / f64::from(bucket.bad + bucket.up);
        // A single bad answer among many is still drawn: eight percent of the height.
        let _ = write!(path, "M{at} 0H{}V{:.0}H{at}Z", at + 1, share.max(8.0));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_has_a_gap_where_no_answer_was_right() {
        let up = Bucket {
            up: 1,
            ..Bucket::default()
        };
        let path = area(&[up, Bucket::default(), up], |_| (90.0, 10.0));
        assert_eq!(path, "M0 10.0V10.0H1V90.0H0ZM2 10.0V10.0H3V90.0H2Z");
    }

    #[test]
    fn the_scale_is_logarithmic() {
        assert_eq!(height(0.1, 1000.0), 100.0);
        assert_eq!(height(1000.0, 1000.0), 0.0);
        assert!((height(10.0, 1000.0) - 50.0).abs() < 1e-9);
    }
}
