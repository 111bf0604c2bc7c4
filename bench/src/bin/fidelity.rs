//! Whether the true outage lies within the bounds: a reference server goes dark at known instants, the library's prober
//! watches it at a rate, and what is measured is held against the truth.
#![expect(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use firedrill::measure::{Measured, Outage, measure};
use firedrill::sample::{Clock, Micros};
use firedrill::scenario::Http;
use firedrill_bench::reference::{self, Dark, State};
use firedrill_bench::table::Table;
use firedrill_bench::{plan, probing, secure};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

/// Holds what is measured against known outages.
#[derive(Parser)]
struct Args {
    /// How many outages of each kind.
    #[arg(long, default_value_t = 100)]
    outages: usize,
    /// What the lengths of the outages derive from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Probes per second of each kind.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Five short outages in quick succession, again and again, instead of single ones.
    #[arg(long)]
    flapping: bool,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Subcommand)]
enum Inner {
    /// The server that is killed: serves on this address until then.
    #[command(hide = true)]
    Serve {
        /// The address.
        address: SocketAddr,
        /// Over TLS.
        #[arg(long)]
        secure: bool,
    },
}

/// One row of the table.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// `None`: a process that is killed and started again.
    how: Option<State>,
    /// Over TLS, in this version of HTTP.
    secure: Option<Http>,
    mode: &'static str,
    deadline: &'static str,
    /// The greatest median of the bounds' width at 200 probes a second, in milliseconds.
    width: u64,
}

/// What the outages are like, and how closely they are watched.
#[derive(Clone, Copy)]
struct Setting {
    rate: u32,
    outages: usize,
    flapping: bool,
}

impl Setting {
    /// The time between two probes. An outage that is no longer may fall between them.
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.rate
    }

    /// Whether an outage is so long that two probes must have met it. One alone may be a blip.
    fn must_be_seen(self, kind: &Kind, dark: &Dark) -> bool {
        // What waits for less than the deadline is answered in time when it goes on.
        let hidden = match kind.how {
            Some(State::Pause) => Duration::from_millis(100),
            _ => Duration::ZERO,
        };
        dark.length().0 > 2 * self.interval() + hidden
    }

    /// As much light between two outages makes them two episodes: a second, and ten good probes.
    fn light(self) -> Duration {
        Duration::from_millis(1250).max(12 * self.interval())
    }

    /// The greatest median of the bounds' width: one interval at each edge, and what the deadline of this kind hides.
    fn width(self, kind: &Kind) -> Duration {
        Duration::from_millis(kind.width - 10) + 2 * self.interval()
    }
}

const fn kind(
    name: &'static str,
    how: Option<State>,
    mode: &'static str,
    deadline: &'static str,
    width: u64,
) -> Kind {
    Kind {
        name,
        how,
        secure: None,
        mode,
        deadline,
        width,
    }
}

/// The same over TLS.
const fn over_tls(http: Http, kind: Kind) -> Kind {
    Kind {
        secure: Some(http),
        ..kind
    }
}

/// Where an answer may come late, the deadline is 100 ms, so that an outage of 0.2 s is one.
const KINDS: [Kind; 8] = [
    kind("refuse, new connections", Some(State::Refuse), "new", "250ms", 12),
    kind(
        "500, reused connections",
        Some(State::Broken),
        "reused",
        "250ms",
        12,
    ),
    kind(
        "stall (never answers), new",
        Some(State::Stall),
        "new",
        "100ms",
        112,
    ),
    // What waited is answered when it goes on: the deadline hides both edges.
    kind(
        "pause (answers later), reused",
        Some(State::Pause),
        "reused",
        "100ms",
        212,
    ),
    kind("kill -9, new connections", None, "new", "250ms", 12),
    kind("kill -9, reused connections", None, "reused", "250ms", 12),
    over_tls(
        Http::One,
        kind("kill -9, HTTPS, new connections", None, "new", "250ms", 12),
    ),
    over_tls(
        Http::Two,
        kind("kill -9, HTTP/2 over TLS, reused", None, "reused", "250ms", 12),
    ),
];

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(Inner::Serve { address, secure }) = args.inner {
        return serve(address, secure);
    }
    let setting = Setting {
        rate: args.rate,
        outages: args.outages,
        flapping: args.flapping,
    };
    let rows = std::thread::scope(|scope| {
        let one = |(at, kind)| {
            let seed = args.seed.wrapping_mul(1000).wrapping_add(at);
            scope.spawn(move || experiment(kind, setting, seed))
        };
        let running: Vec<_> = (0u64..).zip(KINDS).map(one).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("it panicked".into())))
            .collect::<Vec<_>>()
    });
    let mut table = Table::default();
    for (kind, row) in KINDS.iter().zip(rows) {
        match row {
            Ok((darks, measured)) => report(&mut table, kind, setting, (&darks, &measured)),
            Err(why) => table.hold(kind.name, why.to_string(), "runs", false),
        }
    }
    println!("{table}");
    if table.all_reached() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Holds the median distance between the bounds against its limit.
