//! Waiting until a service is ready, as its system file says.

use std::time::{Duration, Instant};

use super::{Backend, Error, State};
use firedrill_model::scenario::Ready;
use firedrill_wait::{Poll, WaitError};

/// Waits until a service is ready; returns how long that took. A service whose process has ended is not waited for.
///
/// # Errors
/// [`Error::NotReady`] with what the last look saw and the end of the service's log.
pub async fn ready(backend: &dyn Backend, service: &str, ready: &Ready) -> Result<Duration, Error> {
    let since = Instant::now();
    let address = backend.address(service, ready.port.as_deref())?;
    let client = client();
    let look = || async {
        match answers(client.as_ref(), address, ready.path.as_deref()).await {
            Ok(()) => Poll::Done(()),
            Err(seen) => match backend.state(service).await {
                Ok(State::Running(_) | State::Paused) => Poll::NotYet(seen),
                Ok(state) => Poll::Never(format!("it {state}")),
                Err(error) => Poll::Never(error.to_string()),
            },
        }
    };
    match firedrill_wait::until("an answer", ready.within.0, look).await {
        Ok(()) => Ok(since.elapsed()),
        Err(WaitError::Never(last) | WaitError::TimedOut { last, .. }) => {
            let log = backend.logs(service).await.unwrap_or_default();
            Err(Error::NotReady {
                service: service.to_owned(),
                within: since.elapsed(),
                last,
                log: tail(&log),
            })
        }
    }
}

/// A client that asks nobody but the address it is given.
fn client() -> Option<reqwest::Client> {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    builder.timeout(Duration::from_secs(1)).build().ok()
}

async fn answers(
    client: Option<&reqwest::Client>,
    address: std::net::SocketAddr,
    path: Option<&str>,
) -> Result<(), String> {
    let (Some(path), Some(client)) = (path, client) else {
        return tokio::net::TcpStream::connect(address)
            .await
            .map(drop)
            .map_err(|error| error.to_string());
    };
    match client.get(format!("http://{address}{path}")).send().await {
        Ok(answer) if answer.status().as_u16() < 400 => Ok(()),
        Ok(answer) => Err(format!("{path} answered {}", answer.status().as_u16())),
        Err(error) => Err(error.without_url().to_string()),
    }
}

/// The last lines of a log, for an error message.
pub(super) fn tail(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    let text = lines.into_iter().rev().collect::<Vec<_>>().join(" | ");
    text.chars().filter(|c| !c.is_control()).collect()
}
