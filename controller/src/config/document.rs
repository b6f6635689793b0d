//! A file that is read strictly, and the errors in it: where, what, and what would have been accepted.

use super::cursor::{At, Problem};
use super::node::{self, Node};
use std::fmt;

/// A YAML document whose values know their places.
///
/// ```
/// use pool_controller::config::Document;
/// let document = Document::parse("a.yaml", "title: x\ncount: -3\n")?;
/// let fields = document.root().fields(&["title", "count"]).map_err(|problem| document.error(&problem))?;
/// assert_eq!(fields.get("title").map(|at| at.line()), Some(1));
/// let problem = fields.need("count").and_then(|at| at.whole("a number of things")).unwrap_err();
/// let expected = "a.yaml:2:8: count: expected a number of things, found the number -3";
/// assert_eq!(document.error(&problem).to_string(), expected);
/// # Ok::<(), pool_controller::config::FileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    file: String,
    text: String,
    tree: Node,
}

impl Document {
    /// Reads a text; `file` is for errors.
    ///
    /// # Errors
    /// [`FileError`] if it is not one YAML document.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let tree = node::parse(text).map_err(|(position, message)| FileError {
            file: file.to_owned(),
            position,
            path: String::new(),
            problem: format!("{message}; allowed: one YAML document"),
        })?;
        Ok(Self { file: file.to_owned(), text: text.to_owned(), tree })
    }

    /// The whole document.
    #[must_use]
    pub fn root(&self) -> At<'_> {
        At::root(&self.tree)
    }

    /// What is wrong, with file, line and column. Reads the text once more.
    #[must_use]
    pub fn error(&self, problem: &Problem) -> FileError {
        FileError {
            file: self.file.clone(),
            position: node::locate(&self.text, &problem.steps, problem.part),
            path: problem.path.clone(),
            problem: problem.what.clone(),
        }
    }
}

/// What is wrong in a file. One line: `file:line:column: path: problem; allowed: …`.
///
/// See the example of [`Document`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file, as it was given.
    pub file: String,
    /// Line and column, from 1; `None` if the file could not be read at all.
    pub position: Option<(usize, usize)>,
    /// The place in the document: `method[0].provider.url`. Empty for the document itself.
    pub path: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for FileError {}
