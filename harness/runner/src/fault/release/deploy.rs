//! `deploy`: another release goes live, as the system file declares.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::action::{self, Answer};
use crate::backend;
use crate::fault::error::ActionError;
use crate::fault::process::{start_ready, stop};
use crate::fault::{Context, Deployed, Describe, Error, Fault, Injected};
use firedrill_model::format;
use firedrill_model::scenario::{self, DeployAction};

/// Deploys a release to a service: by the system's `[[deploy]]` recipe, or without one all at once, as in the
/// incident: the old release is stopped, the new one is started under the same address. An action that is refused (an
/// answer of 400 or above, a command with an exit code other than 0) ends the recipe, as it ends a pipeline: that is a
/// result, and evidence. The harness never rolls a release back: that is up to the system.
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
    const SUMMARY: &'static str = "deploy another release, as the system file declares";
    const CONFIRMED: &'static str = "each action of the recipe answered; which release serves is measured";
    const FAMILY: &'static str = "release";
    const EXAMPLE: &'static str = r#"at = "1s", deploy = { service = "app", release = "v2" }"#;
    const LASTS: bool = false;
}

#[async_trait]
impl Fault for Deploy {
    fn describe(&self) -> String {
        format!("deploy {} to {}", self.release, self.service)
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        let recipe = &context.plan.system.deploy;
        let all_at_once = [DeployAction::Replace(scenario::EmptyTable {})];
        // Without a recipe: stop the old release and start the new one in its place.
        let actions = if recipe.is_empty() {
            &all_at_once[..]
        } else {
            recipe
        };
        let mut evidence = Vec::new();
        let mut accepted = true;
        for action in actions {
            match self.carry_out(context, action).await {
                Ok(Answer::Accepted(detail)) => evidence.push(detail),
                Ok(Answer::Refused(detail)) => {
                    evidence.push(format!("refused: {detail}"));
                    accepted = false;
                    break;
                }
                // Earlier actions stay done and later ones are not tried, as in a pipeline that stops.
                Err(Error::Action(error)) if !evidence.is_empty() => {
                    evidence.push(format!("stopped: {error}"));
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
        Err(Error::NoRevert("a deploy"))
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
                let render = |text: &str| self.render(context, text);
                Ok(action::request(address, request, within.0, render).await?)
            }
            DeployAction::Command { argv, within } => {
                let argv: Result<Vec<String>, _> =
                    argv.iter().map(|text| self.render(context, text)).collect();
                let label = |command: &mut tokio::process::Command| context.backend.label(command);
                Ok(action::command(&argv?, within.0, label).await?)
            }
        }
    }

    /// Stops the old release and starts the new one under the same address, on the same volumes.
    async fn replace(&self, context: &Context<'_>) -> Result<String, Error> {
        let backend = context.backend;
        let mut spec = backend.spec(&self.service)?;
        let old = std::mem::replace(&mut spec.release, self.release.clone());
        // One that has ended or never started needs no stop.
        if matches!(
            backend.state(&self.service).await?,
            backend::State::Running(_) | backend::State::Paused
        ) {
            backend.stop(&self.service, stop::grace().0).await?;
        }
        backend.reconfigure(spec).await?;
        let what = match old.as_str() {
            "" => format!("{}: started {}", self.service, self.release),
            old => format!("{}: replaced {old} with {}", self.service, self.release),
        };
        match start_ready(context, &self.service).await {
            Ok(ready) => Ok(format!("{what}, ready in {}", format::latency(ready))),
            // A release that does not become ready is a deployed release: some scenarios are about one.
            Err(Error::Backend(backend::Error::NotReady { last, .. })) => {
                Ok(format!("{what}, not ready: {last}"))
            }
            Err(error) => Err(error),
        }
    }

    /// A text of the recipe with the values of its placeholders: the release, the service, and what is the same for every service.
    fn render(&self, context: &Context<'_>, text: &str) -> Result<String, ActionError> {
        action::render(text, |placeholder| match placeholder {
            "release" => Some(self.release.clone()),
            "service" => Some(self.service.clone()),
            _ => context.backend.resolve(placeholder),
        })
    }
}
