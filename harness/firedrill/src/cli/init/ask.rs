//! Starts the service once, and asks the routes that many services have.

use std::time::Duration;

use super::Args;
use firedrill_model::scenario::Ready;
use firedrill_runner::Plan;
use firedrill_runner::backend::{self, Backend, Kind, Spec};
use firedrill_runner::drill::{RunFolder, new_run_id};
use firedrill_wait::Cause;

/// Routes that many services have, those that users see first.
const ROUTES: [&str; 8] = [
    "/",
    "/health",
    "/healthz",
    "/readyz",
    "/status",
    "/ping",
    "/api/health",
    "/index.html",
];

/// A route is given up after this.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the start has shown.
#[derive(Debug)]
pub(super) struct Learned {
    /// How long it took until the port accepted a connection.
    pub(super) ready_after: Duration,
    /// The routes that answered, in the order in which they were asked.
    pub(super) routes: Vec<Route>,
}

/// A route, and the status of its answer.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) path: String,
    pub(super) status: u16,
}

impl Learned {
    /// The first route that answers as users want.
    pub(super) fn best(&self) -> Option<&Route> {
        self.routes.iter().find(|route| route.status < 400)
    }
}

/// Why nothing was learned.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is no folder for the start.
    #[error("cannot create a run folder: {0}")]
    Folder(#[from] std::io::Error),
    /// The backend's.
    #[error(transparent)]
    Backend(#[from] backend::Error),
    /// The HTTP client's.
    #[error("cannot ask: {0}")]
    Client(#[source] Cause),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The service's parts could not be removed.
    #[error("the service could not be removed: {0}; remove it with: firedrill clean")]
    Left(#[source] backend::Error),
}

/// Starts the only service of a plan, asks, and removes it again, also after Ctrl-C.
///
/// # Errors
/// When it does not start, or cannot be removed.
pub(super) async fn ask(plan: &Plan, kind: Kind, args: &Args) -> Result<Learned, Error> {
    let folder = RunFolder::create(&args.runs, new_run_id("init", 1))?;
    let backend = backend::open(kind, &folder.id, &folder.path).await?;
    let learned = tokio::select! {
        biased;
        _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
        learned = started(plan, backend.as_ref(), &args.route) => learned,
    };
    if let Err(mut left) = backend.clean().await {
        return Err(Error::Left(left.remove(0)));
    }
    // It holds no history.
    drop(std::fs::remove_dir_all(&folder.path));
    learned
}

async fn started(plan: &Plan, backend: &dyn Backend, routes: &[String]) -> Result<Learned, Error> {
    let sources = backend::sources(&plan.system, &plan.folder, &|_| {}).await?;
    let name = plan.entry();
    let no_service = || backend::Error::NoSuchService(name.to_owned());
    let service = plan.system.services.get(name).ok_or_else(no_service)?;
    let source = sources.get(name).cloned().ok_or_else(no_service)?;
    backend.create(Spec::of(name, service, source)).await?;
    backend.start(name).await?;
    // Which route says that it is ready is not known yet.
    let accepts = Ready {
        within: service.ready.within,
        ..Ready::default()
    };
    let ready_after = backend::ready(backend, name, &accepts, None).await?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .map_err(|error| Error::Client(error.into()))?;
    let address = backend.address(name, None)?;
    let mut answered = Vec::new();
    let usual = ROUTES.map(str::to_owned);
    for path in if routes.is_empty() { &usual } else { routes } {
        // A route without an answer is left out: nobody could watch it.
        if let Ok(answer) = client.get(format!("http://{address}{path}")).send().await {
            answered.push(Route {
                path: path.clone(),
                status: answer.status().as_u16(),
            });
        }
    }
    Ok(Learned {
        ready_after,
        routes: answered,
    })
}
