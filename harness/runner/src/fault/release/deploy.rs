//! `deploy`: another release goes live, by whatever way the system file declares.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::backend;
use crate::fault::process::start_ready;
use crate::fault::{Context, Deployed, Describe, Error, Fault, Injected};
use firedrill_model::scenario::{self, DeployAction, template};

/// Deploys a release to a service: by the system's `[[deploy]]` recipe, or without one all at once, as in the
/// incident: the old one is stopped, the new one is started under the same address. An action that is refused (an
/// answer of 400 or above, a command that does not end with 0) ends the recipe, as it ends a pipeline: that is a
/// result, and evidence. A release is not rolled back by the harness: that is the system's own affair.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fault) struct Deploy {
    /// The service whose release changes.
    service: String,
    /// The release.
    release: String,
}

impl Describe for Deploy {
    const NAME: &'static str = "deploy";
    const SUMMARY: &'static str = "deploy another release, as the system file says how";
    const CONFIRMED: &'static str =
        "the recipe went through or was refused, in its own words; which release answers is measured";
    const FAMILY: &'static str = "release";
    const EXAMPLE: &'static str = r#"at = "1s", deploy = { service = "app", release = "v2" }"#;
    const LASTS: bool = false;
}

/// What came of one action.
enum Answer {
    Accepted(String),
    Refused(String),
}

#[async_trait]
impl Fault for Deploy {
    fn describe(&self) -> String {
        format!("deploy {} to {}", self.release, self.service)
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let recipe = &context.plan.system.deploy;
        let all_at_once = [DeployAction::Replace(scenario::EmptyTable {})];
        let actions = if recipe.is_empty() {
            &all_at_once[..]
        } else {
            recipe
        };
        let mut evidence = Vec::new();
        let mut accepted = true;
        for action in actions {
            match self.carry_out(context, action).await {
                Ok(Answer::Accepted(said)) => evidence.push(said),
                Ok(Answer::Refused(said)) => {
                    evidence.push(format!("refused: {said}"));
                    accepted = false;
                    break;
                }
                // What was done before stands, and the rest of the recipe is not tried: a pipeline breaks off too.
                Err(Error::NotInEffect(why)) if !evidence.is_empty() => {
                    evidence.push(format!("broken off: {why}"));
                    accepted = false;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let detail = evidence.join("; ");
        Ok(Injected {
            deployed: Some(Deployed {
                release: self.release.clone(),
                accepted,
                detail: detail.clone(),
            }),
            ..Injected::confirmed(detail)
        })
    }

    async fn revert(&self, _: &Context<'_>) -> Result<String, Error> {
        Err(Error::NoWayBack("a deploy"))
    }
}

impl Deploy {
    async fn carry_out(&self, context: &Context<'_>, action: &DeployAction) -> Result<Answer, Error> {
        match action {
            DeployAction::Replace(_) => self.replace(context).await.map(Answer::Accepted),
            DeployAction::Request {
                service,
                port,
                request,
                within,
            } => {
                let address = context.backend.address(service, port.as_deref())?;
                self.ask(context, address, request, within.0).await
            }
            DeployAction::Command { argv, within } => self.command(context, argv, within.0).await,
        }
    }

    /// Stops the old release and starts the new one under the same address, on the same volumes.
    async fn replace(&self, context: &Context<'_>) -> Result<String, Error> {
        let backend = context.backend;
        let mut spec = backend.spec(&self.service)?;
        let old = std::mem::replace(&mut spec.release, self.release.clone());
        if matches!(
            backend.state(&self.service).await?,
            backend::State::Running(_) | backend::State::Paused
        ) {
            backend
                .stop(&self.service, crate::fault::process::stop::grace().0)
                .await?;
        }
        backend.reconfigure(spec).await?;
        match start_ready(context, &self.service).await {
            Ok(ready) => Ok(format!(
                "{} runs {} instead of {old}, ready after {} ms",
                self.service,
                self.release,
                ready.as_millis()
            )),
            // A release that does not come up is what some scenarios are about: it is deployed all the same.
            Err(Error::Backend(backend::Error::NotReady { last, .. })) => Ok(format!(
                "{} runs {} instead of {old}, and is not ready: {last}",
                self.service, self.release
            )),
            Err(error) => Err(error),
        }
    }

    fn fill(&self, context: &Context<'_>, text: &str) -> Result<String, Error> {
        template::fill(text, |hole| match hole {
            "release" => Some(Cow::from(&self.release)),
            "service" => Some(Cow::from(&self.service)),
            _ => context.backend.inside(hole).map(Cow::from),
        })
        .map_err(|error| Error::NotInEffect(format!("`{text}`: {error}")))
    }

    /// Asks a service of the system over HTTP. A refusal (status 400 and above) is an answer like another: the gates
    /// of a pipeline say no that way.
    async fn ask(
        &self,
        context: &Context<'_>,
        address: std::net::SocketAddr,
        request: &scenario::Request,
        within: Duration,
    ) -> Result<Answer, Error> {
        let failed = |error: reqwest::Error| {
            Error::NotInEffect(format!("{} {}: {error}", request.method, request.path))
        };
        let method = request
            .method
            .parse()
            .map_err(|_| Error::NotInEffect(format!("{} is no method", request.method)))?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(failed)?;
        let url = format!("http://{address}{}", self.fill(context, &request.path)?);
        let mut call = client.request(method, url).timeout(within);
        for (name, value) in &request.header {
            call = call.header(name, self.fill(context, value)?);
        }
        if let Some(body) = &request.body {
            call = call.body(self.fill(context, body)?);
        } else if !request.form.is_empty() {
            let mut form = Vec::new();
            for (name, value) in &request.form {
                form.push(format!(
                    "{}={}",
                    encoded(name),
                    encoded(&self.fill(context, value)?)
                ));
            }
            let kind = "application/x-www-form-urlencoded";
            call = call.header(http::header::CONTENT_TYPE, kind).body(form.join("&"));
        }
        let answer = call.send().await.map_err(failed)?;
        let status = answer.status();
        let body = answer.text().await.unwrap_or_default();
        let body: String = body.chars().filter(|c| !c.is_control()).take(300).collect();
        let said = format!(
            "{} {} answered {}: {body}",
            request.method,
            request.path,
            status.as_u16()
        );
        Ok(if status.as_u16() < 400 {
            Answer::Accepted(said)
        } else {
            Answer::Refused(said)
        })
    }

    /// Runs a program, never a shell.
    async fn command(
        &self,
        context: &Context<'_>,
        argv: &[String],
        within: Duration,
    ) -> Result<Answer, Error> {
        let argv: Vec<String> = argv
            .iter()
            .map(|text| self.fill(context, text))
            .collect::<Result<_, _>>()?;
        let Some((program, arguments)) = argv.split_first() else {
            return Err(Error::NotInEffect("the deploy command is empty".into()));
        };
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).kill_on_drop(true);
        context.backend.mark(&mut command);
        let run = command.output();
        let failed = |why: String| Error::NotInEffect(format!("{program}: {why}"));
        let output = tokio::time::timeout(within, run)
            .await
            .map_err(|_| failed(format!("not done after {within:?}")))?;
        let output = output.map_err(|error| failed(error.to_string()))?;
        let said = format!("{program} ended with {}", output.status);
        Ok(if output.status.success() {
            Answer::Accepted(said)
        } else {
            Answer::Refused(said)
        })
    }
}

fn encoded(text: &str) -> impl std::fmt::Display + '_ {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
}
