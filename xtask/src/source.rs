//! The files of the repository, and a scanner that tells Rust code from its comments and strings.
//!
//! The scanner knows tokens only as far as it must to find where comments, strings and characters end. It
//! does not parse: rules look for words.

use anyhow::{Context, Result};
use std::path::Path;

/// What holds no source of ours: folders, and the file that `.git` is in a second worktree.
const SKIPPED: [&str; 3] = [".git", "target", "node_modules"];

/// Everything that the rules look at.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Sorted by path.
    pub(crate) files: Vec<File>,
}

/// A text file. Binary files are left out.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A line of Rust, seen three ways. Columns are kept: what is left out becomes spaces.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Without comments and without the insides of strings and characters.
    pub(crate) code: String,
    /// Without comments.
    pub(crate) with_strings: String,
}

impl Tree {
    /// Reads all text files below `root`.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        read_folder(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Self { files: files.iter().map(file).collect() }
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.has_extension(&["rs"]))
    }

    /// Whether a file or a folder stands at `path`.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files
            .iter()
            .any(|f| f.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}

impl File {
    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    /// Its lines as Rust.
    pub(crate) fn lines(&self) -> Vec<Line> {
        scan(&self.text)
    }

    /// The number of lines before its tests: tests stand last, or in files of their own.
    pub(crate) fn lines_before_tests(&self) -> usize {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        if name == "tests.rs" || name.ends_with("_tests.rs") || self.path.contains("/tests/") {
            return 0;
        }
        let lines: Vec<_> = self.text.lines().collect();
        let is_tests = |at: &usize| {
            let is_test = lines[*at].starts_with("#[cfg(test)]") || lines[*at].starts_with("#[cfg(all(test");
            let item = lines[*at..].iter().find(|line| !line.starts_with("#[")).copied().unwrap_or_default();
            is_test && item.contains("mod ") && item.ends_with('{')
        };
        (0..lines.len()).find(is_tests).unwrap_or(lines.len())
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        let (path, kind) = (format!("{prefix}{name}"), entry.file_type()?);
        if kind.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).with_context(|| format!("{path} cannot be read"))?;
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(File { path, text });
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    LineComment,
    /// Nested this deep.
    BlockComment(u32),
    Text,
    /// Ends at a quote followed by this many `#`.
    RawText(usize),
}

/// Splits Rust source into lines without comments, with and without the insides of strings.
pub(crate) fn scan(text: &str) -> Vec<Line> {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut with_strings) = (String::new(), String::new());
    let mut state = State::Code;
    let mut at = 0;
    while at < chars.len() {
        let (next_state, length) = step(state, &chars[at..], at.checked_sub(1).map(|before| chars[before]));
        for &c in &chars[at..at + length] {
            let is_comment = |s| matches!(s, State::LineComment | State::BlockComment(_));
            let commented = is_comment(state) || is_comment(next_state);
            let inside = state != State::Code && next_state == state
                || length > 1 && state == State::Code && chars[at] == '\'';
            let shown = |hide: bool| if c == '\n' || !hide { c } else { ' ' };
            code.push(shown(commented || inside));
            with_strings.push(shown(commented));
        }
        state = next_state;
        at += length;
    }
    let lines = code.split('\n').zip(with_strings.split('\n'));
    lines
        .map(|(code, with_strings)| Line { code: code.to_owned(), with_strings: with_strings.to_owned() })
        .collect()
}

/// The state after the next few characters, and how many they are.
fn step(state: State, rest: &[char], before: Option<char>) -> (State, usize) {
    let starts = |what: &str| what.chars().enumerate().all(|(i, c)| rest.get(i) == Some(&c));
    match state {
        State::Code if starts("//") => (State::LineComment, 2),
        State::Code if starts("/*") => (State::BlockComment(1), 2),
        State::Code if starts("\"") => (State::Text, 1),
        State::Code if starts("r\"") || starts("r#") => match raw_text(rest, before) {
            Some(hashes) => (State::RawText(hashes), hashes + 2),
            None => (State::Code, 1),
        },
        State::Code if starts("'") => (State::Code, character(rest)),
        State::LineComment if starts("\n") => (State::Code, 1),
        State::BlockComment(depth) if starts("/*") => (State::BlockComment(depth + 1), 2),
        State::BlockComment(1) if starts("*/") => (State::Code, 2),
        State::BlockComment(depth) if starts("*/") => (State::BlockComment(depth - 1), 2),
        State::Text if starts("\\") => (State::Text, rest.len().min(2)),
        State::Text if starts("\"") => (State::Code, 1),
        State::RawText(hashes) if starts("\"") && starts(&format!("\"{}", "#".repeat(hashes))) => {
            (State::Code, hashes + 1)
        }
        state => (state, 1),
    }
}

