//! What a link costs, and how exact it is.
//!
//! Beside each other in one run, each proxy in a process of its own, in turns: the link without toxics, a plain relay
//! (`copy_bidirectional`), noxious as a library, and fault-cli. Then, of the link alone: how exact a latency and a
//! bandwidth are, and what a dead service costs another link's client.
//!
//! The link is the harness's own source, compiled into this program: `link` needs nothing of the harness but `units` and
//! `wait`, and so the rest need not be built.

#[path = "../../../harness/src/link/mod.rs"]
mod link;
#[path = "../../../harness/src/units.rs"]
mod units;
#[path = "../../../harness/src/wait.rs"]
mod wait;

mod exact;
mod load;
mod rivals;

use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Rounds, and how long each proxy is measured in one.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);

#[tokio::main(worker_threads = 2)]
async fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [role, upstream @ ..] = args.as_slice() {
        return rivals::play(role, upstream.first().map(String::as_str)).await;
    }
    for connections in [1, 16] {
        side_by_side(connections).await?;
    }
    exact::latency().await?;
    exact::bandwidth().await?;
    exact::dead_service().await
}

/// What one proxy did in one round.
struct Round {
    per_second: f64,
    latencies: Histogram<u64>,
}

async fn side_by_side(connections: usize) -> io::Result<()> {
    let cast = rivals::Cast::start().await?;
    let mut results: Vec<(&str, Vec<Round>)> = cast.names().map(|name| (name, Vec::new())).collect();
    for round in 0..=ROUNDS {
        for (at, address) in cast.addresses().enumerate() {
            let (per_second, latencies) = load::run(address, connections, ROUND).await?;
            // The first round only warms up.
            if round > 0 {
                results[at].1.push(Round { per_second, latencies });
            }
        }
    }
    println!("\nkeep-alive, {connections} connections, {ROUNDS} rounds of {ROUND:?} each, in turns");
    println!("{:12} {:>10} {:>18} {:>9} {:>9} {:>14}", "", "req/s", "of plain relay", "p50 µs", "p99 µs", "p99 − relay");
    let relay = results.iter().position(|(name, _)| *name == rivals::RELAY).unwrap_or(0);
    for (name, rounds) in &results {
        let ratios = rounds.iter().zip(&results[relay].1).map(|(own, relay)| own.per_second / relay.per_second);
        let p99 = |rounds: &[Round]| all(rounds).value_at_quantile(0.99) as f64;
        println!(
            "{name:12} {:>10.0} {:>18.3} {:>9} {:>9.0} {:>11.3} ms",
            median(rounds.iter().map(|round| round.per_second)),
            median(ratios),
            all(rounds).value_at_quantile(0.5),
            p99(rounds),
            (p99(rounds) - p99(&results[relay].1)) / 1e3,
        );
    }
    for missing in &cast.missing {
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
