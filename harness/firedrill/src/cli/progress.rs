//! What one sees while drills run: a live line for each on a terminal, plain lines elsewhere, events with `--json`.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::output;
use firedrill_model::history::{Event, Phase, Stamped};

/// The progress of one call.
pub(super) struct Progress {
    bars: Option<MultiProgress>,
    running: Mutex<HashMap<String, ProgressBar>>,
    total: usize,
    done: Mutex<usize>,
    json: bool,
}

impl Progress {
    pub(super) fn new(total: usize, json: bool) -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self {
            bars,
            running: Mutex::default(),
            total,
            done: Mutex::new(0),
            json,
        }
    }

    /// Something that takes time before a drill begins.
    pub(super) fn say(&self, what: &str) {
        self.above(|| output::note(what));
    }

    /// A result, kept clear of the live lines.
    pub(super) fn print(&self, text: &str) {
        self.above(|| output::print(text));
    }

    fn above(&self, print: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }

    /// An event of a drill.
    pub(super) fn event(&self, name: &str, run: &str, stamped: &Stamped) {
        if self.json {
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
        if let Event::End { .. } = event {
            if let Some(bar) = running.remove(run) {
                bar.finish_and_clear();
            }
            return;
        }
        let bar = running.entry(run.to_owned()).or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {prefix:32} {wide_msg}");
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if let Some(text) = told(event) {
            bar.set_message(text);
        }
    }

    /// A drill is over.
    pub(super) fn done(&self, line: &str) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done += 1;
        if !self.json {
            let (done, total) = (*done, self.total);
            self.above(|| output::note(&format!("[{done:>3}/{total}] {line}")));
        }
    }

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

/// What is worth a live line.
fn told(event: &Event) -> Option<String> {
    Some(match event {
        Event::Phase { phase } => match phase {
            Phase::Prepare => "starting services".into(),
            Phase::Steady => "waiting for the steady state".into(),
            Phase::Steps => "journeys run".into(),
            Phase::Quiet => "waiting for recovery".into(),
            Phase::ReadBack => "reading back what was acknowledged".into(),
            Phase::Collect => "collecting logs".into(),
            Phase::Done => "done".into(),
        },
        Event::Injecting { what, .. } => what.clone(),
        Event::Injected {
            evidence: Some(evidence),
            ..
        } => format!("in effect: {evidence}"),
        Event::NotInjected { why, .. } => format!("not injected: {why}"),
        Event::Reverted { evidence, .. } => format!("reverted: {evidence}"),
        Event::Alert { kind, answered, .. } if *answered >= 400 => format!("alert not taken: {kind}"),
        Event::Alert { kind, .. } => format!("alert: {kind}"),
        _ => return None,
    })
}
