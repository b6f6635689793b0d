//! Virtual threads: who acts, under which id.

use super::op::THREADS;
use crate::thread_id::{self, act_as};
use std::collections::BTreeSet;

/// A virtual thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thread {
    New,
    Has(u32),
    Exited,
}

pub(super) struct Threads {
    all: [Thread; THREADS],
    /// Smallest first, as in `thread_id`.
    free_ids: BTreeSet<u32>,
    /// Those in the middle of something, the innermost last.
    pub(super) acting: Vec<usize>,
}

impl Threads {
    pub(super) fn new() -> Self {
        Self { all: [Thread::New; THREADS], free_ids: (0..).take(THREADS).collect(), acting: Vec::new() }
    }

    /// This thread, or the next one that is not in the middle of something; acts as it from now on.
    pub(super) fn begin(&mut self, wanted: usize) -> usize {
        let order = (wanted..THREADS).chain(0..wanted);
        let thread = order.into_iter().find(|t| !self.acting.contains(t)).unwrap_or(wanted);
        self.acting.push(thread);
        if self.all[thread] == Thread::New {
            let id = self.free_ids.pop_first().unwrap_or(thread_id::EXITED);
            self.all[thread] = Thread::Has(id);
        }
        act_as(self.id(thread));
        thread
    }

    pub(super) fn has_exited(&self, thread: usize) -> bool {
        self.all[thread] == Thread::Exited
    }

    fn id(&self, thread: usize) -> u32 {
        match self.all[thread] {
            Thread::Has(id) => id,
            Thread::New | Thread::Exited => thread_id::EXITED,
        }
    }

    /// Exits, or begins anew.
    pub(super) fn turn(&mut self, thread: usize) {
        self.all[thread] = match self.all[thread] {
            Thread::Has(id) => {
                self.free_ids.insert(id);
                Thread::Exited
            }
            Thread::New | Thread::Exited => Thread::New,
        };
    }
}
