//! The shortener's command line: parse, call, exit.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use axum::serve::ListenerExt;
use clap::{Parser, Subcommand};
use shortener::release::{Flaw, RELEASES, Release};
use shortener::routes::{Settings, router};
use shortener::{check, release};
use tracing_subscriber::fmt::writer::MakeWriterExt;

/// The URL shortener of the incident, every release of it.
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
    /// Run a release's own checks, as a unit gate does.
    Check {
        /// The release.
        #[arg(long, env = "SHORTENER_RELEASE", value_parser = release_named)]
        release: Release,
        /// On an empty store: shows what that misses.
        #[arg(long)]
        empty_store: bool,
        /// Only the one test that the incident's pipeline had.
        #[arg(long)]
        greeting_only: bool,
    },
    /// List the releases and what each is for.
    Releases {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
struct Serve {
    /// The release.
    #[arg(long, env = "SHORTENER_RELEASE", default_value = "v1", value_parser = release_named)]
    release: Release,
    /// The address to listen on.
    #[arg(long, env = "SHORTENER_LISTEN", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// The folder of the store.
    #[arg(long, env = "SHORTENER_STORE", default_value = "store")]
    store: PathBuf,
    /// The secret of signed links.
    #[arg(long, env = "SHORTENER_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// When a release that goes bad later does, in milliseconds after its start.
    #[arg(long, env = "SHORTENER_BAD_AFTER_MS", default_value_t = 10_000)]
    bad_after_ms: u64,
    /// How long a damaged store is left alone before it is written anew, in milliseconds.
    #[arg(long, env = "SHORTENER_HEAL_AFTER_MS", default_value_t = 1000)]
    heal_after_ms: u64,
    /// A folder in which the log is kept too, as `RELEASE.log`, for whoever must read it from elsewhere.
    #[arg(long, env = "SHORTENER_LOG")]
    log: Option<PathBuf>,
}

fn release_named(name: &str) -> Result<Release, String> {
    let names = || {
        RELEASES
            .iter()
            .map(|release| release.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    Release::named(name).ok_or_else(|| format!("there are {}", names()))
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Cli::parse().command;
    if let Err(error) = start_log(&command) {
        tracing::warn!("the log is not kept in a file: {error}");
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

/// The log goes to the standard error, and for a server to a file where one is wanted.
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
    if serve.secret.is_none() {
        tracing::warn!("no SHORTENER_SECRET: signed links use the development key");
    }
    let router = router(Settings {
        release,
        store: serve.store,
        secret: serve.secret.unwrap_or_else(|| "development key".into()),
        bad_after: Duration::from_millis(serve.bad_after_ms),
        heal_after: Duration::from_millis(serve.heal_after_ms),
    })?;
    let listener = tokio::net::TcpListener::bind(serve.listen).await?;
    tracing::info!("{} listens on {}", release.name, listener.local_addr()?);
    // Small answers must not wait for the acknowledgement of earlier ones.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let (ending, ended) = tokio::sync::oneshot::channel();
    let stop = async move {
        asked_to_end().await;
        let _ = ending.send(());
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop);
    let limit = async {
        let _ = ended.await;
        wait_for_requests_in_flight().await;
    };
    tokio::select! {
        served = serving => served?,
        () = limit => tracing::warn!("requests were still in flight after 2 s"),
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the longest time a shutdown may take")]
async fn wait_for_requests_in_flight() {
    tokio::time::sleep(Duration::from_secs(2)).await;
}

/// SIGTERM or Ctrl-C, also as the first process of a container, which has no default for either.
async fn asked_to_end() {
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
    tracing::info!("asked to end");
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
async fn checks(release: Release, empty: bool, greeting: bool) -> ExitCode {
    let findings = if greeting {
        Ok(check::greeting())
    } else {
        check::check(release, empty).await
    };
    match findings {
        Err(error) => {
            tracing::error!("the checks cannot run: {error}");
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

#[expect(clippy::print_stdout, reason = "the answer of a command")]
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
