//! What the knobs should say: layers by author, the highest that has not expired in force.

use crate::{Author, Capacity, Eviction, KnobKind, Reuse, Sampling, Setting};
use std::time::Instant;

#[derive(Debug)]
struct Layers<T> {
    built: T,
    by_author: [Option<(T, Option<Instant>)>; 3],
}

impl<T: Copy> Layers<T> {
    fn new(built: T) -> Self {
        Self { built, by_author: [None; 3] }
    }

    fn in_force(&self, now: Instant) -> T {
        let alive = |until: Option<Instant>| until.is_none_or(|until| now < until);
        let layers = self.by_author.iter().rev().flatten();
        layers.filter(|(_, until)| alive(*until)).map(|(value, _)| *value).next().unwrap_or(self.built)
    }
}

#[derive(Debug)]
pub(super) struct KnobModel {
    capacity: Layers<Capacity>,
    sampling: Layers<Sampling>,
    eviction: Layers<Eviction>,
    reuse: Layers<Reuse>,
}

/// What is in force at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct InForce {
    pub(super) capacity: Capacity,
    pub(super) sampling: Sampling,
    pub(super) eviction: Eviction,
    pub(super) reuse: Reuse,
}

/// The knobs of a run; the others are left alone.
pub(super) const KINDS: [KnobKind; 4] =
    [KnobKind::Capacity, KnobKind::Sampling, KnobKind::Eviction, KnobKind::Reuse];

impl KnobModel {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            capacity: Layers::new(capacity),
            sampling: Layers::new(Sampling::DEFAULT),
            eviction: Layers::new(Eviction::DEFAULT),
            reuse: Layers::new(Reuse::DEFAULT),
        }
    }

    pub(super) fn set(&mut self, setting: Setting, author: Author, until: Option<Instant>) {
        let at = author as usize;
        match setting {
            Setting::Capacity(v) => self.capacity.by_author[at] = Some((v, until)),
            Setting::Sampling(v) => self.sampling.by_author[at] = Some((v, until)),
            Setting::Eviction(v) => self.eviction.by_author[at] = Some((v, until)),
            Setting::Reuse(v) => self.reuse.by_author[at] = Some((v, until)),
            Setting::Priority(_) => {}
        }
    }

    pub(super) fn withdraw(&mut self, kind: KnobKind, author: Author) {
        let at = author as usize;
        match kind {
            KnobKind::Capacity => self.capacity.by_author[at] = None,
            KnobKind::Sampling => self.sampling.by_author[at] = None,
            KnobKind::Eviction => self.eviction.by_author[at] = None,
            KnobKind::Reuse => self.reuse.by_author[at] = None,
            KnobKind::Priority => {}
        }
    }

    pub(super) fn in_force(&self, now: Instant) -> InForce {
        InForce {
            capacity: self.capacity.in_force(now),
            sampling: self.sampling.in_force(now),
            eviction: self.eviction.in_force(now),
            reuse: self.reuse.in_force(now),
        }
    }
}
