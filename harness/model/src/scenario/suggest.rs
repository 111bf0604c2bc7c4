//! "Did you mean": the nearest known name.

/// A name of more bytes than this is no mistyped one.
const LONGEST: usize = 200;

/// The advice after an unknown name: the nearest known one, or the list of them.
pub(super) fn advice<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "none is defined".into(),
        None => format!("available: {}", list(&known)),
    }
}

/// The nearest known name within one edit per three characters (Damerau–Levenshtein distance).
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance takes memory for each pair of characters, and no known name is nearly as long.
    let known = known.into_iter().filter(|_| name.len() <= LONGEST);
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        // A long name may have more mistakes; a fixed number would match any short name with any other.
        .filter(|(edits, candidate)| *edits <= candidate.chars().count().div_ceil(3))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// The names, quoted, with `…` after the first 24.
pub(super) fn list<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 24;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{}`", name.as_ref()))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text.push_str(", …");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_gets_a_suggestion_and_any_other_name_a_list() {
        assert_eq!(advice("sumary", ["summary", "system"]), "did you mean `summary`?");
        assert_eq!(advice("colour", ["a", "b"]), "available: `a`, `b`");
        assert_eq!(advice("x", []), "none is defined");
        assert_eq!(nearest(&"x".repeat(1 << 20), ["summary"]), None);
    }
}
