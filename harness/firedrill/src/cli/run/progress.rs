//! What is shown while drills run: a live line per drill on a terminal, plain lines elsewhere, events with `--json`.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::super::output;
use firedrill_logs::line::printable;
use firedrill_model::format;
use firedrill_model::history::{Event, Phase, Stamped};
use firedrill_report::in_words;
use firedrill_runner::backend::Building;

/// Where lines cannot be redrawn, a build that takes minutes writes one so often.
const BUILD_LINE_EVERY: Duration = Duration::from_secs(20);

/// A longer live line is cut; it is one line of a terminal.
const LIVE_LINE: usize = 300;

/// The progress of one call.
pub(super) struct Progress {
    bars: Option<MultiProgress>,
    running: Mutex<HashMap<String, ProgressBar>>,
    /// The package that is built, since when, and when a line was last written.
    build: Mutex<Option<(Instant, Instant)>>,
    total: usize,
    done: Mutex<usize>,
    json: bool,
}

impl Progress {
    pub(super) fn new(total: usize, json: bool) -> Self {
        // Live lines only where they can be redrawn; in a log file they would be noise.
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self {
            bars,
            running: Mutex::default(),
            build: Mutex::default(),
            total,
            done: Mutex::new(0),
            json,
        }
    }

    /// Prints a note above the live lines.
    pub(super) fn note(&self, what: &str) {
        self.above(|| output::note(what));
    }

    /// Prints a result above the live lines.
    pub(super) fn print(&self, text: &str) {
        self.above(|| output::print(text));
    }

    fn above(&self, print: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }

    /// Shows what a build is doing: a live line on a terminal, a line now and then elsewhere.
    pub(super) fn building(&self, building: Building<'_>) {
        match building {
            Building::Started { package } => {
                let now = Instant::now();
                *self.build.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, now));
                self.note(&format!("building {package} (release, statically linked)"));
            }
            Building::Compiling {
                package,
                name,
                crates,
            } => self.compiling(package, name, crates),
            Building::Finished {
                package,
                crates,
                took,
            } => {
                self.end_bar(package);
                if crates > 0 {
                    let seconds = took.as_secs();
                    let crates = format::count(crates, "crate");
                    self.note(&format!("built {package} in {seconds} s ({crates} compiled)"));
                }
            }
            // The compiler's own message: it names the file and the line.
            Building::Failed { package, output } => {
                self.end_bar(package);
                self.above(|| output::note_in_color(output.trim_end()));
            }
            _ => {}
        }
    }

    fn compiling(&self, package: &str, name: &str, crates: usize) {
        if let Some(bars) = &self.bars {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let bar = running
                .entry(build_key(package))
                .or_insert_with(|| spinner(bars, &format!("building {package}")));
            let message = format!("{}, now {name}", format::count(crates, "crate"));
            bar.set_message(printable(&message, LIVE_LINE));
            return;
        }
        let mut build = self.build.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((began, last)) = build.as_mut() else {
            return;
        };
        if last.elapsed() >= BUILD_LINE_EVERY {
            *last = Instant::now();
            let seconds = began.elapsed().as_secs();
            self.note(&format!(
                "building {package}: {} after {seconds} s, now {name}",
                format::count(crates, "crate")
            ));
        }
    }

    fn end_bar(&self, package: &str) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = running.remove(&build_key(package)) {
            bar.finish_and_clear();
        }
    }

    /// Shows an event of a drill.
    pub(super) fn event(&self, name: &str, run: &str, stamped: &Stamped) {
        if self.json {
            // Drills run side by side, so each event names its run.
            let mut event = serde_json::json!(stamped);
            if let Some(fields) = event.as_object_mut() {
                fields.insert("run".into(), run.into());
            }
            output::print(&event.to_string());
        }
        if let Some(bars) = &self.bars {
            self.live(bars, name, run, &stamped.event);
        }
    }

    fn live(&self, bars: &MultiProgress, name: &str, run: &str, event: &Event) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // The line goes before the drill's summary is printed, which would otherwise stand above it.
        if let Event::End { .. } = event {
            if let Some(bar) = running.remove(run) {
                bar.finish_and_clear();
            }
            return;
        }
        let bar = running
            .entry(run.to_owned())
            .or_insert_with(|| spinner(bars, name));
        if let Some(text) = message(event) {
            bar.set_message(printable(&text, LIVE_LINE));
        }
    }

    /// Shows that a drill ended.
    pub(super) fn done(&self, line: &str) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        // Printed under the lock, so that the count in the log only grows.
        *done += 1;
        if !self.json {
            let (done, total) = (*done, self.total);
            self.above(|| output::note_in_color(&format!("[{done:>3}/{total}] {line}")));
        }
    }

    /// Removes the live lines.
    pub(super) fn finish(&self) {
        for (_, bar) in self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain()
        {
            bar.finish_and_clear();
        }
    }
}

/// A live line. A drill or a build may say nothing for seconds; the spinner shows that it is alive.
fn spinner(bars: &MultiProgress, prefix: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {prefix:32} {wide_msg}");
    let bar = bars.add(ProgressBar::new_spinner());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_prefix(printable(prefix, LIVE_LINE));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// The key of a build's live line; no run has this form of a name.
fn build_key(package: &str) -> String {
    format!("build {package}")
}

/// The live line's text for an event, if the event changes it.
fn message(event: &Event) -> Option<String> {
    Some(match event {
        Event::Phase { phase } => match phase {
            Phase::Prepare => "starting services".into(),
            Phase::Steady => "checking the steady state".into(),
            Phase::Steps => "running steps".into(),
            Phase::Quiet => "waiting for recovery".into(),
            Phase::ReadBack => "reading back acknowledged writes".into(),
            Phase::Collect => "collecting logs".into(),
            Phase::Done => "done".into(),
        },
        Event::Injecting { what, .. } => what.clone(),
        Event::Injected {
            evidence: Some(evidence),
            ..
        } => format!("in effect: {}", in_words(evidence)),
        Event::NotInjected { why, .. } => format!("not injected: {}", in_words(why)),
        Event::Reverted { evidence, .. } => format!("reverted: {}", in_words(evidence)),
        Event::Alert { kind, answered, .. } if *answered >= 400 => format!("alert refused: {kind}"),
        Event::Alert { kind, .. } => format!("alert: {kind}"),
        _ => return None,
    })
}
