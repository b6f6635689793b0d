//! "Did you mean": the nearest allowed word to a misspelt one.

/// The allowed word nearest to `word`, if it is near enough to be a typo of it.
///
/// ```
/// use pool_controller::config::suggest::nearest;
/// assert_eq!(nearest("enforced", ["observe", "enforce"]), Some("enforce"));
/// ```
pub fn nearest<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    // A third of the letters wrong is another word, not a typo.
    let distance_max = (word.chars().count() / 3).max(1);
    allowed
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `, did you mean "x"?` or nothing.
///
/// ```
/// use pool_controller::config::suggest::hint;
/// assert_eq!(hint("enforced", ["observe", "enforce"]), ", did you mean \"enforce\"?");
/// ```
pub fn hint<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, allowed).map_or_else(String::new, |near| format!(", did you mean {near:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_word_and_other_words_do_not() {
        let allowed = ["missing-put", "memory-balloon"];
        assert_eq!(nearest("mising-put", allowed), Some("missing-put"));
        assert_eq!(nearest("Missing-Putt", allowed), Some("missing-put"));
        assert_eq!(nearest("memory-ballon", allowed), Some("memory-balloon"));
        assert_eq!(nearest("latency", allowed), None);
        assert_eq!(nearest("", allowed), None);
    }
}
