//! Drills each shape that real services have, and prints what Firedrill says of it beside what the service itself noted.
//!
//! ```text
//! cargo build --release -p firedrill && cargo run --release -p acceptance --bin shapes-table
//! ```
//! Per backend and shape: each drill with its verdict and the longest time in which the service gave no sign of life, the
//! acknowledged writes as they were read back, and whether anything was left behind. The exit code is 1 when a verdict
//! contradicts the truth, an acknowledged write is not intact, or anything is left.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::path::Path;
use std::process::ExitCode;

use acceptance::shapes::{Calm, DRILLS, Drilled, SHAPES, UNDECIDED, folder, refuted, run};
use acceptance::{Kind, left};
use clap::Parser;
use firedrill::judge::Verdict;
use firedrill::measure;

/// Drill each shape, and print the table.
#[derive(Parser)]
struct Args {
    /// Where: docker, process, or both in turn.
    #[arg(long, default_value = "both", value_parser = ["docker", "process", "both"])]
    backend: String,
    /// Only these shapes.
    shapes: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let inside = acceptance::workspace().join("target/tmp");
    let made = std::fs::create_dir_all(&inside);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (Ok(()), Ok(runtime)) = (made, runtime) else {
        println!("no folder or no runtime to work with");
        return ExitCode::FAILURE;
    };
    println!("| backend | shape | {} | writes | left |", DRILLS.join(" | "));
    println!("|---|---|{}---|---|", "---|".repeat(DRILLS.len()));
    let mut wrong = Vec::new();
    let wanted = |shape: &str| args.shapes.is_empty() || args.shapes.iter().any(|name| name == shape);
    let kinds = match args.backend.as_str() {
        "both" => vec![Kind::Process, Kind::Docker],
        "docker" => vec![Kind::Docker],
        _ => vec![Kind::Process],
    };
    for kind in kinds {
        for shape in SHAPES.iter().filter(|(shape, _)| wanted(shape)) {
            wrong.extend(runtime.block_on(row(&inside, kind, *shape)));
        }
    }
    println!();
    for (shape, _, reason) in UNDECIDED.iter().filter(|(shape, ..)| wanted(shape)) {
        println!("{shape}: may be undecided, since {reason}");
    }
    for wrong in &wrong {
        println!("WRONG: {wrong}");
    }
    match wrong.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Prints the row of one shape; gives what is wrong in it.
async fn row(inside: &Path, kind: Kind, (shape, calm): (&str, Calm)) -> Vec<String> {
    let scenarios = folder(inside, &[(shape, calm)]);
    let (ended, drilled) = run(kind, scenarios.path());
    let mut wrong: Vec<String> = drilled
        .iter()
        .filter_map(|drilled| refuted(drilled, calm))
        .map(|why| format!("{kind}: {why}"))
        .collect();
    if drilled.len() != DRILLS.len() {
        wrong.push(format!(
            "{kind}: {shape}: {} drills of {}\n{ended}",
            drilled.len(),
            DRILLS.len()
        ));
    }
    let cells = DRILLS.map(|drill| {
        let named = format!("{shape}-{drill}");
        drilled
            .iter()
            .find(|drilled| drilled.name() == named)
            .map_or_else(|| "not run".into(), cell)
    });
    let (read_back, lost) = writes(&drilled);
    if lost > 0 {
        wrong.push(format!("{kind}: {shape}: {read_back}"));
    }
    let runs = scenarios.path().join("runs");
    let ids: Vec<String> = drilled
        .iter()
        .map(|drilled| drilled.history.start.run.clone())
        .collect();
    let left = left::nothing_left(kind == Kind::Docker, &runs, &ids).await;
    println!(
        "| {kind} | {shape} | {} | {read_back} | {} |",
        cells.join(" | "),
        left.as_ref().map_or_else(String::as_str, |()| "nothing"),
    );
    wrong.extend(left.err().map(|left| format!("{kind}: {shape}: {left}")));
    wrong
}

/// The verdict, and the longest time without a sign of life.
fn cell(drilled: &Drilled) -> String {
    let verdict = match drilled.verdict {
        Verdict::Met => "met",
        Verdict::Breached => "breached",
        Verdict::Undecided => "undecided",
    };
    match drilled.longest_gap() {
        u64::MAX => format!("{verdict}, never alive"),
        gap => format!("{verdict}, silent for {} ms", gap / 1000),
    }
}

/// The acknowledged writes of all drills as they were read back, and how many of them are not intact.
fn writes(drilled: &[Drilled]) -> (String, usize) {
    let (mut intact, mut lost, mut unknown) = (0, 0, 0);
    for drilled in drilled {
        let data = measure::measure(&drilled.history).data;
        intact += data.intact;
        lost += data.lost + data.corrupt;
        unknown += data.unknown;
    }
    let unread = if unknown > 0 {
        format!(", {unknown} unknown")
    } else {
        String::new()
    };
    (format!("{intact} intact, {lost} lost{unread}"), lost)
}
