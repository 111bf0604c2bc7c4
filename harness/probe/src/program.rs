//! The programs of journeys: looked for before anything starts, so that a missing one never looks like a service that is
//! down.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::Error;
use firedrill_model::scenario::{CommandProbe, System, Template};

/// Looks for the program of every journey that has one. `folder` is that of the system file.
///
/// # Errors
/// [`Error::NoProgram`] for the first that is not here.
pub fn find_programs(system: &System, folder: &Path) -> Result<(), Error> {
    for journey in &system.journeys {
        if let Some(command) = &journey.command {
            find(&journey.name, command, folder)?;
        }
    }
    Ok(())
}

/// The program of a command: its name as the file says it, which it may look at, and its absolute path.
pub(super) fn find(journey: &str, command: &CommandProbe, folder: &Path) -> Result<(String, PathBuf), Error> {
    let word = command.argv.first().map(String::as_str).unwrap_or_default();
    // The loader has checked that it has no placeholder, and may have escaped braces.
    let name = Template::parse(word).and_then(|template| template.render(|_| None));
    let name = name.map_err(|source| Error::template(word, source))?;
    let path = match command.env.get("PATH") {
        Some(path) => Some(OsString::from(path)),
        None => std::env::var_os("PATH"),
    };
    let found = if name.contains('/') {
        executable(folder.join(&name))
    } else {
        let folders = path.iter().flat_map(std::env::split_paths);
        folders
            .filter(|_| !name.is_empty())
            .find_map(|folder| executable(folder.join(&name)))
    };
    match found {
        Some(path) => Ok((name, path)),
        None => Err(Error::NoProgram {
            journey: journey.to_owned(),
            program: name,
        }),
    }
}

/// The absolute path of a file that can be run: the command runs in another folder.
fn executable(path: PathBuf) -> Option<PathBuf> {
    let may_run = path.is_file() && rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok();
    may_run.then(|| std::path::absolute(&path).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(program: &str) -> CommandProbe {
        serde_json::from_value(serde_json::json!({ "argv": [program] })).unwrap()
    }

    #[test]
    fn a_bare_name_is_looked_up_in_path_and_a_path_beside_the_system_file() {
        let (name, found) = find("ask", &command("sh"), Path::new("/nowhere")).unwrap();
        assert!(
            name == "sh" && found.is_absolute() && found.ends_with("sh"),
            "{found:?}"
        );
        let beside = found.parent().unwrap();
        let again = find("ask", &command("./sh"), beside).unwrap();
        assert_eq!(again, ("./sh".to_owned(), beside.join("./sh")));
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for missing in ["no-such-program", "./no-such-program", "./Cargo.toml", "./src"] {
            let refused = find("ask", &command(missing), here);
            let named = matches!(&refused, Err(Error::NoProgram { program, .. }) if program == missing);
            assert!(named, "{refused:?}");
        }
    }
}
