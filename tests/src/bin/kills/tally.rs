//! What the kills have hit: which faults were in effect, where, and which never were.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use firedrill::backend::Kind;
use firedrill::drill::{self, UndoEntry};

use crate::choice::Pair;

/// Kills by what was in effect.
#[derive(Default)]
pub(crate) struct Tally {
    hit: BTreeMap<(String, Kind), u32>,
    phases: BTreeMap<(String, Kind), u32>,
}

/// The faults that a run's undo log names as begun and not undone.
pub(crate) fn in_effect(run: &Path) -> BTreeSet<String> {
    // Read before cleanup removes it: a fault that is pending was in effect when the kill came.
    let pending = drill::pending_undo(run).unwrap_or_default().into_iter();
    let faults = pending.filter_map(|entry| match entry {
        UndoEntry::Pending { fault, .. } => Some(fault),
        UndoEntry::Done { .. } => None,
    });
    faults.collect()
}

impl Tally {
    /// One more kill.
    pub(crate) fn note(&mut self, kind: Kind, phase: &str, faults: &BTreeSet<String>) {
        *self.phases.entry((phase.to_owned(), kind)).or_default() += 1;
        for fault in faults {
            *self.hit.entry((fault.clone(), kind)).or_default() += 1;
        }
    }

    /// The tables, and the pairs that were never hit, with whether they could have been.
    pub(crate) fn lines(&self, kinds: &[Kind], pairs: &[(Pair, bool)]) -> Vec<String> {
        let mut lines = table("killed in", kinds, &self.phases);
        lines.extend(table("in effect", kinds, &self.hit));
        for (possible, why) in [(true, "never hit"), (false, "no scenario here")] {
            let never = pairs.iter().filter(|((fault, kind), could)| {
                *could == possible && !self.hit.contains_key(&((*fault).to_owned(), *kind))
            });
            let mut names: Vec<String> = never
                .map(|((fault, kind), _)| format!("{fault} on {kind}"))
                .collect();
            names.sort();
            if !names.is_empty() {
                lines.push(format!("{why}: {}", names.join(", ")));
            }
        }
        lines
    }
}

fn table(title: &str, kinds: &[Kind], counts: &BTreeMap<(String, Kind), u32>) -> Vec<String> {
    let row = |name: &str, cells: Vec<String>| {
        let cells = cells.iter().map(|cell| format!("{cell:>9}"));
        format!("{name:24}{}", cells.collect::<String>())
    };
    let names: BTreeSet<&String> = counts.keys().map(|(name, _)| name).collect();
    let head = row(title, kinds.iter().map(ToString::to_string).collect());
    let rows = names.into_iter().map(|name| {
        let count = |kind: &Kind| counts.get(&(name.clone(), *kind)).copied().unwrap_or_default();
        row(name, kinds.iter().map(|kind| count(kind).to_string()).collect())
    });
    std::iter::once(head).chain(rows).collect()
}
