//! The command line: parse, call the library, exit.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use clap::{Parser, Subcommand};
use hyper::Request;
use hyper::body::Incoming;
use listener::Limits;
use shortener::release::{Flaw, RELEASES, Release, StoreKind};
use shortener::routes::{Settings, service};
use shortener::{check, release};
use tower::ServiceExt;
use tracing_subscriber::fmt::writer::MakeWriterExt;

/// The URL shortener of the incident, in all its releases.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a release.
    Serve(Serve),
    /// Run a release's own checks, as the unit gate does.
    Check {
        /// Release to check.
        #[arg(long, env = "SHORTENER_RELEASE", value_parser = release_named)]
        release: Release,
        /// Use an empty store, to show what that misses.
        #[arg(long)]
        empty_store: bool,
        /// Run only the one test of the incident's pipeline.
        #[arg(long)]
        greeting_only: bool,
    },
    /// List the releases and what each one shows.
    Releases {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
struct Serve {
    /// Release to serve.
    #[arg(long, env = "SHORTENER_RELEASE", default_value = "v1", value_parser = release_named)]
    release: Release,
    /// Address to listen on.
    #[arg(long, env = "SHORTENER_LISTEN", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Folder of the store.
    #[arg(long, env = "SHORTENER_STORE", default_value = "store")]
    store: PathBuf,
    /// Secret key of signed links. Required, except by releases without signed links.
    #[arg(long, env = "SHORTENER_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Start without a secret, with a key that is public. For drills and development only.
    #[arg(long, env = "SHORTENER_REHEARSAL", conflicts_with = "secret")]
    rehearsal: bool,
    /// When a release that goes bad later does so, in milliseconds after its start.
    #[arg(long, env = "SHORTENER_BAD_AFTER_MS", default_value_t = 10_000)]
    bad_after_ms: u64,
    /// How long a damaged store stays damaged before it is written anew, in milliseconds.
    #[arg(long, env = "SHORTENER_HEAL_AFTER_MS", default_value_t = 1000)]
    heal_after_ms: u64,
    /// Folder for a copy of the log, as `RELEASE.log`.
    #[arg(long, env = "SHORTENER_LOG")]
    log: Option<PathBuf>,
}

/// There is no release of this name.
#[derive(Debug, thiserror::Error)]
#[error("known releases: {}", release_names().join(", "))]
struct UnknownRelease;

fn release_names() -> Vec<&'static str> {
    RELEASES.iter().map(|release| release.name).collect()
}

fn release_named(name: &str) -> Result<Release, UnknownRelease> {
    Release::named(name).ok_or(UnknownRelease)
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Cli::parse().command;
    if let Err(error) = start_log(&command) {
        tracing::warn!("cannot write the log to a file: {error}");
    }
    match command {
        Command::Serve(serve) => match run(serve).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("{error}");
                ExitCode::FAILURE
            }
        },
        Command::Check {
            release,
            empty_store,
            greeting_only,
        } => checks(release, empty_store, greeting_only).await,
        Command::Releases { json } => {
            list(json);
            ExitCode::SUCCESS
        }
    }
}

/// Logs to standard error and, for a server, to a file if one is configured.
fn start_log(command: &Command) -> std::io::Result<()> {
    let folder = match command {
        Command::Serve(serve) => serve.log.as_ref().map(|folder| (folder, serve.release.name)),
        _ => None,
    };
    let file = folder.map(|(folder, release)| {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{release}.log"));
        std::fs::OpenOptions::new().create(true).append(true).open(path)
    });
    let log = tracing_subscriber::fmt().with_ansi(false).with_target(false);
    match file.transpose() {
        Ok(Some(file)) => log.with_writer(std::io::stderr.and(Mutex::new(file))).init(),
        Ok(None) => log.with_writer(std::io::stderr).init(),
        Err(error) => {
            log.with_writer(std::io::stderr).init();
            return Err(error);
        }
    }
    Ok(())
}

async fn run(serve: Serve) -> Result<(), Box<dyn std::error::Error>> {
    let release = serve.release;
    if release.flaw == Some(Flaw::CrashOnStart) {
        return Err(format!("{}: cannot load the native codec: symbol not found", release.name).into());
    }
    let secret = secret(&serve)?;
    let (router, store) = service(Settings {
        release,
        store: serve.store,
        secret,
        bad_after: Duration::from_millis(serve.bad_after_ms),
        heal_after: Duration::from_millis(serve.heal_after_ms),
    })?;
    let socket = tokio::net::TcpListener::bind(serve.listen).await?;
    tracing::info!("{} listens on {}", release.name, socket.local_addr()?);
    let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
        router.clone().oneshot(request.map(Body::new))
    });
    // v1 and its like serve clients without limits, as in the incident.
    let limits = match release.store {
        StoreKind::Naive => Limits::NONE,
        StoreKind::Durable => Limits::for_descriptors(1),
    };
    if !listener::serve(socket, limits, answer, termination(), SHUTDOWN_TIMEOUT).await {
        tracing::warn!(
            "requests were still in flight after {} s; their connections are closed",
            SHUTDOWN_TIMEOUT.as_secs()
        );
    }
    // After the last request, so that the file of links has all of them.
    Ok(tokio::task::spawn_blocking(move || store.close()).await?)
}

/// How long a shutdown waits for requests in flight.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Why links cannot be signed.
#[derive(Debug, thiserror::Error)]
enum NoSecret {
    /// The key is public.
    #[error("SHORTENER_SECRET is empty: anybody could sign links")]
    Empty,
    /// There is no key.
    #[error("SHORTENER_SECRET is not set: signed links need a secret key. For a drill, use --rehearsal")]
    NotSet,
}

/// The key of signed links. Anybody who knows it can make links that this service redirects to.
fn secret(serve: &Serve) -> Result<String, NoSecret> {
    match &serve.secret {
        Some(secret) if secret.trim().is_empty() => Err(NoSecret::Empty),
        Some(secret) => Ok(secret.clone()),
        // These releases have no signed links.
        None if serve.release.store == StoreKind::Naive => Ok(String::new()),
        None if serve.rehearsal => {
            tracing::warn!("rehearsal: signed links use a public key");
            Ok("rehearsal".into())
        }
        None => Err(NoSecret::NotSet),
    }
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

#[expect(clippy::print_stdout, reason = "the output of a command")]
async fn checks(release: Release, empty: bool, greeting: bool) -> ExitCode {
    let findings = if greeting {
        Ok(check::greeting())
    } else {
        check::check(release, empty).await
    };
    match findings {
        Err(error) => {
            tracing::error!("cannot run the checks: {error}");
            ExitCode::FAILURE
        }
        Ok(findings) => {
            for finding in &findings {
                match &finding.wrong {
                    None => println!("ok    {}", finding.what),
                    Some(wrong) => println!("FAIL  {}: {wrong}", finding.what),
                }
            }
            if findings.iter().all(|finding| finding.wrong.is_none()) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "the output of a command")]
fn list(json: bool) {
    if json {
        let entry = |release: &release::Release| serde_json::json!({ "name": release.name, "purpose": release.purpose });
        println!("{:#}", RELEASES.iter().map(entry).collect::<serde_json::Value>());
    } else {
        for release in RELEASES {
            println!("{:24}{}", release.name, release.purpose);
        }
    }
}
