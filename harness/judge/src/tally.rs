//! Short lists of counts, or of groups, in the order in which their keys first came.

/// The value of a key, added with its default when the key is new.
///
/// A list, not a map: there are a handful of keys, reports show them in this order, and stored reports must not change.
pub fn entry<K: PartialEq, V: Default>(list: &mut Vec<(K, V)>, key: K) -> &mut V {
    let at = list
        .iter()
        .position(|(known, _)| *known == key)
        .unwrap_or_else(|| {
            list.push((key, V::default()));
            list.len() - 1
        });
    &mut list[at].1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted_in_the_order_in_which_they_first_came() {
        let mut counts: Vec<(char, usize)> = Vec::new();
        for letter in "abacab".chars() {
            *entry(&mut counts, letter) += 1;
        }
        assert_eq!(counts, [('a', 3), ('b', 2), ('c', 1)]);
    }
}
