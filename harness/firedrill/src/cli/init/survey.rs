//! What there is to start: named by the arguments, or found in the folder.

use std::path::{Path, PathBuf};

use super::Args;

/// A service to write files for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its name in the files.
    pub(super) name: String,
    /// What starts it.
    pub(super) start: Start,
    /// Its port inside a container.
    pub(super) port: u16,
    /// What was found, for people.
    pub(super) why: String,
}

/// What starts a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// An image: its name as a template, and its tag.
    Image {
        /// `shop:{release}`, or the whole name where it has no tag.
        name: String,
        /// The tag.
        release: Option<String>,
    },
    /// A Dockerfile, relative to the folder.
    Dockerfile(PathBuf),
    /// A cargo package.
    Package(String),
    /// A program and its arguments.
    Command(Vec<String>),
}

/// Why there is nothing to write files for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Nothing that this command knows.
    #[error(
        "nothing to start was found here\n  looked for: {}\n  name it: firedrill init --image NAME:TAG --port PORT, or firedrill init -- PROGRAM ARGUMENTS",
        looked_for()
    )]
    Nothing,
    /// Only a Compose file.
    #[error(
        "{0} is a Compose file, which Firedrill does not read\n  name one of its services: firedrill init --image NAME:TAG --port PORT"
    )]
    Compose(String),
    /// The named file does not exist.
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    /// A name that the files cannot have.
    #[error("`{0}` is no name for a service: letters, digits and `-` only; give one with --name")]
    BadName(String),
}

/// Programs that many projects start with, in the order in which they are looked for: the file, and the command.
const PROGRAMS: [(&str, &[&str]); 8] = [
    (
        "manage.py",
        &["python3", "manage.py", "runserver", "--noreload", "{listen}"],
    ),
    ("app.py", &["python3", "app.py"]),
    ("server.py", &["python3", "server.py"]),
    ("main.py", &["python3", "main.py"]),
    ("wsgi.py", &["python3", "wsgi.py"]),
    ("server.js", &["node", "server.js"]),
    ("index.js", &["node", "index.js"]),
    ("go.mod", &["go", "run", "."]),
];

/// Compose files, which are recognized only to say so.
const COMPOSE: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

fn looked_for() -> String {
    let programs = PROGRAMS.iter().map(|(file, _)| *file);
    let all: Vec<&str> = ["Dockerfile", "a cargo package with a program"]
        .into_iter()
        .chain(programs)
        .collect();
    all.join(", ")
}

/// What to start.
///
/// # Errors
/// When there is nothing, or what is named does not exist.
pub(super) fn survey(args: &Args, here: &Path) -> Result<Found, Error> {
    let (start, why) = start(args, here)?;
    let exposed = match &start {
        Start::Dockerfile(path) => exposed(&here.join(path)),
        _ => None,
    };
    Ok(Found {
        name: name(args, here, &start)?,
        port: args.port.or(exposed).unwrap_or(8080),
        start,
        why,
    })
}

fn start(args: &Args, here: &Path) -> Result<(Start, String), Error> {
    if let Some(image) = &args.image {
        return Ok((self::image(image), format!("the image {image}")));
    }
    if let Some(path) = &args.dockerfile {
        return match here.join(path).is_file() {
            true => Ok((Start::Dockerfile(path.clone()), format!("{}", path.display()))),
            false => Err(Error::NoFile(path.clone())),
        };
    }
    if let Some(package) = &args.package {
        return Ok((Start::Package(package.clone()), format!("the package {package}")));
    }
    if !args.command.is_empty() {
        return Ok((
            Start::Command(args.command.clone()),
            format!("the command {}", args.command.join(" ")),
        ));
    }
    detected(here)
}

/// What the folder holds.
fn detected(here: &Path) -> Result<(Start, String), Error> {
    let is_here = |name: &&str| here.join(name).is_file();
    if is_here(&"Dockerfile") {
        return Ok((
            Start::Dockerfile("Dockerfile".into()),
            "Dockerfile, found here".into(),
        ));
    }
    if let Some(package) = package(here) {
        let why = format!("the cargo package {package}, found here");
        return Ok((Start::Package(package), why));
    }
    if let Some((file, command)) = PROGRAMS.iter().find(|(file, _)| is_here(file)) {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let why = format!("{}, since {file} was found here", command.join(" "));
        return Ok((Start::Command(command), why));
    }
    match COMPOSE.iter().find(|name| is_here(name)) {
        Some(name) => Err(Error::Compose((*name).to_owned())),
        None => Err(Error::Nothing),
    }
}

