//! Reads the text format of Prometheus, to see whether a scraper could.

use std::collections::BTreeSet;

/// The names that have samples.
///
/// # Errors
/// The first line that is none of the format, with its number.
pub(super) fn names(text: &str) -> Result<BTreeSet<&str>, String> {
    let mut names = BTreeSet::new();
    for (n, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, rest) = sample(line).ok_or_else(|| format!("line {n} is no sample: {line}"))?;
        let mut words = rest.split_ascii_whitespace();
        let has_value = words.next().is_some_and(|value| value.parse::<f64>().is_ok());
        let has_time = words.next().is_none_or(|time| time.parse::<i64>().is_ok());
        if !has_value || !has_time || words.next().is_some() {
            return Err(format!("line {n} has no value: {line}"));
        }
        names.insert(name);
    }
    Ok(names)
}

/// A sample's name, and what follows its labels.
fn sample(line: &str) -> Option<(&str, &str)> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    match rest.strip_prefix('{') {
        Some(labels) => Some((name, labels_end(labels)?)),
        None => rest.starts_with(' ').then_some((name, rest)),
    }
}

/// What follows the closing brace. Values are quoted, and may have braces and escaped quotes in them.
fn labels_end(labels: &str) -> Option<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in labels.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '}' if !is_quoted => return Some(&labels[at + 1..]),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_named_whatever_their_labels_are() {
        let text = "# HELP a_total Of a.\n# TYPE a_total counter\na_total{pool=\"}\\\"x\"} 3\nb 1.5e3 1700000000\nc{} NaN\n\nd +Inf\n";
        assert_eq!(names(text).unwrap().into_iter().collect::<Vec<_>>(), ["a_total", "b", "c", "d"]);
    }

    #[test]
    fn what_is_no_sample_is_told_with_its_line() {
        for bad in ["<html>", "a", "a{pool=\"x\" 1", "1a 3", "a one", "a 1 2 3", "{\"error\":1}"] {
            let error = names(&format!("# fine\n{bad}\n")).unwrap_err();
            assert!(error.starts_with("line 2 "), "{bad}: {error}");
        }
    }
}
