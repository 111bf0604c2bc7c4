//! What a running service knows of its store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::super::Rung;
use super::files::{Identity, Link};
use super::journal::{JournalLine, Position};
use crate::link::{Code, LinkTarget};

/// All links, in the order in which they were stored. Links are added and never changed or removed.
#[derive(Debug, Default)]
pub(super) struct LinkTable {
    order: Vec<Arc<Link>>,
    index: HashMap<Code, usize>,
}

impl LinkTable {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn get(&self, code: &Code) -> Option<&LinkTarget> {
        Some(&self.order[*self.index.get(code)?].to)
    }

    /// Adds a link unless its code exists.
    pub(super) fn add(&mut self, code: Code, to: LinkTarget) {
        if !self.index.contains_key(&code) {
            self.index.insert(code.clone(), self.order.len());
            self.order.push(Arc::new(Link { code, to }));
        }
    }

    /// A copy that shares the links: cheap enough to make while users wait.
    pub(super) fn snapshot(&self) -> Vec<Arc<Link>> {
        self.order.clone()
    }
}

/// What is known at this moment.
#[derive(Debug)]
pub(super) struct View {
    pub(super) links: LinkTable,
    /// Idempotency keys, each with the code that its request stored.
    pub(super) keys: HashMap<String, Code>,
    /// Where the links come from. [`Rung::Store`] while the current generation is intact.
    pub(super) rung: Rung,
    /// The generation that was last verified, intact or not.
    pub(super) seen: Option<Identity>,
    /// How far the journal has been read.
    pub(super) journal: Position,
    /// How many links the current generation has.
    pub(super) in_generation: usize,
    /// Since when the store is damaged.
    pub(super) damaged: Option<Instant>,
    /// Whether files exist and none of them can be read. Then a missing code is an error, not "not found".
    pub(super) lost: bool,
}

impl View {
    /// Adds the links of a generation.
    pub(super) fn add_links(&mut self, links: Vec<Link>) {
        for Link { code, to } in links {
            self.links.add(code, to);
        }
    }

    /// Adds lines of the journal.
    pub(super) fn add_lines(&mut self, lines: Vec<JournalLine>) {
        for JournalLine { code, to, key } in lines {
            if let Some(key) = key {
                self.keys.insert(key, code.clone());
            }
            self.links.add(code, to);
        }
    }

    /// Whether the current generation lacks links that the journal has.
    pub(super) fn is_behind(&self) -> bool {
        self.in_generation < self.links.len()
    }
}
