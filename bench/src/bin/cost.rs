//! What probing costs, beside `oha` at the same rate against the same server in the same run; and whether the prober
//! keeps its schedule and its memory.
#![expect(clippy::print_stdout, reason = "a benchmark says what it found")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use firedrill::scenario::Http;
use firedrill_bench::table::Table;
use firedrill_bench::{plan, probing, reference, secure};

/// Compares the cost of a probe with that of a request of `oha`.
#[derive(Parser)]
struct Args {
    /// The program `oha`; without it only our own numbers are printed.
    #[arg(long, default_value = "oha")]
    oha: PathBuf,
    /// How many probes a measurement has.
    #[arg(long, default_value_t = 10_000)]
    probes: u32,
    /// How many times each measurement is repeated; the median counts.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Probe at 1000/s for so many minutes instead, and say how much memory that took.
    #[arg(long)]
    minutes: Option<u64>,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Subcommand)]
enum Inner {
    /// The server that is probed.
    #[command(hide = true)]
    Serve {
        /// Over TLS.
        #[arg(long)]
        secure: bool,
    },
    /// The prober, as a process of its own.
    #[command(hide = true)]
    Probe {
        /// The server.
        address: SocketAddr,
        /// Probes per second.
        rate: u32,
        /// How long, in milliseconds.
        millis: u64,
        /// How to connect.
        mode: String,
        /// What to speak.
        speech: Speech,
        /// Where to write the samples.
        folder: PathBuf,
    },
}

/// What is spoken with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Speech {
    /// HTTP/1.1 without TLS.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 over TLS.
    Http2,
}

type Failure = probing::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.inner {
        Some(Inner::Serve { secure }) => serve(*secure),
        Some(Inner::Probe {
            address,
            rate,
            millis,
            mode,
            speech,
            folder,
        }) => probe(
            (*address, *speech),
            *rate,
            Duration::from_millis(*millis),
            mode,
            folder,
        ),
        None => compare(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(secure: bool) -> Result<bool, Failure> {
    let address = reference::free_address()?;
    let ready = || println!("{address}");
    if secure {
        secure::serve(address, ready)?;
    } else {
        reference::serve(address, ready)?;
    }
    Ok(true)
}

/// Probes, and says how late: the 99.9th percentile in microseconds; and the most memory it had, in KiB.
fn probe(
    (address, speech): (SocketAddr, Speech),
    rate: u32,
    length: Duration,
    mode: &str,
    folder: &Path,
) -> Result<bool, Failure> {
    let plan = plan::of_journeys(&serde_json::json!([plan::get("page", rate, &[mode], "250ms")]))?;
    let entry = match speech {
        Speech::Http => address.into(),
        Speech::Https => secure::endpoint(&plan, address, Http::One)?,
        Speech::Http2 => secure::endpoint(&plan, address, Http::Two)?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut late = runtime.block_on(probing::written(plan, entry, folder, length))?;
    late.sort_unstable();
    let p999 = late.get(late.len() * 999 / 1000).copied().unwrap_or(0);
    println!("{} {p999} {}", late.len(), most_memory()?);
    Ok(true)
}

fn most_memory() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let text = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no VmHWM")?;
    Ok(text.parse()?)
}

/// A server that goes away with the benchmark.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn server(secure: bool) -> Result<Server, Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .args(secure.then_some("--secure"))
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    Ok(Server {
        child,
        address: line.trim().parse()?,
    })
}

/// Runs a command under the shell's `time`: what it printed, and the CPU seconds it took.
fn timed(command: &[String]) -> Result<(String, f64), Failure> {
    let out = Command::new("bash")
        .args(["-c", "TIMEFORMAT='%3U %3S'; time \"$@\"", "bash"])
        .args(command)
        .output()?;
    let output = String::from_utf8_lossy(&out.stderr).into_owned();
    if !out.status.success() {
        return Err(format!("{}: {output}", command[0]).into());
    }
    let times = output.lines().last().unwrap_or_default();
    let seconds: f64 = times
        .split_whitespace()
        .filter_map(|text| text.parse::<f64>().ok())
        .sum();
    Ok((String::from_utf8_lossy(&out.stdout).into_owned(), seconds))
}

struct Bench<'a> {
    args: &'a Args,
    server: Server,
    speech: Speech,
    scratch: PathBuf,
    runs: usize,
}

