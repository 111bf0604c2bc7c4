//! The timeline as a picture: a lane for each journey, each release, each fault, and one for alerts.
//!
//! Takes one drill's report, gives a chart. Readable without colour: up is a plain bar, fallback is striped, down is dark
//! and cross-hatched, unknown is dotted; so is the time between the bounds within which an outage began or ended.

use super::svg::{Across, Chart, Down, Picture, anchor};
use crate::drill::DrillReport;
use crate::format;
use crate::timeline::Kind;
use firedrill_judge::measure::{Interval, Journey, JourneyState, Outage};
use firedrill_model::sample::Micros;

/// Height of a lane's heading, of its bar, and of the space below.
const HEADING: u32 = 20;
const BAR: u32 = 22;
const SPACE: u32 = 12;
/// Room for the time at the bottom.
const AXIS: u32 = 26;
/// Ticks at most.
const TICKS: f64 = 8.0;

/// Time, as places across the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    shown: Interval,
    origin: Micros,
}

impl Scale {
    pub(super) fn new(report: &DrillReport) -> Self {
        Self {
            shown: report.shown,
            origin: report.measured.window.from,
        }
    }

    pub(super) fn at(self, at: Micros) -> f64 {
        let whole = self.shown.length().as_secs_f64().max(1e-9);
        // What began before the picture, or ends after it, ends at its edge.
        let at = at.clamp(self.shown.from, self.shown.until.max(self.shown.from));
        100.0 * at.since(self.shown.from).as_secs_f64() / whole
    }

    pub(super) fn across(self, from: Micros, until: Micros) -> Across {
        Across {
            from: self.at(from),
            until: self.at(until),
        }
    }

    /// Places and names of the ticks: whole steps before and after the origin.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        let whole = self.shown.length().as_secs_f64().max(1e-9);
        let before = self.origin.since(self.shown.from).as_secs_f64();
        let steps = [
            0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
        ];
        // The smallest step that gives no more ticks than there is room for.
        let step = steps
            .into_iter()
            .find(|step| whole / step <= TICKS)
            .unwrap_or(whole / TICKS);
        let mut ticks = Vec::new();
        // From the left edge: zero is the start of the steps, which is inside the picture.
        let mut n = -(before / step).floor();
        // The limit only ends the loop for a step that rounding has made too small.
        while before + n * step <= whole && ticks.len() < 100 {
            ticks.push((100.0 * (before + n * step) / whole, named(n * step, step)));
            n += 1.0;
        }
        ticks
    }
}

fn named(seconds: f64, step: f64) -> String {
    let sign = if seconds < -1e-9 { "−" } else { "" };
    let seconds = seconds.abs();
    if step >= 60.0 {
        return format!("{sign}{:.0} min", seconds / 60.0);
    }
    // As many decimals as tell two neighbouring ticks apart.
    let places = if step < 0.1 { 2 } else { usize::from(step < 1.0) };
    format!("{sign}{seconds:.places$} s")
}

/// The class of a text inside a bar; a phone hides one that it has no room for.
fn inside(on: &str, across: Across) -> String {
    let small = if across.until - across.from < 22.0 {
        " small"
    } else {
        ""
    };
    format!("inside on-{on}{small}")
}

struct Sheet<'a> {
    report: &'a DrillReport,
    scale: Scale,
    picture: Picture,
    y: u32,
}

/// The picture.
pub(super) fn timeline(report: &DrillReport, id: &str) -> Chart {
    let mut sheet = Sheet {
        report,
        scale: Scale::new(report),
        picture: Picture::default(),
        y: 4,
    };
    // Computed before it is drawn: the ground covers all lanes.
    let height = sheet.height();
    // The ground first: later shapes cover earlier ones.
    sheet.ground(height);
    for journey in &report.measured.journeys {
        sheet.journey(journey);
    }
    for release in &report.measured.releases {
        let (answers, good) = release.answers;
        let y = sheet.lane(
            &format!("release {}", release.name),
            &format!("{} right", format::of_all(good, answers, "answer")),
        );
        let stretches = release
            .stretches
            .iter()
            .map(|stretch| (stretch.from, stretch.until, release.name.clone()));
        sheet.bars("release", y, &stretches.collect::<Vec<_>>());
    }
    for fault in &report.faults {
        let evidence = if fault.confirmed.is_some() {
            "confirmed"
        } else {
            "not confirmed"
        };
        let y = sheet.lane("fault", &format!("{}, {evidence}", fault.what));
        let until = fault.until.unwrap_or(report.shown.until);
        let end = if fault.until.is_some() {
            "in effect until reverted"
        } else {
            "in effect to the end"
        };
        sheet.bars("fault", y, &[(fault.from, until, end.to_owned())]);
    }
    sheet.alerts();
    sheet.axis();
    let title = format!("Timeline of {}", report.title());
    let description =
        "The states of each journey, release and fault over time. The table below has the same in words.";
    sheet.picture.finish(id, height, &title, description)
}

