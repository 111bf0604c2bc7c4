//! Writes through a service at a fixed rate for a while, and says, as a line of JSON, how long writing was down, with
//! bounds. For mechanisms that drills cannot set up themselves.
#![expect(clippy::print_stdout, reason = "a program that says what it measured")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use firedrill::wait;
use firedrill_bench::load::Connection;

/// Probes a shortener with writes.
#[derive(Parser)]
struct Args {
    /// Whom to ask.
    address: SocketAddr,
    /// What is probed, as the report is to call it.
    #[arg(long, default_value = "writes")]
    name: String,
    /// For how long, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Writes per second, each on a connection of its own.
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// An answer later than this is bad, in milliseconds.
    #[arg(long, default_value_t = 250)]
    deadline: u64,
}

/// One probe: when it was sent, when it was decided, and how.
struct Sample {
    sent: Instant,
    ended: Instant,
    good: bool,
}

async fn probe(address: SocketAddr, n: u32, deadline: Duration) -> Sample {
    let sent = Instant::now();
    let asked = async {
        let mut connection = Connection::open(address).await.ok()?;
        let form = format!("code=probe-{n}&url=https%3A%2F%2Fexample.org%2F{n}");
        let kind = "content-type: application/x-www-form-urlencoded\r\n";
        connection.ask("POST", "/your-url", kind, &form).await.ok()
    };
    let answer = tokio::time::timeout(deadline, asked).await;
    Sample {
        sent,
        ended: Instant::now(),
        good: matches!(answer, Ok(Some((200, _)))),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let (began, step) = (Instant::now(), Duration::from_secs(1) / args.rate.max(1));
    let mut probes = tokio::task::JoinSet::new();
    for n in 0..args.seconds * args.rate {
        wait::until_due(began + step * n).await;
        probes.spawn(probe(args.address, n, Duration::from_millis(args.deadline)));
    }
    let mut samples = probes.join_all().await;
    samples.sort_by_key(|sample| sample.sent);
    let bad: Vec<&Sample> = samples.iter().filter(|sample| !sample.good).collect();
    let (failed, of) = (bad.len(), samples.len());
    let down = bounds(&samples, &bad);
    let report = serde_json::json!({
        "scenario": args.name,
        "failed": failed,
        "of": of,
        "down_ms": [down.0.as_millis(), down.1.map(|high| high.as_millis())],
    });
    println!("{report}");
    ExitCode::SUCCESS
}

/// As drills bound one run of bad samples: every bad one touches the outage, no good one lies inside it. The upper bound is
/// open when it had not ended.
fn bounds(samples: &[Sample], bad: &[&Sample]) -> (Duration, Option<Duration>) {
    let (Some(first), Some(last)) = (
        bad.iter().map(|sample| sample.ended).min(),
        bad.iter().map(|sample| sample.sent).max(),
    ) else {
        return (Duration::ZERO, Some(Duration::ZERO));
    };
    let good = || samples.iter().filter(|sample| sample.good);
    let before = good()
        .map(|sample| sample.sent)
        .filter(|sent| *sent < first)
        .max();
    let after = good()
        .map(|sample| sample.ended)
        .filter(|ended| *ended > last)
        .min();
    let high = before.zip(after).map(|(before, after)| after - before);
    (last.saturating_duration_since(first), high)
}
