//! Tells that something happened to a file, where the system says so at once: inotify on the file's directory.
//!
//! A mounted directory of settings is swapped as a whole: the file is a link into `..data`, which is a link to a
//! directory of one generation, and the new link is renamed over it. So names that begin with `..` count like the
//! file's own. What is written counts when it is closed, so that no half of it is read.

#[cfg(target_os = "linux")]
pub(super) use inotify::Notify;
#[cfg(not(target_os = "linux"))]
pub(super) use nothing::Notify;

#[cfg(target_os = "linux")]
mod inotify {
    use rustix::fd::OwnedFd;
    use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
    use std::ffi::OsString;
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::{Path, PathBuf};

    /// A busy directory must not keep a tick waiting; what is left is there at the next.
    const EVENTS_MAX: u32 = 256;

    #[derive(Debug)]
    pub(in super::super) struct Notify {
        inotify: OwnedFd,
        directory: PathBuf,
        file: OsString,
        is_watching: bool,
    }

    impl Notify {
        /// `None` where the system has no more of them to give.
        pub(in super::super) fn open(path: &Path) -> Option<Self> {
            let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let directory = parent.unwrap_or(Path::new(".")).to_owned();
            let file = path.file_name()?.to_owned();
            let mut notify = Self { inotify, directory, file, is_watching: false };
            notify.is_watching = notify.watch();
            Some(notify)
        }

        /// Whether the file may have changed since the last call. Does not wait.
        pub(in super::super) fn changed(&mut self) -> bool {
            let mut buffer = [MaybeUninit::uninit(); 2048];
            let mut reader = Reader::new(&self.inotify, &mut buffer);
            let mut changed = false;
            for _ in 0..EVENTS_MAX {
                let Ok(event) = reader.next() else { break };
                if event.events().intersects(ReadFlags::IGNORED | ReadFlags::MOVE_SELF) {
                    // The directory is gone, or has another name.
                    self.is_watching = false;
                }
                let name = event.file_name().map(std::ffi::CStr::to_bytes);
                changed |= name.is_none_or(|name| name == self.file.as_bytes() || name.starts_with(b".."));
            }
            if !self.is_watching {
                self.is_watching = self.watch();
                changed |= self.is_watching;
            }
            changed
        }

        fn watch(&self) -> bool {
            let what = WatchFlags::CLOSE_WRITE
                | WatchFlags::MOVED_TO
                | WatchFlags::MOVED_FROM
                | WatchFlags::DELETE
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            add_watch(&self.inotify, &self.directory, what).is_ok()
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::sense::scratch::new_dir;
    use std::fs;

    #[test]
    fn the_file_and_the_links_beside_it_count_and_their_neighbours_do_not() {
        let dir = new_dir("notify");
        let file = dir.join("e.yaml");
        fs::write(&file, "").expect("a file");
        let mut notify = Notify::open(&file).expect("inotify");
        assert!(!notify.changed());
        fs::write(dir.join("neighbour"), "").expect("a file");
        fs::remove_file(dir.join("neighbour")).expect("removed");
        assert!(!notify.changed(), "a neighbour");
        fs::write(&file, "").expect("a file");
        assert!(notify.changed() && !notify.changed(), "told once");
        fs::rename(&file, dir.join("..data")).expect("renamed");
        assert!(notify.changed() && !notify.changed());
        fs::remove_dir_all(&dir).expect("removed");
        assert!(notify.changed() && !notify.changed(), "there is nothing to be watched");
        fs::create_dir(&dir).expect("made");
        assert!(notify.changed() && !notify.changed(), "it is back");
        fs::write(&file, "").expect("a file");
        assert!(notify.changed());
        fs::remove_dir_all(&dir).expect("removed");
    }
}

#[cfg(not(target_os = "linux"))]
mod nothing {
    use std::path::Path;

    /// Nobody tells; there is the poll.
    #[derive(Debug)]
    pub(in super::super) struct Notify;

    impl Notify {
        pub(in super::super) fn open(_path: &Path) -> Option<Self> {
            None
        }

        #[allow(clippy::unused_self, reason = "where there is something to ask, it is asked")]
        pub(in super::super) fn changed(&mut self) -> bool {
            false
        }
    }
}