impl Sheet<'_> {
    fn height(&self) -> u32 {
        let alerts = u32::from(
            self.report
                .timeline
                .iter()
                .any(|moment| moment.kind == Kind::Alert),
        );
        let lanes = self.report.measured.journeys.len()
            + self.report.measured.releases.len()
            + self.report.faults.len();
        (u32::try_from(lanes).unwrap_or(0) + alerts) * (HEADING + BAR + SPACE) + AXIS + 4
    }

    /// The time before the steps, the ticks, and where faults begin.
    fn ground(&mut self, height: u32) {
        let y = Down {
            from: 0,
            height: height - AXIS,
        };
        let before = self
            .scale
            .across(self.report.shown.from, self.report.measured.window.from);
        self.picture
            .rect("before", before, y, "before the steps: not judged");
        for (x, _) in self.scale.ticks() {
            self.picture.upright("grid", x, y);
        }
        for fault in &self.report.faults {
            self.picture.upright("guide", self.scale.at(fault.from), y);
        }
    }

    /// A lane's heading; where its bar goes.
    fn lane(&mut self, name: &str, aside: &str) -> Down {
        self.picture.heading(self.y + 14, name, aside);
        let bar = Down {
            from: self.y + HEADING,
            height: BAR,
        };
        self.y += HEADING + BAR + SPACE;
        bar
    }

    fn bars(&mut self, class: &'static str, y: Down, bars: &[(Micros, Micros, String)]) {
        let mut last = -1.0;
        for (from, until, text) in bars {
            let across = self.scale.across(*from, *until).visible();
            // A bar that the last one covers is not drawn: an hour may have thousands.
            if across.until <= last {
                continue;
            }
            last = across.until;
            let title = format!(
                "{text}: {} to {}",
                self.report.time(*from),
                self.report.time(*until)
            );
            self.picture.rect(class, across, y, &title);
            if across.until - across.from > 12.0 {
                self.picture.label(inside("", across), across, y, text);
            }
        }
    }

    fn journey(&mut self, journey: &Journey) {
        let down = if journey.outages.is_empty() {
            "no downtime".to_owned()
        } else {
            format!("down {}", format::bounds(journey.downtime))
        };
        let aside = if journey.essential { "" } else { ", not essential" };
        let report = self.report;
        let blips = match report.measured.blips_of(journey).count() {
            0 => String::new(),
            some => format!(", {}", format::count(some, "blip")),
        };
        let y = self.lane(&journey.name, &format!("{down}{blips}{aside}"));
        // The lane covers the judged time; before that, only outages are known.
        self.picture.rect(
            "up",
            self.scale.across(self.report.shown.from, self.report.shown.until),
            y,
            "up",
        );
        let mut last = (-1.0, 0);
        for segment in &journey.lane {
            let (class, rank, text) = match &segment.state {
                JourneyState::Up => continue,
                JourneyState::Fallback(rung) => ("fallback", 1, format!("fallback {rung}")),
                JourneyState::Down => ("down", 2, "down".to_owned()),
            };
            let across = self.scale.across(segment.time.from, segment.time.until).visible();
            if (across.until, rank) <= last {
                continue;
            }
            // A worse state is drawn even where the last bar covers it.
            last = (across.until, rank);
            let title = format!(
                "{text}: {} to {}",
                self.report.time(segment.time.from),
                self.report.time(segment.time.until)
            );
            self.picture.rect(class, across, y, &title);
            if across.until - across.from > 10.0 {
                self.picture.label(inside(class, across), across, y, &text);
            }
        }
        // The bounds of an outage lie over the lane, which shows only the point values.
        for outage in &journey.outages {
            self.outage(outage, y);
        }
        for part in &self.report.measured.unknown_parts {
            let title = format!(
                "unknown: {} to {}",
                self.report.time(part.from),
                self.report.time(part.until)
            );
            self.picture
                .rect("unknown", self.scale.across(part.from, part.until), y, &title);
        }
        self.blips(journey, y);
    }

    /// A narrow bar for each blip, over the whole height of the lane.
    fn blips(&mut self, journey: &Journey, y: Down) {
        let y = Down {
            from: y.from - 2,
            height: y.height + 4,
        };
        let mut last = -1.0;
        for blip in self.report.measured.blips_of(journey) {
            let across = self.scale.across(blip.at, blip.at).visible();
            if across.until <= last {
                continue;
            }
            last = across.until;
            let title = format!(
                "blip: {} at {}, not confirmed by others",
                blip.kind,
                self.report.time(blip.at)
            );
            self.picture.rect("blip", across, y, &title);
        }
    }

    /// The part of an outage before the judged time, and the bounds of its start and end.
    fn outage(&mut self, outage: &Outage, y: Down) {
        let window = self.report.measured.window;
        // The lane covers the judged time only; what was seen before it is drawn apart.
        if outage.first_bad < window.from {
            let until = outage.first_good.unwrap_or(window.from).min(window.from);
            let across = self.scale.across(outage.first_bad, until).visible();
            self.picture.rect("down", across, y, "down before the steps");
        }
        let (began, ended) = (outage.onset.until, outage.end.from);
        let title = format!(
            "began between {} and {}",
            self.report.time(outage.onset.from),
            self.report.time(began)
        );
        self.picture.rect(
            "unsure",
            self.scale.across(outage.onset.from, began).visible(),
            y,
            &title,
        );
        let title = if outage.still_down {
            "still down when the drill ended".to_owned()
        } else {
            format!(
                "ended between {} and {}",
                self.report.time(ended),
                self.report.time(outage.end.until)
            )
        };
        self.picture.rect(
            "unsure",
            self.scale.across(ended, outage.end.until).visible(),
            y,
            &title,
        );
    }

    fn alerts(&mut self) {
        let alerts: Vec<(Micros, Micros, String)> = self
            .report
            .timeline
            .iter()
            .filter(|moment| moment.kind == Kind::Alert)
            .map(|moment| (moment.at, moment.at, moment.text.clone()))
            .collect();
        if alerts.is_empty() {
            return;
        }
        let names: Vec<&str> = alerts.iter().map(|(_, _, name)| name.as_str()).collect();
        let names = crate::text::plain(&names.join(", "), 160);
        let y = self.lane("alerts", &names);
        self.bars("alert", y, &alerts);
    }

    fn axis(&mut self) {
        let y = self.y + 16;
        let ticks = self.scale.ticks();
        for (x, name) in &ticks {
            self.picture.text("tick", anchor(*x), *x, y, name);
        }
    }
}
