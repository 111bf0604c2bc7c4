//! `deploy`: another release goes live, as the system file declares.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::action::{self, Answer};
use super::log::Log;
use super::serving;
use crate::backend;
use crate::endpoint;
use crate::fault::error::{ActionError, NotInEffect};
use crate::fault::process::{start_ready, stop};
use crate::fault::{Context, Deployed, Describe, Error, Family, Fault, Injected};
use firedrill_model::format;
use firedrill_model::scenario::{self, DeployAction};

/// Deploys a release to a service: by the system's `[[deploy]]` recipe, or without one all at once, as in the
/// incident: the old release is stopped, the new one is started under the same address. An action that refuses, by a status
/// or an exit code that the recipe lists in `refused`, ends the recipe, as it ends a pipeline: that is a result, and
/// evidence. Any other failure of an action leaves the drill undecided. What actions print and answer is in the run folder,
/// `logs/deploy.step-N.log`. The harness never rolls a release back: that is up to the system.
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
    const CONFIRMED: &'static str = "each action of the recipe accepted the release, or one refused it as declared; the service's answer names the release";
    const FAMILY: Family = Family::Release;
    const EXAMPLE: &'static str = r#"at = "1s", deploy = { service = "app", release = "v2" }"#;
    const LASTS: bool = false;
}

#[async_trait]
impl Fault for Deploy {
    fn describe(&self) -> String {
        format!("deploy {} to {}", self.release, self.service)
    }

    fn lasts(&self) -> bool {
        Self::LASTS
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
        let log = Log::of(context.logs, context.step);
        let mut done = Vec::new();
        for action in actions {
            match self.carry_out(context, action, &log).await {
                Ok(Answer::Accepted(detail)) => done.push(detail),
                Ok(Answer::Refused(detail)) => {
                    // Earlier actions stay done and later ones are not tried, as in a pipeline that stops.
                    done.push(format!("refused: {detail}"));
                    return Ok(self.answered(false, &done));
                }
                Err(Error::Action(source)) if !done.is_empty() => {
                    let (done, source) = (done.join("; "), Box::new(source));
                    return Err(ActionError::After { done, source }.into());
                }
                Err(error) => return Err(error),
            }
        }
        let replaced = actions
            .iter()
            .any(|action| matches!(action, DeployAction::Replace(_)));
        done.push(self.confirm(context, replaced).await?);
        Ok(self.answered(true, &done))
    }

    async fn revert(&self, _: &Context<'_>) -> Result<String, Error> {
        Err(Error::NoRevert("a deploy"))
    }
}

impl Deploy {
    /// The system's answer to the deploy, and what it consists of.
    fn answered(&self, accepted: bool, done: &[String]) -> Injected {
        let detail = done.join("; ");
        Injected {
            deployed: Some(Deployed {
                release: self.release.clone(),
                accepted,
                detail: detail.clone(),
            }),
            ..Injected::confirmed(detail)
        }
    }

    /// Asks the service which release it runs. One that was replaced and answers as another release was not deployed; where
    /// the recipe leaves that to others, they may do it later.
    async fn confirm(&self, context: &Context<'_>, replaced: bool) -> Result<String, Error> {
        let service = &self.service;
        match serving::release(context, service).await? {
            Ok(seen) if seen == self.release => Ok(format!("{service} answers as {seen}")),
            Ok(seen) if replaced => Err(NotInEffect::OtherRelease {
                service: service.clone(),
                release: self.release.clone(),
                seen,
            }
            .into()),
            Ok(seen) => Ok(format!("{service} still answers as {seen}")),
            Err(why) => Ok(format!(
                "not confirmed which release {service} runs: {}",
                format::chain(&why)
            )),
        }
    }

    async fn carry_out(
        &self,
        context: &Context<'_>,
        action: &DeployAction,
        log: &Log,
    ) -> Result<Answer, Error> {
        match action {
            DeployAction::Replace(_) => self.replace(context).await.map(Answer::Accepted),
            DeployAction::Request {
                service,
                port,
                request,
                within,
                refused,
            } => {
                let endpoint = endpoint::of(context.plan, context.backend, service, port.as_deref())?;
                let render = |text: &str| self.render(context, text);
                Ok(action::request(&endpoint, request, (within.0, refused), log, render).await?)
            }
            DeployAction::Command {
                argv,
                within,
                refused,
            } => {
                let argv: Result<Vec<String>, _> =
                    argv.iter().map(|text| self.render(context, text)).collect();
                let label = |command: &mut tokio::process::Command| context.backend.label(command);
                Ok(action::command(&argv?, (within.0, refused), log, label).await?)
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
                Ok(format!("{what}, not ready: {}", format::chain(&*last)))
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
