//! Waiting until a service is ready, as its system file says.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use http::Request;

use super::{Backend, Error, Executed, Log, State};
use firedrill_model::format;
use firedrill_model::scenario::{Condition, Ready};
use firedrill_model::units::Size;
use firedrill_probe::{Endpoint, NoAnswer, ask};
use firedrill_wait::{Poll, WaitError};

/// As much of a log as its last lines need.
const LOG: Size = Size(64 << 10);

/// While a try is not answered, another one begins so often.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// So many tries at a time: the service may be busy with starting.
const MOST_TRIES: usize = 8;

/// Waits until a service is ready; its page is asked for at its `endpoint`. Returns how long that took. A service whose process has
/// ended is not waited for.
///
/// # Errors
/// [`Error::NotReady`] with what the last look saw and the end of the service's log.
pub async fn ready(
    backend: &dyn Backend,
    service: &str,
    ready: &Ready,
    endpoint: Option<&Endpoint>,
) -> Result<Duration, Error> {
    let since = Instant::now();
    let condition = ready.condition(backend.spec(service)?.port.is_some());
    let look = || async {
        let seen = seen(backend, service, (ready, condition), endpoint).await;
        match backend.state(service).await {
            Ok(State::Running(_) | State::Paused) => {}
            Ok(state) => return Poll::Never(Unanswered::Ended(state)),
            Err(error) => return Poll::Never(error.into()),
        }
        match seen {
            // Another program may have taken the port, and answer in the service's place.
            Ok(()) => match backend.strangers(service).await {
                Ok(strangers) if strangers.is_empty() => Poll::Done(()),
                Ok(strangers) => Poll::NotYet(format!("{} holds its port", format::list(strangers))),
                Err(error) => Poll::Never(error.into()),
            },
            Err(seen) => Poll::NotYet(format::chain(&seen)),
        }
    };
    let last = match firedrill_wait::until("an answer", ready.within.0, look).await {
        Ok(()) => return Ok(since.elapsed()),
        Err(WaitError::Never(cause)) => cause,
        Err(WaitError::TimedOut { last, .. }) => last.into(),
    };
    let mut log = Log::within(LOG);
    // Without a log, the last look is all that is known.
    let _ = backend.read_log(service, &mut log).await;
    Err(Error::NotReady {
        service: service.to_owned(),
        within: since.elapsed(),
        waited: condition.to_string(),
        last,
        log: tail(&log.to_bytes()),
    })
}

