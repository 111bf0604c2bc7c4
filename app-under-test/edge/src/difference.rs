//! What is different between a release and the last working one: the version, the configuration, and the source files,
//! where the configuration file says where the sources are.
//!
//! Faces two releases as [`Release`]s on one side and the body of an alert on the other. Values of configuration keys
//! that sound like secrets are never shown, only that they changed.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use similar::TextDiff;

use crate::redact;

/// What is known of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Release {
    /// The folder of its sources.
    pub source: Option<PathBuf>,
    /// Its configuration.
    pub configuration: BTreeMap<String, String>,
}

/// A file's or folder's failure while comparing.
#[derive(Debug, thiserror::Error)]
#[error("comparing sources: {}: {source}", path.display())]
pub struct Error {
    /// Of what.
    path: PathBuf,
    /// The cause.
    source: io::Error,
}

/// What happened to a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is not the same: the changed lines, as `diff -u` shows them; `None` for what is no text.
    Changed(Option<String>),
}

/// The difference between two releases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The names: of the last working release, and of the one at fault.
    pub versions: (String, String),
    /// Configuration keys with the old and the new value; `None` where there is none.
    pub configuration: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Source files, by their path inside the folder.
    pub files: BTreeMap<String, Change>,
    /// What was not compared, and why.
    pub not_compared: Option<String>,
}

/// Of larger files only the name is shown: sources are small.
const LARGEST: usize = 1 << 20;
/// More files than this are not compared.
const MOST_FILES: usize = 5000;
/// Folders that hold no sources.
const NOT_SOURCES: [&str; 4] = [".git", "target", "node_modules", "__pycache__"];
/// What the shown difference is cut at, in bytes.
const LONGEST: usize = 6 << 10;

/// Compares two releases.
pub fn between(old: (&str, Option<&Release>), new: (&str, Option<&Release>)) -> Difference {
    let mut difference = Difference {
        versions: (old.0.to_owned(), new.0.to_owned()),
        ..Difference::default()
    };
    let none = Release::default();
    let (old, new) = (old.1.unwrap_or(&none), new.1.unwrap_or(&none));
    difference.configuration = configuration(&old.configuration, &new.configuration);
    match (&old.source, &new.source) {
        (Some(old), Some(new)) => match files(old, new) {
            Ok(files) => difference.files = files,
            Err(error) => difference.not_compared = Some(error.to_string()),
        },
        _ => difference.not_compared = Some("where the sources are is not configured".into()),
    }
    difference
}

fn configuration(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let shown = |key: &str, value: Option<&String>| {
        value.map(|value| {
            if redact::sounds_secret(key) {
                redact::HIDDEN.to_owned()
            } else {
                value.clone()
            }
        })
    };
    old.keys()
        .chain(new.keys())
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| (key.clone(), (shown(key, old.get(key)), shown(key, new.get(key)))))
        .collect()
}

