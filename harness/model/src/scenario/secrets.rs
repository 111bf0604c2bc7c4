//! Secrets: `{env.NAME}` in the files, filled from the environment when drills begin.
//!
//! Takes a system and the environment; gives the system with its secrets, and their values, for the writers of histories
//! and logs to hide. A file has only the name of a secret, so that it can be shared.

use std::collections::BTreeMap;

use firedrill_logs::redact::Secrets;

use super::template::Template;
use super::{Answer, DeployAction, JourneyStep, Plan, Request, System};

/// What a placeholder of a secret begins with.
pub(super) const PREFIX: &str = "env.";

/// A shorter value could not be hidden: it occurs in ordinary text by chance.
const SHORTEST: usize = 4;

/// A secret that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The variable is not set, or is not UTF-8.
    #[error("the environment variable {0} is not set; {{env.{0}}} needs it")]
    Missing(String),
    /// The value is too short.
    #[error(
        "the value of the environment variable {0} has fewer than {SHORTEST} characters, too few for a secret that reports must hide"
    )]
    Short(String),
    /// Together they are too large to be searched for.
    #[error("the secrets of the environment are too large: reports could not hide them")]
    TooLarge,
}

impl<F> Plan<F> {
    /// Fills `{env.NAME}` in the environment of services and in requests. `variable` gives the values.
    ///
    /// # Errors
    /// The first variable, by name, that has no usable value.
    pub fn fill_secrets(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), SecretError> {
        let mut values = BTreeMap::new();
        for text in texts(&mut self.system) {
            // A template that does not parse was refused when the files were checked.
            let Ok(template) = Template::parse(text) else {
                continue;
            };
            for name in template
                .placeholders()
                .filter_map(|name| name.strip_prefix(PREFIX))
            {
                let value = variable(name).ok_or_else(|| SecretError::Missing(name.to_owned()))?;
                if value.chars().count() < SHORTEST {
                    return Err(SecretError::Short(name.to_owned()));
                }
                values.insert(name.to_owned(), value);
            }
            let value = |name: &str| values.get(name.strip_prefix(PREFIX)?).map(String::as_str);
            *text = template.filled(value);
        }
        self.secrets = Secrets::of(values.into_values()).map_err(|_| SecretError::TooLarge)?;
        Ok(())
    }
}

/// The texts of a system that may have secrets.
fn texts(system: &mut System) -> Vec<&mut String> {
    let mut texts = Vec::new();
    for service in system.services.values_mut() {
        texts.extend(service.env.values_mut());
    }
    if let Some(seed) = &mut system.seed {
        texts.extend(seed.request.texts_mut());
        texts.extend(seed.answer.texts_mut());
    }
    for journey in &mut system.journeys {
        texts.extend(journey.request.iter_mut().flat_map(Request::texts_mut));
        texts.extend(journey.answer.iter_mut().flat_map(Answer::texts_mut));
        texts.extend(journey.steps.iter_mut().flat_map(of_step));
        if let Some(command) = &mut journey.command {
            texts.extend(command.env.values_mut());
            texts.extend(&mut command.output_contains);
        }
        if let Some(tcp) = &mut journey.tcp {
            texts.extend(tcp.send.iter_mut().chain(&mut tcp.expect));
        }
        if let Some(remember) = &mut journey.remember {
            texts.extend(&mut remember.link);
            texts.extend(remember.request.iter_mut().flat_map(Request::texts_mut));
            texts.extend(remember.answer.iter_mut().flat_map(Answer::texts_mut));
            texts.extend(remember.steps.iter_mut().flat_map(of_step));
        }
    }
    for action in &mut system.deploy {
        if let DeployAction::Request { request, .. } = action {
            texts.extend(request.texts_mut());
        }
    }
    texts
}

fn of_step(step: &mut JourneyStep) -> Vec<&mut String> {
    let mut texts = step.request.texts_mut();
    texts.extend(step.answer.texts_mut());
    texts
}
