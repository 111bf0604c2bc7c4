//! A `.dockerignore`: which files of a build context are left out, by the rules of `docker build`.
//!
//! Takes the text of the file; gives an answer for each path. The rules are those of Go's `filepath.Match`, with `**` for
//! any number of folders; a pattern that matches a folder matches everything in it; the last pattern that matches decides,
//! and `!` makes it an exception.

use std::path::Path;

use regex::Regex;

/// A pattern that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a pattern of a .dockerignore")]
pub(super) struct InvalidPattern {
    pattern: String,
    #[source]
    cause: regex::Error,
}

/// The rules of a `.dockerignore`.
#[derive(Debug, Default)]
pub(super) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    pattern: Regex,
    is_exception: bool,
}

impl Ignore {
    /// Reads the rules.
    ///
    /// # Errors
    /// [`InvalidPattern`].
    pub(super) fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let lines = text.trim_start_matches('\u{feff}').lines();
        let rules = lines.filter(|line| !line.starts_with('#')).filter_map(|line| {
            let line = line.trim();
            let (is_exception, pattern) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            let pattern = clean(pattern);
            // An empty line, or one that names the context itself.
            if pattern.is_empty() {
                return None;
            }
            let rule = expression(&pattern).map(|pattern| Rule {
                pattern,
                is_exception,
            });
            Some(rule.map_err(|cause| InvalidPattern { pattern, cause }))
        });
        let rules = rules.collect::<Result<_, _>>()?;
        Ok(Self { rules })
    }

    /// Whether a path, relative to the context, is left out.
    pub(super) fn excludes(&self, path: &Path) -> bool {
        // The path and every folder that it is in.
        let chain: Vec<String> = path
            .ancestors()
            .map(|part| part.to_string_lossy().into_owned())
            .filter(|part| !part.is_empty())
            .collect();
        let matches = |rule: &&Rule| chain.iter().any(|part| rule.pattern.is_match(part));
        let last = self.rules.iter().rev().find(matches);
        last.is_some_and(|rule| !rule.is_exception)
    }

    /// Whether something in a folder that is left out may be kept all the same.
    pub(super) fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|rule| rule.is_exception)
    }
}

/// The pattern without what changes nothing: `./`, doubled and outer slashes, `x/..`.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The pattern as a regular expression over a whole path.
fn expression(pattern: &str) -> Result<Regex, regex::Error> {
    let mut text = String::from("^");
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.next_if_eq(&'*').is_some() => match rest.next_if_eq(&'/') {
                Some(_) => text.push_str("(?:.*/)?"),
                None => text.push_str(".*"),
            },
            '*' => text.push_str("[^/]*"),
            '?' => text.push_str("[^/]"),
            // A set of characters is one there too, with the same signs for a range and a negation.
            '[' => {
                text.push('[');
                for c in rest.by_ref() {
                    if c == '[' {
                        text.push('\\');
                    }
                    text.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '\\' => text.push_str(&regex::escape(&rest.next().unwrap_or('\\').to_string())),
            c => text.push_str(&regex::escape(&c.to_string())),
        }
    }
    text.push('$');
    Regex::new(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<'a>(rules: &str, paths: &[&'a str]) -> Vec<&'a str> {
        let ignore = Ignore::parse(rules).unwrap();
        let kept = paths.iter().filter(|path| !ignore.excludes(Path::new(path)));
        kept.copied().collect()
    }

    #[test]
    fn a_pattern_matches_a_whole_path_and_what_is_below_it() {
        let paths = [
            ".git",
            ".git/HEAD",
            "src/.git",
            "secret.txt",
            "a/secret.txt",
            "secret.txt.md",
        ];
        assert_eq!(
            kept(".git\nsecret.txt\n", &paths),
            ["src/.git", "a/secret.txt", "secret.txt.md"]
        );
        assert_eq!(
            kept("/.git/\n./secret.txt\n", &paths),
            ["src/.git", "a/secret.txt", "secret.txt.md"]
        );
    }

    #[test]
    fn stars_stay_in_a_folder_and_two_of_them_do_not() {
        let paths = ["a.txt", "x/a.txt", "x/y/a.txt", "x/b.md"];
        assert_eq!(kept("*.txt", &paths), ["x/a.txt", "x/y/a.txt", "x/b.md"]);
        assert_eq!(kept("*/*.txt", &paths), ["a.txt", "x/y/a.txt", "x/b.md"]);
        assert_eq!(kept("**/*.txt", &paths), ["x/b.md"]);
        assert_eq!(kept("x/**", &paths), ["a.txt"]);
        assert_eq!(kept("**", &paths), Vec::<&str>::new());
        assert_eq!(kept("?.txt\n[w-y]/b*", &paths), ["x/a.txt", "x/y/a.txt"]);
    }

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let paths = ["a.md", "b.md", "docs/c.md", "docs/keep/d.md"];
        assert_eq!(
            kept("*.md\n!b.md", &paths),
            ["b.md", "docs/c.md", "docs/keep/d.md"]
        );
        assert_eq!(kept("!b.md\n*.md", &paths), ["docs/c.md", "docs/keep/d.md"]);
        assert_eq!(
            kept("docs\n!docs/keep", &paths),
            ["a.md", "b.md", "docs/keep/d.md"]
        );
    }

    #[test]
    fn comments_and_empty_lines_and_a_byte_order_mark_are_no_patterns() {
        assert_eq!(
            kept("\u{feff}# all of it\n\n  \n.\n/\n", &["a", "#b"]),
            ["a", "#b"]
        );
        assert_eq!(kept("\\#b", &["a", "#b"]), ["a"]);
        assert!(Ignore::parse("[").is_err());
    }
}
