//! What the edge costs: throughput and latency through it, beside nginx in front of the same shortener.
//!
//! Rounds are interleaved, so that what else the machine does falls on all of them; ratios are of medians over rounds.
#![expect(clippy::print_stdout, reason = "a program that says what it measured")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use firedrill::wait::{self, Poll};
use firedrill_bench::load::{Connection, Measured, Question, load};
use firedrill_bench::table::Table;

/// Measures the edge beside nginx.
#[derive(Parser)]
struct Args {
    /// The shortener's binary.
    #[arg(long)]
    shortener: PathBuf,
    /// The edge's binary.
    #[arg(long)]
    edge: PathBuf,
    /// The nginx binary.
    #[arg(long, default_value = "nginx")]
    nginx: PathBuf,
    /// Connections at once.
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Requests per second where latency is measured.
    #[arg(long, default_value_t = 1000)]
    rate: u32,
}

type Failed = Box<dyn Error>;

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // nginx's workers end with their master, when it is asked to; a kill would leave them.
        let pid = self.0.id().to_string();
        let asked = Command::new("kill").arg(&pid).status();
        if asked.is_err() {
            drop(self.0.kill());
        }
        drop(self.0.wait());
    }
}

fn free() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn start(command: &mut Command) -> std::io::Result<Running> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Running)
}

async fn answering(what: &str, address: SocketAddr) -> Result<(), Failed> {
    wait::until(what, Duration::from_secs(10), || async {
        match Connection::open(address).await {
            Ok(_) => Poll::<_, std::io::Error>::Done(()),
            Err(error) => Poll::NotYet(error.to_string()),
        }
    })
    .await
    .map_err(|error| error.to_string().into())
}

fn shortener(args: &Args, release: &str, store: &Path, listen: SocketAddr) -> std::io::Result<Running> {
    start(
        Command::new(&args.shortener)
            .args(["serve", "--release", release, "--listen", &listen.to_string()])
            .arg("--store")
            .arg(store),
    )
}

fn nginx(args: &Args, folder: &Path, listen: SocketAddr, upstream: SocketAddr) -> std::io::Result<Running> {
    let folder = folder.display();
    let text = format!(
        "worker_processes auto;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\ndaemon off;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n access_log off;\n keepalive_requests 1000000;\n client_body_temp_path {folder}/body;\n\
         proxy_temp_path {folder}/proxy;\n fastcgi_temp_path {folder}/f;\n uwsgi_temp_path {folder}/u;\n scgi_temp_path {folder}/s;\n\
         upstream app {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}\n\
         server {{ listen {listen};\n location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}\n}}\n"
    );
    let path = format!("{folder}/nginx.conf");
    std::fs::write(&path, text)?;
    start(Command::new(&args.nginx).args(["-c", &path]))
}

/// The edge as it stands after a deploy: the new release live, the last one warm.
async fn edge(
    args: &Args,
    folder: &Path,
    listen: SocketAddr,
    slots: [SocketAddr; 2],
) -> Result<Running, Failed> {
    let (admin, state) = (free()?, folder.join("state"));
    let text = format!(
        "listen = \"{listen}\"\nadmin = \"{admin}\"\ntoken = \"bench\"\nstate = {state:?}\nidentity = \"x-release\"\n\
         live = {{ slot = \"blue\", release = \"v3\" }}\n\
         slot.blue.url = \"http://{}\"\nslot.green.url = \"http://{}\"\n",
        slots[0], slots[1]
    );
    let running = start(Command::new(&args.edge).env("EDGE_CONFIG", text))?;
    answering("the edge", admin).await?;
    let mut connection = Connection::open(admin).await?;
    let headers = "authorization: Bearer bench\r\ncontent-type: application/json\r\n";
    for (path, body) in [
        ("/releases", r#"{"release": "v3.1", "slot": "green"}"#),
        ("/releases/v3.1/promote", ""),
    ] {
        let (status, said) = connection.ask("POST", path, headers, body).await?;
        if status != 200 {
            return Err(format!("{path}: {status} {}", String::from_utf8_lossy(&said)).into());
        }
    }
    Ok(running)
}

/// The middle of what the rounds came to.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The medians of each way, and what the edge costs beside nginx.
fn compared(args: &Args, names: [&str; 3], seen: &[Vec<(Measured, Measured)>; 3]) -> Table {
    let of = |way: usize, what: &dyn Fn(&(Measured, Measured)) -> f64| {
        median(seen[way].iter().map(what).collect::<Vec<f64>>())
    };
    let mut table = Table::default();
    let (mut rates, mut tails) = ([0.0; 3], [0.0; 3]);
    for (way, name) in names.iter().enumerate() {
        rates[way] = of(way, &|(fast, _)| fast.rate);
        tails[way] = of(way, &|(_, paced)| ms(paced.quantile(0.99)));
        let failed: u64 = seen[way]
            .iter()
            .map(|(fast, paced)| fast.failed + paced.failed)
            .sum();
        let p50 = of(way, &|(_, paced)| ms(paced.quantile(0.5)));
        table.say(
            format!("{name}: answers per second, {} connections", args.connections),
            format!("{:.0}", rates[way]),
        );
        table.say(
            format!("{name}: p50 and p99 at {} per second", args.rate),
            format!("{p50:.2} ms, {:.2} ms", tails[way]),
        );
        table.hold(format!("{name}: failed"), failed.to_string(), "none", failed == 0);
    }
    let ratio = rates[2] / rates[1];
    table.hold(
        "edge / nginx: throughput",
        format!("{ratio:.2}"),
        "at least 0.7",
        ratio >= 0.7,
    );
    let more = tails[2] - tails[1];
    table.hold(
        "edge - nginx: p99",
        format!("{more:.2} ms"),
        "at most 2 ms",
        more <= 2.0,
    );
    table
}

async fn measure(args: &Args) -> Result<bool, Failed> {
    let folder = std::env::temp_dir().join(format!("edge-cost-{}", std::process::id()));
    let store = folder.join("store");
    std::fs::create_dir_all(&store)?;
    std::fs::write(
        store.join("urls.json"),
        r#"{"bench": {"url": "https://example.org/"}}"#,
    )?;
    let [blue, green, by_nginx, by_edge] = [free()?, free()?, free()?, free()?];
    let _running = [
        shortener(args, "v3", &store, blue)?,
        shortener(args, "v3.1", &store, green)?,
        nginx(args, &folder, by_nginx, green)?,
    ];
    for (what, address) in [
        ("the old release", blue),
        ("the new release", green),
        ("nginx", by_nginx),
    ] {
        answering(what, address).await?;
    }
    let _edge = edge(args, &folder, by_edge, [blue, green]).await?;
    let ways = [("direct", green), ("nginx", by_nginx), ("edge", by_edge)];
    let mut seen: [Vec<(Measured, Measured)>; 3] = Default::default();
    for _ in 0..args.rounds {
        for ((_, address), seen) in ways.iter().zip(&mut seen) {
            let question = Question {
                address: *address,
                path: "/bench".into(),
                status: 302,
            };
            let lasting = Duration::from_secs(args.seconds);
            let fast = load(&question, args.connections, lasting, None).await;
            let paced = load(&question, args.connections, lasting, Some(args.rate)).await;
            seen.push((fast, paced));
        }
    }
    drop(std::fs::remove_dir_all(&folder));
    let table = compared(args, ways.map(|(name, _)| name), &seen);
    println!("medians of {} interleaved rounds\n{table}", args.rounds);
    Ok(table.all_reached())
}

#[tokio::main]
async fn main() -> ExitCode {
    match measure(&Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}
