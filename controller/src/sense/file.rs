//! A small file of the kernel that is read again and again: opened once, re-read from its start.
//!
//! Knows nothing of what the files mean, except the three shapes they come in: one number, lines of `key value`,
//! and free text.

use super::reading::Why;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

/// The directory below which `/proc` and `/sys` are looked for: `/`, or a fixture tree.
#[derive(Clone, Debug)]
pub(super) struct Root(PathBuf);

impl Root {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where `shown`, an absolute path as the service sees it, really is.
    pub(super) fn real(&self, shown: &Path) -> PathBuf {
        self.0.join(shown.strip_prefix("/").unwrap_or(shown))
    }

    pub(super) fn file(&self, shown: impl Into<PathBuf>) -> KernelFile {
        let shown = shown.into();
        KernelFile { real: self.real(&shown), shown, open: None, text: Vec::new() }
    }
}

/// One file, kept open. A failed read closes it, and it is opened again at once: a cgroup can be removed and
/// made anew under the same path.
#[derive(Debug)]
pub(super) struct KernelFile {
    real: PathBuf,
    shown: PathBuf,
    open: Option<File>,
    text: Vec<u8>,
}

/// Longer than any of these files: `mountinfo` of a busy container host has some hundred kilobytes.
const FILE_BYTES_MAX: usize = 8 << 20;

impl KernelFile {
    /// Whether it could be opened now.
    pub(super) fn exists(&self) -> bool {
        self.open.is_some() || File::open(&self.real).is_ok()
    }

    /// The whole text.
    pub(super) fn read(&mut self) -> Result<&str, Why> {
        let again = self.open.is_some();
        let mut result = self.read_open();
        if result.is_err() && again {
            result = self.read_open();
        }
        if let Err(error) = result {
            return Err(self.why(&error));
        }
        std::str::from_utf8(&self.text).map_err(|_| self.unparsable("not UTF-8"))
    }

    /// A file that holds one number. `word` is a text that stands for no limit, such as `max`.
    pub(super) fn number_or(&mut self, word: &str) -> Result<Option<u64>, Why> {
        let text = self.read()?.trim();
        if text == word {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| shortened(text)).map_err(|text| self.unparsable(&text))
    }

    /// A file that holds one number.
    pub(super) fn number(&mut self) -> Result<u64, Why> {
        let text = self.read()?.trim();
        text.parse().map_err(|_| shortened(text)).map_err(|text| self.unparsable(&text))
    }

    /// The numbers behind `keys` in lines of `key value` or `key: value kB`. `None` where there is no such
    /// line. Only the first word behind the key counts; units are the caller's business.
    pub(super) fn keyed<const N: usize>(&mut self, keys: [&str; N]) -> Result<[Option<u64>; N], Why> {
        let mut found = [None; N];
        let mut bad = None;
        for line in self.read()?.lines() {
            let mut words = line.split_ascii_whitespace();
            let Some(key) = words.next().map(|k| k.trim_end_matches(':')) else { continue };
            if let Some(at) = keys.iter().position(|k| *k == key) {
                match words.next().and_then(|value| value.parse().ok()) {
                    Some(value) => found[at] = Some(value),
                    None => bad = Some(shortened(line)),
                }
            }
        }
        bad.map_or(Ok(found), |line| Err(self.unparsable(&line)))
    }

    /// The reading that this file gives when its text is wrong.
    pub(super) fn unparsable(&self, text: &str) -> Why {
        Why::Unparsable { path: self.shown.clone(), text: text.to_owned() }
    }

    /// The reading that this file gives when it lacks a line.
    pub(super) fn lacks(&self, key: &str) -> Why {
        self.unparsable(&format!("no line {key}"))
    }

    fn read_open(&mut self) -> io::Result<()> {
        self.text.clear();
        let file = match &mut self.open {
            Some(file) => {
                file.rewind()?;
                file
            }
            closed => closed.insert(File::open(&self.real)?),
        };
        let result = read_all(file, &mut self.text);
        if result.is_err() {
            self.open = None;
        }
        result
    }

    fn why(&self, error: &io::Error) -> Why {
        // A file of a removed cgroup that is still open answers ENODEV.
        const ENODEV: i32 = 19;
        if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ENODEV) {
            Why::Missing(self.shown.clone())
        } else {
            Why::Unreadable { path: self.shown.clone(), error: error.to_string() }
        }
    }
}

/// Without the size query that `read_to_end` starts with: these files all claim to be empty.
fn read_all(file: &mut File, into: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0; 4096];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(()),
            n if into.len() + n > FILE_BYTES_MAX => {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 8 MiB"));
            }
            n => into.extend_from_slice(&chunk[..n]),
        }
    }
}

fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense::scratch::Scratch;

    #[test]
    fn re_reads_from_the_start_and_sees_changes() {
        let tree = Scratch::new();
        tree.write("/n", "12\n");
        let mut file = Root::new(tree.path()).file("/n");
        assert_eq!(file.number(), Ok(12));
        tree.write("/n", "7\n");
        assert_eq!((file.number(), file.number()), (Ok(7), Ok(7)));
    }

    #[test]
    fn a_failed_read_closes_the_file_and_the_next_one_opens_it_anew() {
        let tree = Scratch::new();
        tree.dir("/n"); // can be opened and not read, like a file whose cgroup was removed
        let mut file = Root::new(tree.path()).file("/n");
        let Err(Why::Unreadable { path, .. }) = file.number() else { panic!("a directory is no number") };
        assert_eq!(path, Path::new("/n"), "paths are shown as the service sees them");
        tree.remove("/n");
        assert_eq!(file.number(), Err(Why::Missing("/n".into())));
        tree.write("/n", "5");
        assert_eq!(file.number(), Ok(5));
    }

    #[test]
    fn numbers_words_and_garbage() {
        let tree = Scratch::new();
        let mut file = Root::new(tree.path()).file("/n");
        let mut expect = |text: &str, expected: Result<Option<u64>, &str>| {
            tree.write("/n", text);
            let expected = expected.map_err(|text| Why::Unparsable { path: "/n".into(), text: text.into() });
            assert_eq!(file.number_or("max"), expected, "{text:?}");
        };
        expect("max\n", Ok(None));
        expect("4096\n", Ok(Some(4096)));
        expect("", Err(""));
        expect("-1", Err("-1"));
        expect("18446744073709551616", Err("18446744073709551616"));
        expect("12 bananas", Err("12 bananas"));
        let long = "x".repeat(100);
        expect(&long, Err(&format!("{}…", "x".repeat(60))));
    }

    #[test]
    fn keyed_lines() {
        let tree = Scratch::new();
        tree.write("/s", "MemTotal:       2048 kB\n\ninactive_file 7\ninactive_file_x 9\nodd\n");
        let mut file = Root::new(tree.path()).file("/s");
        let found = file.keyed(["inactive_file", "MemTotal", "absent"]);
        assert_eq!(found, Ok([Some(7), Some(2048), None]));
        assert!(matches!(file.keyed(["odd"]), Err(Why::Unparsable { text, .. }) if text == "odd"));
    }
}
