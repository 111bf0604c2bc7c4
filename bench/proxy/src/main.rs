//! Measures what the fault proxy costs, and how exact it is.
//!
//! Compared in one run, each proxy in a process of its own, in turns: `firedrill-proxy` without toxics, a plain relay
//! (`copy_bidirectional`), the same relay again (two equal proxies show the noise), noxious as a library, and fault-cli.
//! Measured for `firedrill-proxy` alone: the error of a latency and of a bandwidth, and how much a dead service delays
//! the clients of another proxy.

#[expect(dead_code, reason = "every value here has a target")]
#[path = "../../src/table.rs"]
mod table;

mod exact;
mod load;
mod rivals;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use hdrhistogram::Histogram;
use table::Table;

/// Rounds, and how long each proxy is measured in one. Each round starts new processes: a process that happens to be
/// slow, by its memory layout for one, must not decide the result.
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_secs(1);
/// The targets: throughput as a share of the plain relay's, and additional latency.
const MIN_SHARE_OF_RELAY: f64 = 0.95;
const MAX_ADDED_P99_MS: f64 = 1.0;

#[tokio::main(worker_threads = 2)]
async fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [role, upstream @ ..] = args.as_slice() {
        rivals::play(role, upstream.first().map(String::as_str)).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::default();
    exact::latency(&mut table).await?;
    exact::bandwidth(&mut table).await?;
    exact::dead_service(&mut table).await?;
    rivals::pin_users().await?;
    for connections in [1, 16] {
        side_by_side(connections, &mut table).await?;
    }
    print!("\n{table}");
    Ok(ExitCode::from(u8::from(!table.all_reached())))
}

/// What one proxy did in one round.
struct Round {
    per_second: f64,
    latencies: Histogram<u64>,
}

async fn side_by_side(connections: usize, table: &mut Table) -> io::Result<()> {
    let mut results: Vec<(&str, Vec<Round>)> = Vec::new();
    let mut missing = Vec::new();
    for round in 0..ROUNDS {
        let cast = rivals::Cast::start().await?;
        let mut turn: Vec<(&str, SocketAddr)> = cast.names().zip(cast.addresses()).collect();
        // Another order each round: no proxy is always measured after the same one.
        let first = round % turn.len();
        turn.rotate_left(first);
        for (name, address) in turn {
            load::run(address, connections, ROUND / 10).await?;
            let (per_second, latencies) = load::run(address, connections, ROUND).await?;
            let round = Round { per_second, latencies };
            match results.iter_mut().find(|(other, _)| *other == name) {
                Some((_, rounds)) => rounds.push(round),
                None => results.push((name, vec![round])),
            }
        }
        missing.clone_from(&cast.missing);
    }
    println!("\nkeep-alive, {connections} connections, {ROUNDS} rounds of {} s each, in turns", ROUND.as_secs());
    println!("{:14} {:>10} {:>18} {:>9} {:>9} {:>14}", "", "req/s", "of plain relay", "p50 µs", "p99 µs", "p99 − relay");
    let relay = results.iter().position(|(name, _)| *name == rivals::RELAY).unwrap_or(0);
    for (name, rounds) in &results {
        let per_second = |rounds: &[Round]| median(rounds.iter().map(|round| round.per_second));
        let ratio = per_second(rounds) / per_second(&results[relay].1);
        let p99 = |rounds: &[Round]| all(rounds).value_at_quantile(0.99) as f64;
        let later = (p99(rounds) - p99(&results[relay].1)) / 1e3;
        println!(
            "{name:14} {:>10.0} {ratio:>18.3} {:>9} {:>9.0} {later:>11.3} ms",
            per_second(rounds),
            all(rounds).value_at_quantile(0.5),
            p99(rounds),
        );
        if *name == rivals::FIREDRILL {
            let what = format!("compared with a plain relay, {connections} connections: ");
            table.hold(
                format!("{what}throughput"),
                format!("{ratio:.3}"),
                format!(">= {MIN_SHARE_OF_RELAY}"),
                ratio >= MIN_SHARE_OF_RELAY,
            );
            table.hold(
                format!("{what}p99"),
                format!("{later:+.3} ms"),
                format!("<= {MAX_ADDED_P99_MS} ms"),
                later <= MAX_ADDED_P99_MS,
            );
        }
    }
    for missing in &missing {
        println!("{missing}");
    }
    Ok(())
}

fn all(rounds: &[Round]) -> Histogram<u64> {
    let mut sum = load::histogram();
    for round in rounds {
        sum.add(&round.latencies).expect("the same range");
    }
    sum
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
