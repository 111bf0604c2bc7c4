//! The command line: parse, call the library, exit.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use clap::{Parser, ValueEnum};
use edge::admin::{Admin, router};
use edge::alert::Alerts;
use edge::config::Config;
use edge::control::Control;
use edge::pipeline::Pipeline;
use edge::proxy::Proxy;
use edge::upstream::Slot;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use listener::Limits;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A reverse proxy that protects users from a bad release.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Configuration file (TOML).
    #[arg(long, env = "EDGE_CONFIG_FILE", conflicts_with = "config")]
    config_file: Option<PathBuf>,
    /// Configuration as TOML text.
    #[arg(long, env = "EDGE_CONFIG", hide_env_values = true)]
    config: Option<String>,
    /// Run the unit gate.
    #[arg(long, env = "EDGE_UNIT_GATE")]
    unit_gate: Option<Switch>,
    /// Run the staging gate.
    #[arg(long, env = "EDGE_STAGING_GATE")]
    staging_gate: Option<Switch>,
    /// Roll back a bad release.
    #[arg(long, env = "EDGE_ROLLBACK")]
    rollback: Option<Switch>,
    /// Failed requests that cause a rollback.
    #[arg(long, env = "EDGE_PAIRS")]
    pairs: Option<usize>,
    /// How long a new release is watched, in milliseconds.
    #[arg(long, env = "EDGE_SETTLE_MS")]
    settle_ms: Option<u64>,
    /// When a slow request is also sent to the last working release, in milliseconds.
    #[arg(long, env = "EDGE_DEADLINE_MS")]
    deadline_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_target(false)
        .with_writer(std::io::stderr)
        .init();
    match run(&Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The configuration, with the command-line switches applied.
fn configured(cli: &Cli) -> Result<Config, Box<dyn std::error::Error>> {
    let text = match (&cli.config_file, &cli.config) {
        (Some(path), _) => std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?,
        (None, Some(text)) => text.clone(),
        (None, None) => return Err("no configuration: use --config-file or EDGE_CONFIG".into()),
    };
    let mut config = Config::parse(&text)?;
    if let (Some(gate), Some(switch)) = (&mut config.unit, cli.unit_gate) {
        gate.on = switch == Switch::On;
    }
    if let (Some(gate), Some(switch)) = (&mut config.staging, cli.staging_gate) {
        gate.on = switch == Switch::On;
    }
    if let Some(switch) = cli.rollback {
        config.watch.rollback = switch == Switch::On;
    }
    if let Some(pairs) = cli.pairs {
        config.watch.pairs = pairs;
    }
    if let Some(ms) = cli.settle_ms {
        config.watch.settle = Duration::from_millis(ms);
    }
    if let Some(ms) = cli.deadline_ms {
        config.proxy.deadline = Duration::from_millis(ms);
    }
    Ok(config)
}

/// How long a shutdown waits for requests in flight.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

async fn run(cli: &Cli) -> Result<(), Box<dyn std::error::Error>> {
    let config = configured(cli)?;
    let longest = config.proxy.longest_answer;
    let slots: BTreeMap<String, Slot> = config
        .slots
        .iter()
        .map(|(name, slot)| (name.clone(), Slot::new(&slot.url, longest)))
        .collect();
    let (users, pipeline) = (
        TcpListener::bind(config.listen).await?,
        TcpListener::bind(config.admin).await?,
    );
    let alerts = Arc::new(Alerts::start(config.alert.clone(), &config.state)?);
    let control = Control::open(&config, slots, vec![alerts])?;
    let proxy = Arc::new(Proxy::new(Arc::clone(&control), config.proxy));
    let admin = Admin {
        pipeline: Pipeline::new(Arc::clone(&control), config.unit, config.staging, &config.state),
        proxy: Arc::clone(&proxy),
        control,
    };
    tracing::info!(
        "listening for users on {}, for the pipeline on {}",
        users.local_addr()?,
        pipeline.local_addr()?
    );
    let end = CancellationToken::new();
    let cancel = end.clone();
    tokio::spawn(async move {
        termination().await;
        cancel.cancel();
    });
    // A user needs a descriptor here, and one in each slot.
    let limits = Limits::for_descriptors(3);
    let forward = service_fn(move |request: Request<Incoming>| {
        let proxy = Arc::clone(&proxy);
        async move { Ok::<_, Infallible>(proxy.answer(request).await) }
    });
    let router = router(admin, config.token);
    let administer =
        service_fn(move |request: Request<Incoming>| router.clone().oneshot(request.map(Body::new)));
    let of_admin = Limits {
        connections: 64,
        ..limits
    };
    let (finished, _) = tokio::join!(
        listener::serve(users, limits, forward, end.cancelled(), SHUTDOWN_TIMEOUT),
        listener::serve(pipeline, of_admin, administer, end.cancelled(), Duration::ZERO),
    );
    if !finished {
        tracing::warn!(
            "requests were still in flight after {} s; their connections are closed",
            SHUTDOWN_TIMEOUT.as_secs()
        );
    }
    Ok(())
}

/// Waits for SIGTERM or Ctrl-C. The first process of a container ignores both unless it handles them.
async fn termination() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
}
