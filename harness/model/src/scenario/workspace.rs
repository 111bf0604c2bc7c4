//! Which packages the cargo workspace around a system file has, read from its manifests.
//!
//! Takes a folder; gives the rules the names of packages. It asks no cargo: files are checked on machines that have none,
//! and often. Where the manifests cannot be read in full, it says of every package that it may be there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::file;
use crate::files::{self, Limit};

/// The name of a manifest.
const MANIFEST: &str = "Cargo.toml";

/// Manifests have a few kilobytes.
const LIMIT: Limit = Limit::new(1 << 20, "a cargo manifest is small");

/// The tables of a manifest that name packages it depends on.
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// A workspace, or a package by itself.
pub(super) struct Workspace {
    root: PathBuf,
    packages: BTreeSet<String>,
    /// Whether every manifest could be read.
    is_complete: bool,
}

impl Workspace {
    /// The workspace that a folder lies in; `None` where there is none.
    pub(super) fn around(folder: &Path) -> Option<Self> {
        let mut manifests = folder
            .ancestors()
            .filter(|folder| folder.join(MANIFEST).is_file())
            .map(|folder| (folder, manifest(folder)));
        // The nearest package, until a workspace is found above it.
        let mut nearest = None;
        let root = manifests.find_map(|(folder, manifest)| {
            nearest.get_or_insert(folder);
            manifest
                .is_none_or(|table| table.contains_key("workspace"))
                .then_some(folder)
        });
        let root = root.or(nearest)?;
        let mut workspace = Self {
            root: root.to_owned(),
            packages: BTreeSet::new(),
            is_complete: true,
        };
        workspace.read();
        Some(workspace)
    }

    /// Whether it has, or may have, a package of this name.
    pub(super) fn has(&self, package: &str) -> bool {
        !self.is_complete || self.packages.contains(package)
    }

    /// The names of its packages.
    pub(super) fn packages(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().map(String::as_str)
    }

    /// Its manifest, as a reader would type it.
    pub(super) fn shown(&self) -> String {
        file::shown(&self.root.join(MANIFEST))
    }

    /// Reads the manifests: the root's, those of its members, and those that they depend on by a path.
    fn read(&mut self) {
        let mut left = vec![self.root.clone()];
        let mut seen = BTreeSet::new();
        while let Some(folder) = left.pop() {
            if !seen.insert(folder.clone()) {
                continue;
            }
            let Some(manifest) = manifest(&folder) else {
                self.is_complete = false;
                continue;
            };
            let package = manifest.get("package");
            let name = package.and_then(|package| package.get("name")?.as_str());
            self.packages.extend(name.map(str::to_owned));
            // Its root is another one, which this walk does not find.
            self.is_complete &= package.is_none_or(|package| package.get("workspace").is_none());
            let members = manifest.get("workspace").map(|workspace| self.members(workspace));
            let paths = paths(&manifest).into_iter().map(|path| folder.join(path));
            let near = paths.chain(members.into_iter().flatten());
            left.extend(
                near.map(|path| file::tidy(&path))
                    .filter(|path| path.starts_with(&self.root) && path.join(MANIFEST).is_file()),
            );
        }
    }

    /// The folders that a workspace's `members` match. `exclude` is not looked at: a package too many is no wrong complaint.
    fn members(&self, workspace: &Value) -> Vec<PathBuf> {
        let members = workspace.get("members").and_then(Value::as_array);
        let patterns = members.into_iter().flatten().filter_map(Value::as_str);
        let root = glob::Pattern::escape(&self.root.to_string_lossy());
        let folders = patterns.filter_map(|pattern| glob::glob(&format!("{root}/{pattern}")).ok());
        folders.flatten().filter_map(Result::ok).collect()
    }
}

/// A folder's manifest; `None` when it cannot be read.
fn manifest(folder: &Path) -> Option<Table> {
    let bytes = files::read(&folder.join(MANIFEST), LIMIT).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}

/// The paths of the packages that a manifest names.
fn paths(manifest: &Table) -> Vec<&str> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let of_targets = targets
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    let workspace = manifest.get("workspace").and_then(Value::as_table);
    let tables = std::iter::once(manifest).chain(of_targets).chain(workspace);
    let dependencies = tables.flat_map(|table| DEPENDENCIES.iter().filter_map(|key| table.get(*key)));
    let all = dependencies.filter_map(Value::as_table).flat_map(Table::values);
    all.filter_map(|dependency| dependency.get("path")?.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(manifests: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (folder, text) in manifests {
            let folder = root.path().join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(MANIFEST), text).unwrap();
        }
        std::fs::create_dir_all(root.path().join("scenarios/systems")).unwrap();
        root
    }

    fn packages(manifests: &[(&str, &str)]) -> Option<Vec<String>> {
        let root = folder(manifests);
        let workspace = Workspace::around(&root.path().join("scenarios/systems"))?;
        assert!(workspace.is_complete);
        Some(workspace.packages().map(str::to_owned).collect())
    }

    #[test]
    fn members_by_pattern_and_packages_by_path_are_there() {
        let found = packages(&[
            (
                "",
                "[workspace]\nmembers = [\"crates/*\"]\n[package]\nname = \"root\"\n",
            ),
            (
                "crates/a",
                "[package]\nname = \"a\"\n[dependencies]\nc = { path = \"../../c\" }\n",
            ),
            ("crates/b", "[package]\nname = \"b\"\n"),
            ("c", "[package]\nname = \"c\"\n"),
            ("d", "[package]\nname = \"d\"\n"),
        ]);
        assert_eq!(found.unwrap(), ["a", "b", "c", "root"]);
    }

    #[test]
    fn a_package_by_itself_is_its_own_workspace_and_nothing_is_none() {
        assert_eq!(
            packages(&[("", "[package]\nname = \"only\"\n")]).unwrap(),
            ["only"]
        );
        assert_eq!(packages(&[("elsewhere", "[package]\nname = \"x\"\n")]), None);
    }

    #[test]
    fn where_a_manifest_cannot_be_read_any_package_may_be_there() {
        let root = folder(&[("", "not a manifest")]);
        assert!(Workspace::around(root.path()).unwrap().has("anything"));
    }
}
