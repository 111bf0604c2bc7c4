//! The Redis of this machine: whether it is there, and its files for an image.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An image of nothing but its programs and their libraries, which lie in a folder `root` as they lie here.
pub const DOCKERFILE: &str = "FROM scratch\nCOPY root/ /\nENTRYPOINT [\"/usr/bin/redis-server\"]\n";

const PROGRAMS: [&str; 2] = ["/usr/bin/redis-server", "/usr/bin/redis-cli"];

/// Why Redis cannot be drilled here.
pub fn missing() -> Option<String> {
    let missing = PROGRAMS.iter().find(|program| !Path::new(program).is_file())?;
    Some(format!("no {missing}: install redis-server"))
}

/// The programs and what they load, each with its place below a root folder.
pub fn files() -> Vec<(PathBuf, PathBuf)> {
    let mut files: BTreeSet<PathBuf> = PROGRAMS.iter().map(PathBuf::from).collect();
    for program in PROGRAMS {
        let output = Command::new("ldd").arg(program).output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let paths = output.split_whitespace().filter(|word| word.starts_with('/'));
        files.extend(paths.map(PathBuf::from));
    }
    let below = |file: PathBuf| {
        let place = file.strip_prefix("/").unwrap().to_owned();
        // Debian's programs are links to one of many names.
        (file.canonicalize().unwrap(), place)
    };
    files.into_iter().map(below).collect()
}
