//! What changed between two releases: the version, the configuration, and the source files where their folders are
//! configured.
//!
//! Takes two releases as [`ReleaseDetails`], gives a [`Difference`] that prints as the text for an alert. Values of
//! configuration keys that sound like secrets are hidden; only the fact that they changed is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use similar::TextDiff;

use crate::redact;

/// Where a release's sources are, and how it is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseDetails {
    /// The folder of its sources.
    pub source: Option<PathBuf>,
    /// Its configuration.
    pub configuration: BTreeMap<String, String>,
}

/// A source file or folder that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct Error {
    /// The file or folder.
    path: PathBuf,
    /// The cause.
    source: io::Error,
}

/// How a source file changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Change {
    /// The file is new.
    Added,
    /// The file was removed.
    Removed,
    /// The changed lines, as `diff -u` prints them; `None` for a binary or very large file.
    Changed(Option<String>),
}

/// The difference between two releases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The names of the last working release and of the faulty one.
    pub versions: (String, String),
    /// Changed configuration keys with the old and the new value; `None` where the key is missing.
    pub configuration: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Changed source files, by their path inside the source folder.
    pub files: BTreeMap<String, Change>,
    /// Why the sources were not compared, if they were not.
    pub not_compared: Option<String>,
}

/// Of a larger file only the name is shown, in bytes.
const MAX_FILE: usize = 1 << 20;
/// Files compared in one folder.
const MAX_FILES: usize = 5000;
/// Folders without sources.
const SKIPPED_FOLDERS: [&str; 4] = [".git", "target", "node_modules", "__pycache__"];
/// The printed difference is cut here, in bytes.
const MAX_TEXT: usize = 6 << 10;

/// Compares two releases, each given by its name and, where configured, its details. A failure to read the sources is
/// part of the result: an alert must not fail because of it.
pub fn compare(old: (&str, Option<&ReleaseDetails>), new: (&str, Option<&ReleaseDetails>)) -> Difference {
    let mut difference = Difference {
        versions: (old.0.to_owned(), new.0.to_owned()),
        ..Difference::default()
    };
    let none = ReleaseDetails::default();
    let (old, new) = (old.1.unwrap_or(&none), new.1.unwrap_or(&none));
    difference.configuration = configuration(&old.configuration, &new.configuration);
    match (&old.source, &new.source) {
        (Some(old), Some(new)) => match files(old, new) {
            Ok(files) => difference.files = files,
            Err(error) => difference.not_compared = Some(error.to_string()),
        },
        _ => difference.not_compared = Some("no source folder is configured".into()),
    }
    difference
}

fn configuration(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let shown = |key: &str, value: Option<&String>| {
        value.map(|value| {
            if redact::is_secret_name(key) {
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
fn files(old: &Path, new: &Path) -> Result<BTreeMap<String, Change>, Error> {
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

/// How one file differs; `None` when both versions are equal.
fn file(name: &str, old: &Path, new: &Path) -> Result<Option<Change>, Error> {
    let (old, new) = (read(old)?, read(new)?);
    if old == new {
        return Ok(None);
    }
    // A large file is only said to have changed: its difference would take long and fill the alert.
    let text = |content: Vec<u8>| {
        String::from_utf8(content)
            .ok()
            .filter(|text| text.len() <= MAX_FILE)
    };
    let (Some(old), Some(new)) = (text(old), text(new)) else {
        return Ok(Some(Change::Changed(None)));
    };
    // The time limit bounds the search for the *shortest* difference; a longer one is still correct.
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

/// The files below a folder, by their path inside it. Symbolic links are not followed.
fn list(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for entry in std::fs::read_dir(&here).map_err(failed(&here))? {
            let entry = entry.map_err(failed(&here))?;
            let (kind, path) = (entry.file_type().map_err(failed(&here))?, entry.path());
            let is_source = !SKIPPED_FOLDERS.iter().any(|name| entry.file_name() == *name);
            if kind.is_dir() && is_source {
                folders.push(path);
            } else if kind.is_file() && files.len() < MAX_FILES {
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
                Change::Changed(None) => text.push_str(&format!("changed: {name} (binary)\n")),
                Change::Changed(Some(lines)) => text.push_str(lines),
            }
        }
        if let Some(why) = &self.not_compared {
            text.push_str(&format!("sources not compared: {why}\n"));
        }
        // At the border of a character, or the slice below would panic.
        let end = (0..=MAX_TEXT.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at));
        let end = end.unwrap_or_default();
        f.write_str(&text[..end])?;
        if end < text.len() {
            writeln!(f, "\n... {} more bytes", text.len() - end)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(
        files: &[(&str, &[u8])],
        configuration: &[(&str, &str)],
    ) -> (tempfile::TempDir, ReleaseDetails) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let release = ReleaseDetails {
            source: Some(folder.path().to_owned()),
            configuration: configuration
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
        };
        (folder, release)
    }

    #[test]
    fn the_changed_letter_of_the_incident_is_shown() {
        let v1 = b"with open('urls.json') as urls_file:\n    urls = json.load(urls_file)\n";
        let v2 = b"with open('urls.json') as urls_file:\n    urls = json.loads(urls_file)\n";
        let (_old, old) = release(&[("app/__init__.py", v1), ("same.py", b"x")], &[]);
        let (_new, new) = release(&[("app/__init__.py", v2), ("same.py", b"x")], &[]);
        insta::assert_snapshot!(compare(("v1", Some(&old)), ("v2", Some(&new))).to_string(), @r"
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
    fn added_removed_and_binary_files_are_listed() {
        let (_old, old) = release(&[("gone.rs", b"a"), ("logo.png", b"\xff\x00")], &[]);
        let (_new, new) = release(
            &[("new.rs", b"a"), ("logo.png", b"\xff\x01"), (".git/HEAD", b"x")],
            &[],
        );
        let files = compare(("v1", Some(&old)), ("v2", Some(&new))).files;
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
    fn a_changed_secret_is_listed_without_its_value() {
        let (_old, old) = release(&[], &[("POOL", "4"), ("API_TOKEN", "hunter2")]);
        let (_new, new) = release(&[], &[("POOL", "8"), ("API_TOKEN", "hunter3")]);
        let text = compare(("v1", Some(&old)), ("v2", Some(&new))).to_string();
        assert!(text.contains("configuration: POOL: 4 -> 8"), "{text}");
        assert!(text.contains("API_TOKEN: [redacted] -> [redacted]"), "{text}");
        assert!(!text.contains("hunter"), "{text}");
    }

    #[test]
    fn the_reason_is_printed_when_sources_cannot_be_compared() {
        let missing = ReleaseDetails {
            source: Some("/nowhere/at/all".into()),
            ..ReleaseDetails::default()
        };
        assert!(
            compare(("v1", None), ("v2", None))
                .to_string()
                .contains("no source folder is configured")
        );
        let text = compare(("v1", Some(&missing)), ("v2", Some(&missing))).to_string();
        assert!(text.contains("/nowhere/at/all"), "{text}");
    }
}