/// Source files that differ between two folders.
///
/// # Errors
/// When a folder or file cannot be read.
pub fn files(old: &Path, new: &Path) -> Result<BTreeMap<String, Change>, Error> {
    let (before, after) = (list(old)?, list(new)?);
    let mut changes = BTreeMap::new();
    for (name, path) in &before {
        match after.get(name) {
            None => drop(changes.insert(name.clone(), Change::Removed)),
            Some(other) => {
                if let Some(change) = file(name, path, other)? {
                    changes.insert(name.clone(), change);
                }
            }
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        changes.insert(name.clone(), Change::Added);
    }
    Ok(changes)
}

/// The difference of one file; `None` when there is none.
fn file(name: &str, old: &Path, new: &Path) -> Result<Option<Change>, Error> {
    let (old, new) = (read(old)?, read(new)?);
    if old == new {
        return Ok(None);
    }
    let text = |content: Vec<u8>| {
        String::from_utf8(content)
            .ok()
            .filter(|text| text.len() <= LARGEST)
    };
    let (Some(old), Some(new)) = (text(old), text(new)) else {
        return Ok(Some(Change::Changed(None)));
    };
    let lines = TextDiff::configure()
        .timeout(std::time::Duration::from_millis(200))
        .diff_lines(&old, &new)
        .unified_diff()
        .context_radius(1)
        .header(name, name)
        .to_string();
    Ok(Some(Change::Changed(Some(lines))))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error { path, source }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(failed(path))
}

/// The files below a folder, by their path inside it. Links are not followed.
fn list(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for entry in std::fs::read_dir(&here).map_err(failed(&here))? {
            let entry = entry.map_err(failed(&here))?;
            let (kind, path) = (entry.file_type().map_err(failed(&here))?, entry.path());
            let sources = !NOT_SOURCES.iter().any(|name| entry.file_name() == *name);
            if kind.is_dir() && sources {
                folders.push(path);
            } else if kind.is_file() && files.len() < MOST_FILES {
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                files.insert(name, path);
            }
        }
    }
    Ok(files)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("version: {} -> {}\n", self.versions.0, self.versions.1);
        let none = || "(none)".to_owned();
        for (key, (old, new)) in &self.configuration {
            let (old, new) = (old.clone().unwrap_or_else(none), new.clone().unwrap_or_else(none));
            text.push_str(&format!("configuration: {key}: {old} -> {new}\n"));
        }
        for (name, change) in &self.files {
            match change {
                Change::Added => text.push_str(&format!("added: {name}\n")),
                Change::Removed => text.push_str(&format!("removed: {name}\n")),
                Change::Changed(None) => text.push_str(&format!("changed: {name} (no text)\n")),
                Change::Changed(Some(lines)) => text.push_str(lines),
            }
        }
        if let Some(why) = &self.not_compared {
            text.push_str(&format!("sources not compared: {why}\n"));
        }
        let end = (0..=LONGEST.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at));
        let end = end.unwrap_or_default();
        f.write_str(&text[..end])?;
        if end < text.len() {
            writeln!(f, "\n... {} bytes more", text.len() - end)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(files: &[(&str, &[u8])], configuration: &[(&str, &str)]) -> (tempfile::TempDir, Release) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let release = Release {
            source: Some(folder.path().to_owned()),
            configuration: configuration
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
        };
        (folder, release)
    }

    #[test]
    fn the_one_letter_of_the_incident_is_shown() {
        let v1 = b"with open('urls.json') as urls_file:\n    urls = json.load(urls_file)\n";
        let v2 = b"with open('urls.json') as urls_file:\n    urls = json.loads(urls_file)\n";
        let (_old, old) = release(&[("app/__init__.py", v1), ("same.py", b"x")], &[]);
        let (_new, new) = release(&[("app/__init__.py", v2), ("same.py", b"x")], &[]);
        insta::assert_snapshot!(between(("v1", Some(&old)), ("v2", Some(&new))).to_string(), @r"
        version: v1 -> v2
        --- app/__init__.py
        +++ app/__init__.py
        @@ -1,2 +1,2 @@
         with open('urls.json') as urls_file:
        -    urls = json.load(urls_file)
        +    urls = json.loads(urls_file)
        ");
    }

    #[test]
    fn added_removed_and_binary_files_are_named() {
        let (_old, old) = release(&[("gone.rs", b"a"), ("logo.png", b"\xff\x00")], &[]);
        let (_new, new) = release(
            &[("new.rs", b"a"), ("logo.png", b"\xff\x01"), (".git/HEAD", b"x")],
            &[],
        );
        let files = between(("v1", Some(&old)), ("v2", Some(&new))).files;
        let expected = [
            ("gone.rs", Change::Removed),
            ("logo.png", Change::Changed(None)),
            ("new.rs", Change::Added),
        ];
        assert_eq!(
            files,
            BTreeMap::from(expected.map(|(name, change)| (name.to_owned(), change)))
        );
    }

    #[test]
    fn a_changed_secret_is_said_to_have_changed_and_not_shown() {
        let (_old, old) = release(&[], &[("POOL", "4"), ("API_TOKEN", "hunter2")]);
        let (_new, new) = release(&[], &[("POOL", "8"), ("API_TOKEN", "hunter3")]);
        let text = between(("v1", Some(&old)), ("v2", Some(&new))).to_string();
        assert!(text.contains("configuration: POOL: 4 -> 8"), "{text}");
        assert!(text.contains("API_TOKEN: [redacted] -> [redacted]"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }

    #[test]
    fn what_cannot_be_compared_is_said() {
        let missing = Release {
            source: Some("/nowhere/at/all".into()),
            ..Release::default()
        };
        assert!(
            between(("v1", None), ("v2", None))
                .to_string()
                .contains("not configured")
        );
        let text = between(("v1", Some(&missing)), ("v2", Some(&missing))).to_string();
        assert!(text.contains("/nowhere/at/all"), "{text}");
    }
}
