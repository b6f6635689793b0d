//! Documents of figures are what their data say, to the letter: nobody writes a figure there by hand.

use super::{Finding, Repo};
use crate::bench::{self, contrast, limits};
use anyhow::Result;
use serde_json::Value;

/// A document, the data that it is made from, and how.
struct Made {
    data: &'static str,
    document: &'static str,
    make: fn(&Value) -> Result<String>,
    /// What writes it.
    command: &'static str,
}

const PERFORMANCE: Made = Made {
    data: bench::DATA,
    document: bench::DOCUMENT,
    make: bench::document,
    command: "cargo xtask bench report",
};
const LIMITS: Made = Made {
    data: limits::DATA,
    document: limits::DOCUMENT,
    make: limits::document,
    command: "cargo xtask bench limits",
};

const CONTRAST: Made = Made {
    data: contrast::DATA,
    document: contrast::DOCUMENT,
    make: contrast::document,
    command: "cargo xtask bench contrast",
};

/// Makes each document from its data again and compares.
pub(super) fn measured(repo: &Repo) -> Vec<Finding> {
    [PERFORMANCE, LIMITS, CONTRAST].iter().flat_map(|made| compare(repo, made)).collect()
}

fn compare(repo: &Repo, made: &Made) -> Vec<Finding> {
    let Made { data: of, document, make, command } = *made;
    let (data, text) = (repo.tree.file(of), repo.tree.file(document));
    let (data, text) = match (data, text) {
        (Some(data), Some(text)) => (&data.text, &text.text),
        (data, _) => {
            let missing = if data.is_none() { of } else { document };
            return vec![Finding::new(missing, 1, format!("is not there; `{command}` writes it"))];
        }
    };
    let parsed = serde_json::from_str(data).map_err(anyhow::Error::from);
    let made = match parsed.and_then(|data| make(&data)) {
        Ok(made) => made,
        Err(error) => {
            return vec![Finding::new(of, 1, format!("no document can be made of it: {error:#}"))];
        }
    };
    if made == *text {
        return Vec::new();
    }
    let line = made.lines().zip(text.lines()).take_while(|(made, found)| made == found).count() + 1;
    let message = format!("is not what {of} says; allowed: what `{command}` writes");
    vec![Finding::new(document, line, message)]
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;
    use crate::bench::{DATA, DOCUMENT, document};

    /// As little as a document can be made of.
    fn data() -> String {
        let machine = r#"{"cpu":"c","cores":"2","kernel":"k","load_at_start":"0","load_at_end":"0","rustc":"r",
                          "go":"none","glibc":"2","jemalloc":"5","mimalloc":"3"}"#;
        format!(
            r#"{{"peers":{{"machine":{machine},"targets":[],"skipped":[],"rows":[]}},"crates":{{}},"pays":{{"rows":[]}},"control":{{"rows":[]}},
                 "cost":{{"arch":"a","rustc":"r","valgrind":"v","cases":[{{"name":"pair","instructions":7}}]}}}}"#
        )
    }

    fn made() -> String {
        document(&serde_json::from_str(&data()).unwrap()).unwrap()
    }

    fn found(data: &str, text: &str) -> Vec<String> {
        shown(&compare(&Repo::of(&[(DATA, data), (DOCUMENT, text)]), &PERFORMANCE))
    }

    #[test]
    fn the_document_as_made_passes() {
        assert_eq!(found(&data(), &made()), Vec::<String>::new());
    }

    #[test]
    fn a_figure_changed_by_hand_is_found_with_its_line() {
        let text = made().replace("| pair | 7.0 |", "| pair | 6.0 |");
        let line = text.lines().position(|line| line == "| pair | 6.0 |").unwrap() + 1;
        let expected = format!(
            "docs/performance.md:{line}: is not what docs/performance.json says; allowed: what `cargo xtask bench \
             report` writes"
        );
        assert_eq!(found(&data(), &text), [expected]);
        assert_eq!(found(&data().replace('7', "8"), &made()).len(), 1);
        assert_eq!(found(&data(), &(made() + "\nmore\n")).len(), 1);
    }

    #[test]
    fn each_document_is_compared() {
        let all = [PERFORMANCE, LIMITS, CONTRAST].map(|made| [(made.data, "{}"), (made.document, "by hand")]);
        let found = shown(&measured(&Repo::of(all.as_flattened())));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().all(|finding| finding.contains("no document can be made")), "{found:?}");
    }

    #[test]
    fn what_is_missing_and_data_that_say_nothing_are_found() {
        assert_eq!(measured(&Repo::of(&[])).len(), 3, "each of them is promised");
        let only = |path, text| shown(&compare(&Repo::of(&[(path, text)]), &PERFORMANCE));
        assert!(only(DATA, "{}")[0].starts_with(DOCUMENT) && only(DOCUMENT, "")[0].starts_with(DATA));
        assert!(found("{}", "")[0].contains("no document can be made"));
    }
}