fn hold_widths(table: &mut Table, kind: &Kind, setting: Setting, measured: &Measured) {
    let mut widths: Vec<Duration> = measured
        .outages
        .iter()
        .filter_map(|outage| Some(outage.bounds().high?.saturating_sub(outage.bounds().low)))
        .collect();
    widths.sort_unstable();
    let median = widths.get(widths.len() / 2).copied().unwrap_or_default();
    let most = widths.last().copied().unwrap_or_default();
    let name = format!("{}: median width", kind.name);
    let found = format!(
        "{:.2} ms (max {:.1})",
        median.as_secs_f64() * 1e3,
        most.as_secs_f64() * 1e3
    );
    // Outages that flap are one episode, as wide as all of their edges together.
    if setting.flapping {
        return table.say(name, found);
    }
    let limit = setting.width(kind);
    table.hold(
        name,
        found,
        format!("≤ {} ms", limit.as_millis()),
        median <= limit,
    );
}

/// Says how well the prober followed its schedule.
fn say_prober(table: &mut Table, kind: &Kind, measured: &Measured) {
    let prober = &measured.prober;
    table.say(
        format!("{}: prober", kind.name),
        format!(
            "{} probes, {:.3} % void, {} standstills, late p99.9 {:.1} ms",
            prober.probes,
            prober.void_share() * 100.0,
            prober.gaps.len(),
            prober.late_p999.as_secs_f64() * 1e3
        ),
    );
}

/// Whether an episode has this outage in it.
fn holds(outage: &Outage, dark: &Dark) -> bool {
    dark.from.0 < outage.hull.until && outage.hull.from < dark.until.1
}

/// Lists what was dark and was not seen at all; gives how many of them are so long that they had to be.
fn say_missed(
    table: &mut Table,
    kind: &Kind,
    setting: Setting,
    (darks, measured): (&[Dark], &Measured),
) -> (usize, usize) {
    let seen = |dark: &&Dark| measured.outages.iter().any(|outage| holds(outage, dark));
    let missed: Vec<&Dark> = darks.iter().filter(|dark| !seen(dark)).collect();
    let (long, short): (Vec<&Dark>, Vec<&Dark>) = missed
        .into_iter()
        .partition(|dark| setting.must_be_seen(kind, dark));
    for dark in &long {
        table.say(format!("{}: not seen", kind.name), format!("{dark:?}"));
    }
    (long.len(), short.len())
}

/// Holds each outage that was measured against its truth.
fn report(table: &mut Table, kind: &Kind, setting: Setting, (darks, measured): (&[Dark], &Measured)) {
    // Outages close together are one episode: its truth is from the first one's start to the last one's end, and its
    // downtime that of each, without the light between them.
    let darks_in = |outage: &Outage| {
        let inside: Vec<&Dark> = darks.iter().filter(|dark| holds(outage, dark)).collect();
        if inside.is_empty() {
            return None;
        }
        // Of those that may fall between two probes nobody knows whether they are counted.
        let certain = inside.iter().filter(|dark| setting.must_be_seen(kind, dark));
        let shortest: Duration = certain.map(|dark| dark.length().0).sum();
        let longest: Duration = inside.iter().map(|dark| dark.length().1).sum();
        let bounds = outage.bounds();
        // Those at its edges that are so short may not have been met either.
        let must = |dark: &&&Dark| setting.must_be_seen(kind, dark);
        let first = inside
            .iter()
            .position(|dark| must(&dark))
            .unwrap_or(inside.len() - 1);
        let last = inside.iter().rposition(|dark| must(&dark)).unwrap_or(0);
        let began = inside[..=first]
            .iter()
            .any(|Dark { from, .. }| outage.onset.from <= from.1 && from.0 <= outage.onset.until);
        let ended = inside[last..]
            .iter()
            .any(|Dark { until, .. }| outage.end.from <= until.1 && until.0 <= outage.end.until);
        let covered =
            began && ended && bounds.low <= longest && bounds.high.is_some_and(|high| shortest <= high);
        covered.then_some(inside.len())
    };
    let covered: Vec<usize> = measured.outages.iter().filter_map(darks_in).collect();
    let (inside, found) = (covered.iter().sum::<usize>(), measured.outages.len());
    let (wrong, blips) = (found - covered.len(), measured.blips.len());
    let (missed, between) = say_missed(table, kind, setting, (darks, measured));
    table.hold(
        format!("{}: truth inside", kind.name),
        format!(
            "{inside} of {} ({found} episodes, {wrong} of them not so, {blips} blips, {between} too short for two probes and not seen)",
            darks.len()
        ),
        "all that a probe must meet, and none not so",
        missed == 0 && wrong == 0,
    );
    for (at, outage) in measured.outages.iter().enumerate() {
        if darks_in(outage).is_none() {
            let near = darks.iter().filter(|dark| {
                let far = Duration::from_secs(1);
                dark.from.0 - far < outage.hull.until && outage.hull.from - far < dark.until.1
            });
            table.say(
                format!("{}: episode {at} does not hold the truth", kind.name),
                format!(
                    "began {:?}, ended {:?}; truth {:?}",
                    outage.onset,
                    outage.end,
                    near.collect::<Vec<_>>()
                ),
            );
        }
    }
    hold_widths(table, kind, setting, measured);
    say_prober(table, kind, measured);
}