/// The number of `#` if a raw string starts here; `r#name` and the end of a longer word are none.
fn raw_text(rest: &[char], before: Option<char>) -> Option<usize> {
    let in_word = before.is_some_and(|c| c != 'b' && c != 'c' && (c.is_alphanumeric() || c == '_'));
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    (!in_word && rest.get(1 + hashes) == Some(&'"')).then_some(hashes)
}

/// The length of a character literal, or 1 if the quote starts a lifetime.
fn character(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', _, tail @ ..] => tail.iter().position(|c| *c == '\'').map_or(1, |end| end + 4),
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

/// Whether `word` stands in `line` by itself, not as part of a longer name. It may hold `::`, `.` or `!`.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        let open_start = word.starts_with(|c: char| !c.is_alphanumeric());
        let open_end = word.ends_with(|c: char| !c.is_alphanumeric());
        (open_start || !part_of_name(before)) && (open_end || !part_of_name(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        scan(text).iter().map(|l| l.code.trim_end()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn comments_go_and_strings_are_emptied() {
        assert_eq!(code("let a = \"x // y\"; // z"), "let a = \"      \";");
        assert_eq!(code("a /* b /* c */ d */ e\nf"), "a                   e\nf");
        assert_eq!(code("a(\"\\\"b\\\\\") + c"), "a(\"     \") + c");
        assert_eq!(scan("a(\"b\") // c")[0].with_strings.trim_end(), "a(\"b\")");
    }

    #[test]
    fn raw_strings_end_where_they_end() {
        assert_eq!(
            code("f(r#\"a \" b\"#, r\"c\\\", br\"d\", for_r\"\") + 1"),
            "f(r#\"     \"#, r\"  \", br\" \", for_r\"\") + 1"
        );
        assert_eq!(code("let r#type = 1;"), "let r#type = 1;");
    }

    #[test]
    fn characters_are_not_lifetimes() {
        assert_eq!(
            code("f('\"', '\\'', '\\u{1F600}', x::<'a>('b'))"),
            "f(   ,     ,            , x::<'a>(   ))"
        );
        assert_eq!(
            code("fn f<'a>(x: &'a str) -> &'static str { \"'\" }"),
            "fn f<'a>(x: &'a str) -> &'static str { \" \" }"
        );
    }

    #[test]
    fn strings_over_several_lines_keep_the_lines() {
        let lines = scan("let a = \"one\ntwo // no comment\n\"; b");
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1].code.trim(), "");
        assert_eq!(lines[1].with_strings, "two // no comment");
        assert_eq!(lines[2].code, "\"; b");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use axum::Router;", "axum") && !has_word("use axum_extra::X;", "axum"));
        assert!(
            has_word("x.set_capacity(c)", ".set_capacity(")
                && !has_word("fn set_capacity(c)", ".set_capacity(")
        );
        assert!(!has_word("my_libc", "libc") && has_word("{libc, x}", "libc"));
    }

    #[test]
    fn a_second_worktree_is_read_like_the_first() {
        let root = std::env::temp_dir().join(format!("ebbpool-source-{}", std::process::id()));
        for (folder, file) in [("", ".git"), ("target", "a.rs"), ("src", "a.rs")] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
            std::fs::write(root.join(folder).join(file), "text").unwrap();
        }
        let tree = Tree::load(&root);
        std::fs::remove_dir_all(&root).unwrap();
        let paths: Vec<_> = tree.unwrap().files.into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["src/a.rs"]);
    }

    #[test]
    fn tests_stand_last_or_apart() {
        let tree = Tree::of(&[
            ("a/src/x.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n}\n"),
            ("a/src/x/tests.rs", "fn a() {}"),
            ("a/src/y.rs", "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nuse x;\nfn a() {}\n"),
        ]);
        let before: Vec<_> = tree.files.iter().map(File::lines_before_tests).collect();
        assert_eq!(before, [1, 0, 5]);
        assert!(tree.exists("a/src/") && tree.exists("a/src/x.rs") && !tree.exists("a/sr"));
    }
}
