//! The actions of a deploy recipe: an HTTP request, a command. Each takes filled texts and gives the [`Answer`].

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use crate::fault::error::ActionError as Error;
use firedrill_model::scenario::{self, template};
use firedrill_probe::form;

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

/// Sends a service of the system an HTTP request. A status of 400 and above is a refusal: the gates of a pipeline answer
/// that way.
pub(super) async fn request(
    address: SocketAddr,
    request: &scenario::Request,
    within: Duration,
    render: impl Fn(&str) -> Result<String, Error>,
) -> Result<Answer, Error> {
    let failed = |source: reqwest::Error| Error::Request {
        method: request.method.clone(),
        path: request.path.clone(),
        source,
    };
    let call = prepare(address, request, within, render, failed)?;
    let answer = call.send().await.map_err(failed)?;
    let status = answer.status().as_u16();
    let body = answer.text().await.unwrap_or_default();
    // Evidence is read in a terminal: no control characters, and not a whole page.
    let body: String = body.chars().filter(|c| !c.is_control()).take(300).collect();
    let detail = format!("{} {} answered {status}: {body}", request.method, request.path);
    Ok(match status {
        ..400 => Answer::Accepted(detail),
        _ => Answer::Refused(detail),
    })
}

fn prepare(
    address: SocketAddr,
    request: &scenario::Request,
    within: Duration,
    render: impl Fn(&str) -> Result<String, Error>,
    failed: impl Fn(reqwest::Error) -> Error,
) -> Result<reqwest::RequestBuilder, Error> {
    let method = request.method.parse().map_err(|source| Error::Method {
        method: request.method.clone(),
        source,
    })?;
    let client = reqwest::Client::builder()
        .no_proxy()
        // A redirect is the answer: what it leads to is no part of the recipe.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(failed)?;
    let url = format!("http://{address}{}", render(&request.path)?);
    let mut call = client.request(method, url).timeout(within);
    for (name, value) in &request.header {
        call = call.header(name, render(value)?);
    }
    if let Some(body) = &request.body {
        call = call.body(render(body)?);
    } else if !request.form.is_empty() {
        let rendered = request
            .form
            .iter()
            .map(|(name, value)| Ok((name, render(value)?)));
        let fields: Vec<_> = rendered.collect::<Result<_, Error>>()?;
        call = call
            .header(http::header::CONTENT_TYPE, form::CONTENT_TYPE)
            .body(form::body(fields));
    }
    Ok(call)
}

/// Runs a program, never a shell. An exit code other than 0 is a refusal.
pub(super) async fn command(
    argv: &[String],
    within: Duration,
    label: impl Fn(&mut tokio::process::Command),
) -> Result<Answer, Error> {
    let (program, arguments) = argv.split_first().ok_or(Error::EmptyCommand)?;
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).kill_on_drop(true);
    // Labelled like a service, so that cleanup finds what the command leaves running.
    label(&mut command);
    let output = tokio::time::timeout(within, command.output()).await;
    let output = output.map_err(|_| Error::TimedOut {
        program: program.clone(),
        within,
    })?;
    let output = output.map_err(|source| Error::Command {
        program: program.clone(),
        source,
    })?;
    let detail = format!("{program}: {}", output.status);
    Ok(match output.status.success() {
        true => Answer::Accepted(detail),
        false => Answer::Refused(detail),
    })
}