/// Outages that flap come in groups of so many.
const GROUP: usize = 5;

/// Single outages: 0.2 to 5 s of darkness, short ones as often as long ones, with over a second of light between them.
/// Flapping ones: groups of 0.1 to 0.6 s of darkness and of light, with over a second of light between the groups.
fn lengths(setting: Setting, seed: u64) -> Vec<(Duration, Duration)> {
    let mut random = StdRng::seed_from_u64(seed);
    let one = |at| {
        let within_group = setting.flapping && at % GROUP > 0;
        let up = random.random_range(if within_group { 0.1..0.6 } else { 1.0..1.2 });
        let up = if within_group {
            up
        } else {
            up * setting.light().as_secs_f64()
        };
        let dark = if setting.flapping {
            random.random_range(0.1..0.6)
        } else {
            0.2 * 25f64.powf(random.random::<f64>())
        };
        (Duration::from_secs_f64(up), Duration::from_secs_f64(dark))
    };
    (0..setting.outages).map(one).collect()
}

fn experiment(kind: Kind, setting: Setting, seed: u64) -> Result<(Vec<Dark>, Measured), probing::Failure> {
    let clock = Clock::start();
    let address = reference::free_address()?;
    let journey = plan::get("page", setting.rate, &[kind.mode], kind.deadline);
    let plan = plan::of_journeys(&serde_json::json!([journey]))?;
    let stop = CancellationToken::new();
    let lengths = lengths(setting, seed);
    std::thread::scope(|scope| {
        let (ready, is_ready) = std::sync::mpsc::channel();
        let stop_probing = stop.clone();
        let service = scope.spawn(move || {
            let ready = || ready.send(()).unwrap_or_default();
            let darks = match kind.how {
                Some(how) => reference::go_dark(address, how, &lengths, clock, ready),
                None => kill_in_turn((address, kind.secure.is_some()), &lengths, clock, ready),
            };
            stop_probing.cancel();
            darks
        });
        if is_ready.recv().is_err() {
            // It ended without having been ready, and says why.
            service.join().map_err(|_| "the server panicked")??;
            return Err("the server was never ready".into());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entry = match kind.secure {
            None => address.into(),
            Some(http) => secure::endpoint(&plan, address, http)?,
        };
        let history = runtime.block_on(probing::remembered(plan, entry, clock, stop))?;
        let darks = service.join().map_err(|_| "the server panicked")??;
        Ok((darks, measure(&history)))
    })
}

/// The child's stamps, on the clock that all processes share.
fn shared_now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

fn serve(address: SocketAddr, secure: bool) -> ExitCode {
    let before = shared_now();
    let ready = || println!("{} {}", before.as_micros(), shared_now().as_micros());
    let served = if secure {
        secure::serve(address, ready).is_ok()
    } else {
        reference::serve(address, ready).is_ok()
    };
    if served {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn start(address: SocketAddr, secure: bool) -> std::io::Result<(Child, Duration, Duration)> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["serve", &address.to_string()])
        .args(secure.then_some("--secure"))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    let mut stamps = line
        .split_whitespace()
        .filter_map(|text| text.parse().ok().map(Duration::from_micros));
    match (stamps.next(), stamps.next()) {
        (Some(before), Some(after)) => Ok((child, before, after)),
        _ => Err(std::io::Error::other("the server did not start")),
    }
}

/// A process that is killed and started again, in turn.
fn kill_in_turn(
    (address, secure): (SocketAddr, bool),
    lengths: &[(Duration, Duration)],
    clock: Clock,
    ready: impl FnOnce(),
) -> std::io::Result<Vec<Dark>> {
    // The origin of our clock on the shared one.
    let origin = shared_now().saturating_sub(clock.now().since_origin());
    let ours = |shared: Duration| Micros::from_duration(shared.saturating_sub(origin));
    let (mut child, _, _) = start(address, secure)?;
    ready();
    let mut darks = Vec::new();
    for (up, dark) in lengths {
        until_due(Instant::now() + *up);
        let from = clock.now();
        child.kill()?;
        child.wait()?;
        let from = (from, clock.now());
        until_due(Instant::now() + *dark);
        let (again, before, after) = start(address, secure)?;
        child = again;
        darks.push(Dark {
            from,
            until: (ours(before), ours(after)),
        });
    }
    until_due(Instant::now() + Duration::from_secs(2));
    child.kill()?;
    child.wait()?;
    Ok(darks)
}

/// Waits on a thread of its own, where time itself is the subject.
#[expect(clippy::disallowed_methods, reason = "the schedule of outages is the subject")]
fn until_due(at: Instant) {
    std::thread::sleep(at.saturating_duration_since(Instant::now()));
}
