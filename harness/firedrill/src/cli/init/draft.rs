//! The text of the files: a system, and three scenarios for it.

use std::path::PathBuf;
use std::time::Duration;

use minijinja::{Environment, context};

use super::ask::Route;
use super::survey::{Found, Start};
use firedrill_model::units::Span;

/// Where the scenarios lie.
const FOLDER: &str = "scenarios";

/// What is to be written.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    found: Found,
    route: String,
    status: u16,
    /// The downtime that a restart may cost.
    recovery: Duration,
    /// Whether the route and the times were seen, not assumed.
    seen: bool,
}

/// The templates, with what each of their files is called after the service's name.
const SCENARIOS: [(&str, &str); 3] = [
    ("is-killed", include_str!("templates/is-killed.toml")),
    (
        "has-a-slow-network",
        include_str!("templates/has-a-slow-network.toml"),
    ),
    ("is-deployed", include_str!("templates/is-deployed.toml")),
];

/// The workflow that runs the scenarios each night.
const WORKFLOW: &str = include_str!("templates/workflow.yml");

impl Draft {
    /// What is known before the service was started once.
    pub(super) fn new(found: Found) -> Self {
        Self {
            found,
            route: "/".into(),
            status: 200,
            recovery: Duration::from_secs(10),
            seen: false,
        }
    }

    /// Takes over what was seen.
    pub(super) fn learn(&mut self, route: &Route, ready_after: Duration) {
        self.route.clone_from(&route.path);
        self.status = route.status;
        // Three times as long as one start took: a machine that does more than this one does now must not breach.
        self.recovery = Duration::from_secs(3 * (ready_after.as_secs() + 1) + 2);
        self.seen = true;
    }

    /// The system file, relative to the folder.
    pub(super) fn system_path(&self) -> PathBuf {
        PathBuf::from(format!("{FOLDER}/systems/{}.toml", self.found.name))
    }

    /// The scenarios, as arguments of other commands.
    pub(super) fn scenario_paths(&self) -> Vec<String> {
        let path = |(name, _): (&str, &str)| format!("{FOLDER}/{}-{name}.toml", self.found.name);
        SCENARIOS.map(path).into()
    }

    /// Every file that depends on what was learned, with its text.
    ///
    /// # Errors
    /// When a template is broken, which is a mistake of Firedrill's own.
    pub(super) fn files(&self) -> Result<Vec<(PathBuf, String)>, minijinja::Error> {
        let mut files = vec![(
            self.system_path(),
            self.render(include_str!("templates/system.toml"))?,
        )];
        for (path, (_, template)) in self.scenario_paths().into_iter().zip(SCENARIOS) {
            files.push((path.into(), self.render(template)?));
        }
        Ok(files)
    }

    /// The workflow, with its text.
    pub(super) fn workflow() -> (PathBuf, &'static str) {
        (".github/workflows/firedrill.yml".into(), WORKFLOW)
    }

    fn render(&self, template: &str) -> Result<String, minijinja::Error> {
        let mut engine = Environment::new();
        engine.add_filter("quoted", quoted);
        let (build, release, folder, listens) = self.service();
        let text = engine.render_str(
            template,
            context! {
                name => &self.found.name,
                build => build,
                release => release,
                working_folder => folder,
                address_in_env => listens,
                port => self.found.port,
                route => &self.route,
                status => self.status,
                seen => self.seen,
                recovery => Span(self.recovery).to_string(),
            },
        )?;
        // The engine drops the last line's end.
        Ok(text.trim_end().to_owned() + "\n")
    }

    /// The service's `build`, its release, its working folder, and whether it gets its address in variables.
    fn service(&self) -> (String, String, Option<&'static str>, bool) {
        // The system file lies two folders below.
        let up = "../..";
        let current = || "current".to_owned();
        match &self.found.start {
            Start::Image { name, release } => (
                format!("{{ image = {} }}", quoted(name)),
                release.clone().unwrap_or_else(current),
                None,
                false,
            ),
            Start::Dockerfile(path) => {
                let path = match path.is_absolute() {
                    true => path.display().to_string(),
                    false => format!("{up}/{}", path.display()),
                };
                (
                    format!("{{ dockerfile = {} }}", quoted(&path)),
                    current(),
                    None,
                    false,
                )
            }
            Start::Package(package) => (
                format!("{{ package = {{ name = {} }} }}", quoted(package)),
                current(),
                None,
                true,
            ),
            Start::Command(words) => {
                let has_address = words.iter().any(|word| word.contains("{listen"));
                let words: Vec<String> = words.iter().map(|word| quoted(&template(word))).collect();
                (
                    format!("{{ command = [{}] }}", words.join(", ")),
                    current(),
                    Some(up),
                    !has_address,
                )
            }
        }
    }
}

/// A word of a command as a template: braces are literal, but for the address to listen on.
fn template(word: &str) -> String {
    const ADDRESS: [&str; 2] = ["{listen}", "{{listen}}"];
    let literal = word.replace('{', "{{").replace('}', "}}");
    literal.replace(ADDRESS[1], ADDRESS[0])
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(start: Start) -> Vec<(PathBuf, String)> {
        let found = Found {
            name: "shop".into(),
            start,
            port: 8080,
            why: String::new(),
        };
        Draft::new(found).files().unwrap()
    }

    /// Names and programs are texts of others: a quote in one must not end a string of the file.
    #[test]
    fn every_kind_of_start_gives_files_that_parse_and_say_what_was_given() {
        let odd = "a \"quoted\" \\ {program}";
        for start in [
            Start::Image {
                name: "shop:{release}".into(),
                release: Some("1.8".into()),
            },
            Start::Dockerfile("docker/Dockerfile".into()),
            Start::Package("shop".into()),
            Start::Command(vec![odd.into(), "{listen}".into()]),
        ] {
            for (path, text) in files(start.clone()) {
                let parsed: Result<toml::Table, _> = text.parse();
                let table = parsed.unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display()));
                let build = table
                    .get("service")
                    .and_then(|all| all["shop"]["build"].get("command"));
                if let Some(command) = build {
                    assert_eq!(command[0].as_str(), Some(template(odd).as_str()));
                }
            }
        }
    }

    #[test]
    fn a_program_without_the_address_among_its_words_gets_it_in_variables() {
        let system = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            files(Start::Command(words)).remove(0).1
        };
        assert!(system(&["python3", "app.py"]).contains("PORT = \"{service.shop.port}\""));
        assert!(!system(&["python3", "app.py", "{listen}"]).contains("PORT"));
    }
}