impl Bench<'_> {
    fn ours(&mut self, rate: u32, probes: u32, mode: &str) -> Result<(String, f64), Failure> {
        self.runs += 1;
        let folder = self.scratch.join(self.runs.to_string());
        std::fs::create_dir_all(&folder)?;
        let millis = u64::from(probes) * 1000 / u64::from(rate);
        let command = [
            std::env::current_exe()?.to_string_lossy().into_owned(),
            "probe".into(),
            self.server.address.to_string(),
            rate.to_string(),
            millis.to_string(),
            mode.into(),
            format!("{:?}", self.speech).to_lowercase(),
            folder.to_string_lossy().into_owned(),
        ];
        let ran = timed(&command)?;
        std::fs::remove_dir_all(folder)?;
        Ok(ran)
    }

    fn oha(&self, rate: u32, probes: u32, mode: &str) -> Result<f64, Failure> {
        let mut command: Vec<String> = vec![self.args.oha.to_string_lossy().into_owned()];
        let scheme = if self.speech == Speech::Http {
            "http"
        } else {
            "https"
        };
        let url = format!("{scheme}://{}/", self.server.address);
        let (n, q) = (probes.to_string(), rate.to_string());
        let words = [
            "-n",
            &n,
            "-q",
            &q,
            "--latency-correction",
            "--no-tui",
            "--redirect",
            "0",
        ];
        command.extend(words.map(str::to_owned));
        command.extend((mode == "new").then(|| "--disable-keepalive".to_owned()));
        command.extend((self.speech != Speech::Http).then(|| "--insecure".to_owned()));
        command.extend((self.speech == Speech::Http2).then(|| "--http2".to_owned()));
        command.push(url);
        Ok(timed(&command)?.1)
    }

    /// CPU milliseconds for 1000 probes beyond what starting the program costs: the median of the repeats, ours and
    /// oha's in turn.
    fn row(&mut self, table: &mut Table, rate: u32, mode: &str) -> Result<(), Failure> {
        let (mut ours, mut other, mut late) = (Vec::new(), Vec::new(), Vec::new());
        let probes = self.args.probes;
        let each = 1e6 / f64::from(probes);
        for _ in 0..self.args.repeats {
            let (output, seconds) = self.ours(rate, probes, mode)?;
            ours.push((seconds - self.ours(rate, rate / 100, mode)?.1) * each);
            let p999 = output
                .split_whitespace()
                .nth(1)
                .ok_or("the prober printed nothing")?;
            late.push(p999.parse::<f64>()? / 1e3);
            if let Ok(seconds) = self.oha(rate, probes, mode) {
                other.push((seconds - self.oha(rate, rate / 100, mode)?) * each);
            }
        }
        let (ours, late) = (median(&mut ours), median(&mut late));
        let what = format!("{:?}, {rate}/s, {mode} connections", self.speech);
        table.say(format!("{what}: CPU ms for 1000 probes"), format!("{ours:.1}"));
        if other.is_empty() {
            table.hold(format!("{what}: beside oha"), "oha is not there", "≤ 1.00", false);
        } else {
            let other = median(&mut other);
            table.say(format!("{what}: oha's"), format!("{other:.1}"));
            let ratio = ours / other;
            table.hold(
                format!("{what}: ratio"),
                format!("{ratio:.2}"),
                "≤ 1.00",
                ratio <= 1.0,
            );
        }
        let what = format!("{what}: lateness p99.9");
        if rate == 1000 {
            table.hold(what, format!("{late:.2} ms"), "≤ 5 ms", late <= 5.0);
        } else {
            table.say(what, format!("{late:.2} ms"));
        }
        Ok(())
    }

    fn memory(&mut self, table: &mut Table, minutes: u64) -> Result<(), Failure> {
        let probes = u32::try_from(minutes * 60_000)?;
        let (output, _) = self.ours(1000, probes, "reused")?;
        let kib: f64 = output
            .split_whitespace()
            .nth(2)
            .ok_or("the prober printed nothing")?
            .parse()?;
        // The benchmark itself keeps each probe's lateness, 8 bytes, in a vector that doubles.
        let what = format!("most memory in {minutes} min at 1000/s (with the benchmark's own list)");
        table.hold(
            what,
            format!("{:.1} MB", kib * 1024.0 / 1e6),
            "≤ 100 MB",
            kib * 1024.0 <= 100e6,
        );
        Ok(())
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn compare(args: &Args) -> Result<bool, Failure> {
    let scratch = std::env::temp_dir().join(format!("firedrill-cost-{}", std::process::id()));
    let mut bench = Bench {
        args,
        server: server(false)?,
        speech: Speech::Http,
        scratch: scratch.clone(),
        runs: 0,
    };
    let mut table = Table::default();
    match args.minutes {
        Some(minutes) => bench.memory(&mut table, minutes)?,
        None => {
            for (rate, mode) in [(200, "reused"), (200, "new"), (1000, "reused"), (1000, "new")] {
                bench.row(&mut table, rate, mode)?;
            }
            bench.server = server(true)?;
            for (speech, mode) in [
                (Speech::Https, "reused"),
                (Speech::Https, "new"),
                (Speech::Http2, "reused"),
            ] {
                bench.speech = speech;
                bench.row(&mut table, 200, mode)?;
            }
        }
    }
    std::fs::remove_dir_all(scratch)?;
    println!("{table}");
    Ok(table.all_reached())
}