/// Looks once whether the condition is met.
async fn seen(
    backend: &dyn Backend,
    service: &str,
    (ready, condition): (&Ready, Condition<'_>),
    endpoint: Option<&Endpoint>,
) -> Result<(), Unanswered> {
    let port = ready.port.as_deref();
    match condition {
        Condition::Page(path) => {
            let endpoint = endpoint.ok_or(Unanswered::NoAddress)?;
            overlapping(|| answers(endpoint, path, ready)).await
        }
        Condition::Command(argv) => ran(backend, service, argv).await,
        Condition::Log(text) => logged(backend, service, text).await,
        Condition::Connection => accepts(backend, service, port).await,
        Condition::Process => Ok(()),
    }
}

/// What a look at a service saw instead of an answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    /// Its process is not there.
    #[error("it {0}")]
    Ended(State),
    /// The backend cannot be asked.
    #[error(transparent)]
    Backend(#[from] Error),
    /// Nothing to connect to yet.
    #[error("it has no address")]
    NoAddress,
    /// Nobody listens.
    #[error(transparent)]
    Refused(io::Error),
    /// Nobody refuses either: whether the port is open cannot be seen from here.
    #[error("{address} cannot be reached from here ({source}); set `path` in `ready`")]
    Unreachable {
        /// Where the process would listen.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The page says that it is not ready.
    #[error("{path} answered {status}")]
    Status {
        /// The page.
        path: String,
        /// Its status.
        status: u16,
    },
    /// The page was not answered.
    #[error(transparent)]
    Request(#[from] NoAnswer),
    /// The command says that it is not ready.
    #[error("{}{}", ended_by(*code), said(output))]
    Command {
        /// Its exit code, or the signal as a negative number.
        code: i64,
        /// The end of what it wrote.
        output: String,
    },
    /// The log does not have the text.
    #[error("its log does not contain the text")]
    NotLogged,
}

/// How a command ended.
fn ended_by(code: i64) -> String {
    match code {
        0.. => format!("exit code {code}"),
        _ => format!("ended by signal {}", -code),
    }
}

/// What a command wrote, after how it ended.
fn said(output: &str) -> String {
    match output {
        "" => String::new(),
        text => format!(": {text}"),
    }
}

/// The first result of several tries. A slow page may take as long as the wait lasts, and a try that hangs must not hide
/// that others would be answered: another one begins every second, beside those that are under way.
async fn overlapping<Try, E>(one: impl Fn() -> Try) -> Result<(), E>
where
    Try: Future<Output = Result<(), E>>,
{
    let mut tries = FuturesUnordered::new();
    loop {
        if tries.len() < MOST_TRIES {
            tries.push(one());
        }
        let next = (tokio::time::Instant::now() + TRY_EVERY).into_std();
        tokio::select! {
            Some(result) = tries.next() => return result,
            () = firedrill_wait::until_due(next) => {}
        }
    }
}

/// Whether a service's own process accepts connections.
async fn accepts(backend: &dyn Backend, service: &str, port: Option<&str>) -> Result<(), Unanswered> {
    let listener = backend.listener(service, port).await?;
    let address = listener.ok_or(Unanswered::NoAddress)?;
    let connected = tokio::time::timeout(TRY_EVERY, tokio::net::TcpStream::connect(address)).await;
    match connected {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(Unanswered::Refused(error)),
        Ok(Err(source)) => Err(Unanswered::Unreachable { address, source }),
        Err(_) => Err(Unanswered::Unreachable {
            address,
            source: io::Error::new(io::ErrorKind::TimedOut, "no answer"),
        }),
    }
}

/// Whether a command ends with exit code 0, as a part of the service.
async fn ran(backend: &dyn Backend, service: &str, argv: &[String]) -> Result<(), Unanswered> {
    match backend.exec(service, argv).await? {
        Executed { code: 0, .. } => Ok(()),
        Executed { code, output } => Err(Unanswered::Command {
            code,
            output: tail(&output),
        }),
    }
}

/// Whether a service's log has a text since its last start.
async fn logged(backend: &dyn Backend, service: &str, text: &str) -> Result<(), Unanswered> {
    let mut log = Log::within(Size(0)).searching(text);
    backend.read_log_since_start(service, &mut log).await?;
    if log.found() {
        Ok(())
    } else {
        Err(Unanswered::NotLogged)
    }
}

async fn answers(endpoint: &Endpoint, path: &str, ready: &Ready) -> Result<(), Unanswered> {
    let mut request = Request::get(path);
    for (name, value) in &ready.header {
        request = request.header(name, value);
    }
    let request = request.body(Bytes::new()).map_err(NoAnswer::from)?;
    // The body does not matter.
    let answer = ask(endpoint, request, 0, ready.within.0).await?;
    match answer.status().as_u16() {
        ..400 => Ok(()),
        status => Err(Unanswered::Status {
            path: path.to_owned(),
            status,
        }),
    }
}

/// The last lines of a log, for an error message.
pub fn tail(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    let text = lines.into_iter().rev().collect::<Vec<_>>().join(" | ");
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_page_that_takes_longer_than_a_second_is_waited_for() {
        let slow = async || {
            tokio::time::advance(Duration::from_millis(1500)).await;
            Ok::<(), Infallible>(())
        };
        assert_eq!(overlapping(slow).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_hangs_does_not_hide_the_next_one() {
        let tries = std::cell::Cell::new(0);
        let first_hangs = || {
            tries.set(tries.get() + 1);
            let hangs = tries.get() == 1;
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok::<(), Infallible>(())
            }
        };
        assert_eq!(overlapping(first_hangs).await, Ok(()));
    }
}