/// An image's name as a template over the release. A digest names no release, and a port is no tag.
fn image(image: &str) -> Start {
    let tagged = image
        .rsplit_once(':')
        .filter(|(name, tag)| !name.contains('@') && !tag.contains('/') && !tag.is_empty());
    match tagged {
        Some((name, tag)) => Start::Image {
            name: format!("{name}:{{release}}"),
            release: Some(tag.to_owned()),
        },
        None => Start::Image {
            name: image.to_owned(),
            release: None,
        },
    }
}

/// The package of a `Cargo.toml` here that has a program.
fn package(here: &Path) -> Option<String> {
    let manifest: toml::Table = std::fs::read_to_string(here.join("Cargo.toml"))
        .ok()?
        .parse()
        .ok()?;
    let name = manifest.get("package")?.get("name")?.as_str()?;
    here.join("src/main.rs").is_file().then(|| name.to_owned())
}

/// The first port that a Dockerfile exposes.
fn exposed(dockerfile: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(dockerfile).ok()?;
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let is_expose = words.next()?.eq_ignore_ascii_case("EXPOSE");
        let port = words.next()?.split('/').next()?;
        if is_expose { port.parse().ok() } else { None }
    })
}

/// The service's name: as given, or of the image, the package or the folder, with what a name may not have left out.
fn name(args: &Args, here: &Path, start: &Start) -> Result<String, Error> {
    if let Some(name) = &args.name {
        let cleaned = cleaned(name);
        return if cleaned == *name {
            Ok(cleaned)
        } else {
            Err(Error::BadName(name.clone()))
        };
    }
    let source = match start {
        Start::Image { name, .. } => {
            let last = name.rsplit('/').next().unwrap_or(name);
            last.split([':', '@']).next().unwrap_or(last).to_owned()
        }
        Start::Package(package) => package.clone(),
        Start::Dockerfile(_) | Start::Command(_) => std::path::absolute(here)
            .ok()
            .and_then(|here| Some(here.file_name()?.to_string_lossy().into_owned()))
            .unwrap_or_default(),
    };
    let name = cleaned(&source);
    if name.is_empty() {
        Err(Error::BadName(source))
    } else {
        Ok(name)
    }
}

/// Small letters, digits and single hyphens, as names in files and networks may be.
fn cleaned(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_of(image_name: &str) -> (String, Option<String>) {
        match image(image_name) {
            Start::Image { name, release } => (name, release),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_tag_is_a_release() {
        assert_eq!(
            start_of("shop:1.8"),
            ("shop:{release}".into(), Some("1.8".into()))
        );
        assert_eq!(
            start_of("host:5000/shop:1.8"),
            ("host:5000/shop:{release}".into(), Some("1.8".into()))
        );
        for untagged in ["shop", "host:5000/shop", "shop@sha256:0123"] {
            assert_eq!(start_of(untagged), (untagged.into(), None));
        }
    }

    #[test]
    fn the_first_exposed_port_is_the_port() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Dockerfile");
        for (text, port) in [
            ("FROM scratch\nexpose 5000/tcp 9000\nEXPOSE 1\n", Some(5000)),
            ("FROM scratch\nEXPOSE $PORT\n", None),
            ("FROM scratch\n", None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(exposed(&path), port, "{text}");
        }
    }

    #[test]
    fn a_folder_without_a_service_is_refused_and_a_compose_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(detected(folder.path()), Err(Error::Nothing)));
        std::fs::write(folder.path().join("compose.yaml"), "services: {}\n").unwrap();
        assert!(matches!(detected(folder.path()), Err(Error::Compose(name)) if name == "compose.yaml"));
        std::fs::write(folder.path().join("app.py"), "").unwrap();
        let (start, _) = detected(folder.path()).unwrap();
        assert_eq!(start, Start::Command(vec!["python3".into(), "app.py".into()]));
    }

    #[test]
    fn a_name_has_small_letters_digits_and_hyphens() {
        for (given, name) in [("My_Shop 2", "my-shop-2"), ("--", ""), ("shop", "shop")] {
            assert_eq!(cleaned(given), name);
        }
    }
}
