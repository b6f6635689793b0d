//! A file that is read again when it changes: when the system tells, and every 30 s in any case.

use super::notify::Notify;
use super::{FileError, read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What nobody tells of (a network file system, a link to somewhere else) is seen after so long.
const POLL: Duration = Duration::from_secs(30);

/// A file and what was in it.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    text: Result<String, FileError>,
    notify: Option<Notify>,
    due: Duration,
}

impl Watched {
    /// Reads the file. What happens to it from now on is seen by [`look`](Self::look).
    pub(crate) fn open(path: &Path) -> Self {
        // First: what changes while it is read must be told.
        let notify = Notify::open(path);
        Self { path: path.to_owned(), text: read::text_of(path), notify, due: POLL }
    }

    pub(crate) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// What is in the file, or why that is not known.
    pub(crate) fn text(&self) -> Result<&str, &FileError> {
        self.text.as_deref()
    }

    /// Reads the file again if it may have changed, at most once. Whether it has, or can be read no more, or again.
    pub(crate) fn look(&mut self, at: Duration) -> bool {
        let was_told = self.notify.as_mut().is_some_and(Notify::changed);
        if !was_told && at < self.due {
            return false;
        }
        self.due = at + POLL;
        let text = read::text_of(&self.path);
        let has_changed = text != self.text;
        self.text = text;
        has_changed
    }

    #[cfg(test)]
    pub(crate) fn stop_notifying(&mut self) {
        self.notify = None;
    }
}
