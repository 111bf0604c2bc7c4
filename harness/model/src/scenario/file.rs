//! A file's text, read with care, and the way it is shown.
//!
//! Takes a path; gives the loader text of a bounded size, or the problem.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use miette::NamedSource;

use super::problem::{Code, Problem, Text};

/// The largest scenario, system or project file, in bytes.
pub(super) const LARGEST: u64 = 1 << 20;

/// The file's text.
pub(super) fn read(path: &Path) -> Result<Text, Problem> {
    let shown = shown(path);
    let unreadable = |cause: std::io::Error| {
        Problem::of_file(
            Code::FileUnreadable,
            &shown,
            format!("cannot read {shown}: {cause}"),
        )
        .help("give the path of a scenario file, or its name")
    };
    let bytes = bytes(path).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        let message = format!("{shown} is larger than 1 MiB, the limit for a scenario file");
        return Err(Problem::of_file(Code::FileTooLarge, &shown, message).help("is it the right file?"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::new(NamedSource::new(shown, text))),
        Err(cause) => {
            // The offset, because a line cannot be counted in bytes that are not text.
            let at = cause.utf8_error().valid_up_to();
            let message = format!("{shown} is not UTF-8 text: invalid byte at offset {at}");
            Err(Problem::of_file(Code::FileNotUtf8, &shown, message).help("save it as UTF-8"))
        }
    }
}

/// At most one byte more than the limit, and only of a regular file: a pipe would never end.
fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The path as a reader would type it: relative when it is relative, or when it lies near the current folder.
pub(super) fn shown(path: &Path) -> String {
    let near = || {
        let here = std::env::current_dir().ok()?;
        let common = here
            .components()
            .zip(path.components())
            .take_while(|(a, b)| a == b)
            .count();
        let up = here.components().count() - common;
        let rest = path.components().skip(common);
        // More than two `..` are harder to read than the absolute path.
        (up <= 2).then(|| {
            std::iter::repeat_n(Component::ParentDir, up)
                .chain(rest)
                .collect::<PathBuf>()
        })
    };
    match path.is_absolute().then(near).flatten() {
        Some(near) => near.display().to_string(),
        None => path.display().to_string(),
    }
}

/// The path without `.` and without `name/..`; symbolic links are not looked at.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match (component, tidy.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                tidy.pop();
            }
            _ => tidy.push(component),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_tidied_without_losing_its_way_up() {
        for (path, expected) in [
            ("a/../b", "b"),
            ("../a", "../a"),
            ("./a/./b", "a/b"),
            ("a/b/../../../c", "../c"),
        ] {
            assert_eq!(tidy(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn a_path_below_the_current_folder_is_shown_relative() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(shown(&here.join("x/y.toml")), "x/y.toml");
        assert_eq!(shown(Path::new("x/y.toml")), "x/y.toml");
    }
}
