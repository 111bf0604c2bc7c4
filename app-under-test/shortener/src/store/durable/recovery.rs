//! What is read at the start: the newest intact generation, completed from the journal.

use std::collections::HashMap;
use std::time::Instant;

use super::super::{Format, Rung};
use super::files::Files;
use super::journal::{self, Position};
use super::view::{LinkTable, View};

/// Reads the store, from the best source that is intact: the current generation, the previous one, or the journal alone.
pub(super) fn recover(files: &Files, format: Format) -> View {
    let seen = files.identity();
    let current = files.current().and_then(|current| {
        let links = current.verified(format);
        if files.is_foreign() {
            // Earlier releases wrote no checksum: their store is taken as it is.
            links.or_else(|| current.unverified(format))
        } else {
            links
        }
    });
    let previous = || files.previous()?.verified(format);
    let (links, rung) = match current {
        Some(links) => (links, Rung::Store),
        // No file at all is a new store, and no damage.
        None if files.is_new() => (Vec::new(), Rung::Store),
        None => previous().map_or((Vec::new(), Rung::Journal), |links| (links, Rung::Previous)),
    };
    let mut view = View {
        in_generation: links.len(),
        links: LinkTable::default(),
        keys: HashMap::new(),
        rung,
        seen,
        journal: Position::default(),
        damaged: (rung != Rung::Store).then(Instant::now),
        lost: false,
    };
    view.add_links(links);
    // The journal has what was acknowledged after the generation was written.
    let lines = journal::read_from(&files.journal(), &mut view.journal);
    view.lost = rung == Rung::Journal && lines.is_empty();
    view.add_lines(lines);
    view
}
