//! The actions of a deploy recipe: an HTTP request, a command. Each takes filled texts, writes the answer or output to the step's
//! [`Log`], and gives the [`Answer`].
//!
//! Only what the recipe declares is a refusal. Any other failure is one of the pipeline: the release was neither accepted nor
//! refused, and the error says how the pipeline ended.

use std::borrow::Cow;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::log::Log;
use crate::fault::error::ActionError as Error;
use firedrill_model::scenario::{self, template};
use firedrill_probe::payload::Body;
use firedrill_probe::{Endpoint, NoAnswer, ask};

/// So much of an answer's body is read.
pub(super) const LONGEST_ANSWER: usize = 1 << 20;
/// So many characters of an answer are evidence; the log has all of it.
const EVIDENCE: usize = 300;

/// What an action came to, in words.
pub(super) enum Answer {
    Accepted(String),
    Refused(String),
}

/// The text with the values of its placeholders.
pub(super) fn render(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, Error> {
    template::render(text, |placeholder| value(placeholder).map(Cow::from)).map_err(|source| {
        Error::Template {
            text: text.to_owned(),
            source,
        }
    })
}

/// Sends a service of the system an HTTP request. A status below 400 accepts, one of `refused` refuses.
pub(super) async fn request(
    endpoint: &Endpoint,
    request: &scenario::Request,
    (within, refused): (Duration, &[u16]),
    log: &Log,
    render: impl Fn(&str) -> Result<String, Error>,
) -> Result<Answer, Error> {
    let path = render(&request.path)?;
    let failed = |source: NoAnswer| Error::Request {
        method: request.method.clone(),
        path: path.clone(),
        source,
    };
    let call = prepare(&path, request, render, failed)?;
    // A redirect is the answer: what it leads to is no part of the recipe.
    let answer = ask(endpoint, call, LONGEST_ANSWER, within)
        .await
        .map_err(failed)?;
    let status = answer.status().as_u16();
    let body = String::from_utf8_lossy(answer.body()).into_owned();
    let answered = format!("{} {path} answered {status}", request.method);
    log.write(&format!("{answered}\n{body}\n"))?;
    // Evidence is read in a terminal: no control characters, and not a whole page.
    let body: String = body.chars().filter(|c| !c.is_control()).take(EVIDENCE).collect();
    match status {
        // First: a pipeline may refuse with any status, also a redirect.
        status if refused.contains(&status) => Ok(Answer::Refused(format!("{answered}: {body}"))),
        // What it says beside its yes is in the log.
        ..400 => Ok(Answer::Accepted(answered)),
        status => Err(Error::Answered {
            method: request.method.clone(),
            path,
            status,
            body,
        }),
    }
}

fn prepare(
    path: &str,
    request: &scenario::Request,
    render: impl Fn(&str) -> Result<String, Error>,
    failed: impl Fn(NoAnswer) -> Error,
) -> Result<Request<Bytes>, Error> {
    let method: http::Method = request.method.parse().map_err(|source| Error::Method {
        method: request.method.clone(),
        source,
    })?;
    let mut call = Request::builder().method(method).uri(path);
    for (name, value) in &request.header {
        call = call.header(name, render(value)?);
    }
    let mut bytes = Bytes::new();
    if let Some(body) = Body::of(request) {
        let body = body.try_map(&|text: &&str| render(text))?;
        let has_own = (request.header.keys()).any(|name| name.eq_ignore_ascii_case("content-type"));
        let settled = body.settles_content_type();
        let (kind, encoded) = body.encoded();
        if let Some(kind) = kind.filter(|_| settled || !has_own) {
            call = call.header(http::header::CONTENT_TYPE, kind);
        }
        bytes = encoded;
    }
    call.body(bytes).map_err(|source| failed(source.into()))
}

/// Runs a program, never a shell. Exit code 0 accepts, one of `refused` refuses.
pub(super) async fn command(
    argv: &[String],
    (within, refused): (Duration, &[u8]),
    log: &Log,
    label: impl Fn(&mut tokio::process::Command),
) -> Result<Answer, Error> {
    let (program, arguments) = argv.split_first().ok_or(Error::EmptyCommand)?;
    let (output, errors, begin) = log.streams()?;
    let mut command = tokio::process::Command::new(program);
    // Straight to the file: what a program printed before it was cut off is there too.
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    command.args(arguments).kill_on_drop(true);
    // Labelled like a service, so that cleanup finds what the command leaves running.
    label(&mut command);
    let ended = tokio::time::timeout(within, command.status()).await;
    let ended = ended.map_err(|_| Error::TimedOut {
        program: program.clone(),
        within,
        output: log.end(begin),
    })?;
    let status = ended.map_err(|source| Error::Command {
        program: program.clone(),
        source,
    })?;
    judged(program, status, refused, log.end(begin))
}

/// What the end of a program says.
fn judged(program: &str, status: ExitStatus, refused: &[u8], output: String) -> Result<Answer, Error> {
    let is_refusal = |code: i32| u8::try_from(code).is_ok_and(|code| refused.contains(&code));
    match status.code() {
        Some(0) => Ok(Answer::Accepted(format!("{program}: {status}"))),
        Some(code) if is_refusal(code) => Ok(Answer::Refused(format!("{program}: {status}: {output}"))),
        Some(_) | None => Err(Error::Ended {
            program: program.to_owned(),
            status,
            output,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(script: &str, refused: &[u8]) -> (Result<Answer, Error>, String) {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::of(folder.path(), 0);
        let argv = ["sh", "-c", script].map(str::to_owned);
        let answer = command(&argv, (Duration::from_secs(60), refused), &log, |_| {}).await;
        let stored = std::fs::read_to_string(folder.path().join("deploy.step-1.log"));
        (answer, stored.unwrap_or_default())
    }

    #[tokio::test]
    async fn only_a_declared_exit_code_is_a_refusal() {
        let (answer, _) = run("exit 0", &[10]).await;
        assert!(matches!(answer, Ok(Answer::Accepted(_))));
        let (answer, _) = run("echo no; exit 10", &[10]).await;
        assert!(matches!(answer, Ok(Answer::Refused(why)) if why.ends_with(": no")));
        let (answer, _) = run("exit 10", &[]).await;
        assert!(matches!(answer, Err(Error::Ended { .. })));
    }

    #[tokio::test]
    async fn a_broken_pipeline_is_an_error_with_its_exit_code_and_the_end_of_its_output() {
        let (answer, log) = run("echo begin; nowhere-to-be-found; exit 127", &[10]).await;
        let error = answer.map(|_| ()).unwrap_err().to_string();
        assert!(
            error.contains("127") && error.contains("nowhere-to-be-found"),
            "{error}"
        );
        assert!(log.starts_with("begin\n"), "{log}");
    }

    #[tokio::test]
    async fn a_signal_is_no_refusal() {
        let (answer, _) = run("kill -9 $$", &[9, 137]).await;
        assert!(matches!(answer, Err(Error::Ended { .. })));
    }
}
