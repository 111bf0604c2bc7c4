//! What a journey does: an HTTP request, a command, or a line of text over TCP.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Journey, JourneyStep, System, Texts};
use crate::sample::Mode;
use crate::scenario::template::{ServiceAddress, Template};

/// A program that asks a service, as `redis-cli` or `psql` does. It is started anew for each probe, never by a shell, in the
/// folder of the system file. It inherits PATH, HOME, LANG and TZ where `env` does not set them, and nothing else. Its start
/// is part of what is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandProbe {
    /// The program and its arguments. The arguments are templates over records and over the addresses of services
    /// (`{service.NAME.host}`, `{service.NAME.port}`), as users reach them. A program given as a path is relative to the folder
    /// of the system file; a bare name is looked up in PATH.
    pub argv: Vec<String>,
    /// Its environment variables, the same templates; also secrets.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub env: Texts,
    /// The exit code that is right (0). Another one is a wrong status.
    #[serde(default)]
    pub exit_code: u8,
    /// A text that its standard output must contain, as a template over records; otherwise the outcome is *wrong content*. Only the first MiB
    /// is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_contains: Option<String>,
}

/// A text that is sent over TCP, and the answer; without both, a connection that is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TcpProbe {
    /// What is sent, as a template over records, with its line ends: `"GET key\r\n"`. Without it the service speaks first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// A text that the answer must contain, as a template over records. The answer is right as soon as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// How many lines an answer has: after so many without `expect` it is wrong (1).
    #[serde(default = "one_line", skip_serializing_if = "is_one_line")]
    #[schemars(range(min = 1, max = 10000))]
    pub lines: u32,
    /// How a line begins that is an error (`["-"]`): the answer is wrong then, however many lines it has (none).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

fn one_line() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn is_one_line(lines: &u32) -> bool {
    *lines == one_line()
}

/// What a journey does, with what is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'j> {
    /// It sends a request, or several.
    Http,
    /// It starts a program.
    Command(&'j CommandProbe),
    /// It connects, and perhaps sends a text.
    Tcp(&'j TcpProbe),
}

impl System {
    /// The service that users talk to.
    pub fn entry_name(&self) -> &str {
        let only = self.services.keys().next();
        self.entry
            .as_ref()
            .or(only)
            .map(String::as_str)
            .unwrap_or_default()
    }
}

impl Journey {
    /// What it does; `None` where the file does not say exactly one thing, which the loader refuses.
    pub fn action(&self) -> Option<Action<'_>> {
        let asks = self.request.is_some() || !self.steps.is_empty();
        match (asks, &self.command, &self.tcp) {
            (true, None, None) => Some(Action::Http),
            (false, Some(command), None) => Some(Action::Command(command)),
            (false, None, Some(tcp)) => Some(Action::Tcp(tcp)),
            _ => None,
        }
    }

    /// Its connection modes. A command makes connections of its own, and where nothing is sent there is nothing to keep a
    /// connection for.
    pub fn modes(&self) -> &[Mode] {
        let only_new = match (&self.command, &self.tcp) {
            (Some(_), _) => true,
            (None, Some(tcp)) => tcp.send.is_none(),
            (None, None) => false,
        };
        if only_new { &[Mode::New] } else { &self.connections }
    }

    /// Every template of what it does, and of what is right.
    pub(in crate::scenario) fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self.steps().iter().flat_map(JourneyStep::texts).collect();
        if let Some(command) = &self.command {
            let words = command.argv.iter().chain(command.env.values());
            texts.extend(words.chain(&command.output_contains).cloned());
        }
        if let Some(tcp) = &self.tcp {
            texts.extend(tcp.send.iter().chain(&tcp.expect).cloned());
        }
        texts
    }

    /// The services that it connects to, each with the named port; `entry` is where users go unless a journey says
    /// otherwise.
    pub fn reaches(&self, entry: &str) -> BTreeSet<(String, Option<String>)> {
        if self.command.is_none() {
            let service = self.service.as_deref().unwrap_or(entry).to_owned();
            return BTreeSet::from([(service, self.port.clone())]);
        }
        let texts = self.texts().into_iter();
        let templates: Vec<Template> = texts.filter_map(|text| Template::parse(&text).ok()).collect();
        let placeholders = templates.iter().flat_map(Template::placeholders);
        let addresses = placeholders.filter_map(|name| name.strip_prefix("service."));
        addresses
            .map(|text| {
                let ServiceAddress { service, port, .. } = ServiceAddress::parse(text);
                (service.to_owned(), port.map(str::to_owned))
            })
            .collect()
    }
}
