//! No verdict contradicts what a shape itself noted.

use std::collections::BTreeMap;
use std::path::Path;

use acceptance::Kind;
use acceptance::shapes::{Calm, DRILLS, IN_CONTAINERS, SHAPES, folder, refuted, run};

pub(crate) async fn no_verdict_contradicts_the_truth(kind: Kind) {
    let wanted = |shape: &str| kind == Kind::Process || IN_CONTAINERS.contains(&shape);
    let shapes: Vec<_> = SHAPES
        .iter()
        .copied()
        .filter(|(shape, _)| wanted(shape))
        .collect();
    let folder = folder(Path::new(env!("CARGO_TARGET_TMPDIR")), &shapes);
    let (ended, drilled) = run(kind, folder.path());
    assert_eq!(drilled.len(), shapes.len() * DRILLS.len(), "{ended}");
    let calm: BTreeMap<&str, Calm> = SHAPES.iter().copied().collect();
    let refuted: Vec<String> = drilled
        .iter()
        .filter_map(|drilled| refuted(drilled, calm[drilled.name().rsplit_once('-').unwrap().0]))
        .collect();
    let table: Vec<String> = drilled
        .iter()
        .map(|drilled| {
            format!(
                "{:24} {:9?} {} ms",
                drilled.name(),
                drilled.verdict,
                drilled.longest_gap() / 1000
            )
        })
        .collect();
    assert!(refuted.is_empty(), "{refuted:#?}\n{}\n{ended}", table.join("\n"));
}
