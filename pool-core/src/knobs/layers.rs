//! Who set what: layers of settings, of which the highest is in force.

use super::{Capacity, Eviction, KnobError, Priority, Reuse, Sampling};
use crate::sync::clock::Instant;
use std::time::Duration;

/// Who set a knob. A later one overrides an earlier one.
///
/// ```
/// use pool_core::Author;
/// assert!(Author::Policy < Author::Operator && Author::Operator < Author::Person);
/// assert_eq!(Author::Person.as_str(), "person");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Author {
    /// A control policy.
    Policy,
    /// Configuration that an operator manages; also who built the pool.
    Operator,
    /// A person, by hand.
    Person,
}

impl Author {
    /// The name in logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Operator => "operator",
            Self::Person => "person",
        }
    }
}

/// Who makes a change, why, and for how long.
///
/// ```
/// use pool_core::{Author, Capacity, Change, KnobKind, Pool};
/// use std::time::Duration;
/// let pool = Pool::new("lines", String::new).managed();
/// let hour = Duration::from_secs(3600);
/// pool.set_capacity(Capacity::UNBOUNDED, Change::policy("memory is plenty"));
/// pool.set_capacity(Capacity::new(64, 1 << 20)?, Change::operator("load test").lasting(hour)?);
/// pool.set_capacity(Capacity::ZERO, Change::person("incident 12", hour)?);
/// assert_eq!(pool.capacity().reason, "incident 12");
/// pool.withdraw(KnobKind::Capacity, Author::Person);
/// assert_eq!(pool.capacity().reason, "load test"); // and not the policy's
/// assert!(Change::person("for ever", Duration::MAX).is_err());
/// # Ok::<(), pool_core::KnobError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    author: Author,
    reason: String,
    ttl: Option<Duration>,
}

impl Change {
    /// The shortest and the longest life of an override: a millisecond to 30 days.
    pub const TTL: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(30 * 24 * 3600));

    /// A policy's change; it stands until the policy's next.
    #[must_use]
    pub fn policy(reason: impl Into<String>) -> Self {
        Self { author: Author::Policy, reason: reason.into(), ttl: None }
    }

    /// An operator's change; it stands until the operator's next, or until it is withdrawn.
    #[must_use]
    pub fn operator(reason: impl Into<String>) -> Self {
        Self { author: Author::Operator, reason: reason.into(), ttl: None }
    }

    /// A person's change. It ends by itself after `ttl`: nobody remembers to undo what was done at night.
    ///
    /// # Errors
    /// [`KnobError`] if `ttl` is outside [`TTL`](Self::TTL).
    pub fn person(reason: impl Into<String>, ttl: Duration) -> Result<Self, KnobError> {
        Self { author: Author::Person, reason: reason.into(), ttl: None }.lasting(ttl)
    }

    /// The same change, ending by itself after `ttl`.
    ///
    /// # Errors
    /// [`KnobError`] if `ttl` is outside [`TTL`](Self::TTL).
    pub fn lasting(self, ttl: Duration) -> Result<Self, KnobError> {
        let (min, max) = Self::TTL;
        if !(min..=max).contains(&ttl) {
            return Err(KnobError::time("override.ttl", ttl, min, max));
        }
        Ok(Self { ttl: Some(ttl), ..self })
    }
}

/// A knob with the value that it is to have.
///
/// See the example of [`PoolBuilder::knob`](crate::PoolBuilder::knob).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Setting {
    /// How much may be held idle.
    Capacity(Capacity),
    /// How much is watched.
    Sampling(Sampling),
    /// How idle objects age.
    Eviction(Eviction),
    /// The share of gets that may reuse.
    Reuse(Reuse),
    /// How the pool stands among others.
    Priority(Priority),
}

/// A knob by name.
///
/// See the example of [`KnobSet::withdraw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnobKind {
    /// [`Setting::Capacity`]
    Capacity,
    /// [`Setting::Sampling`]
    Sampling,
    /// [`Setting::Eviction`]
    Eviction,
    /// [`Setting::Reuse`]
    Reuse,
    /// [`Setting::Priority`]
    Priority,
}

/// What became of a change.
///
/// See the example of [`KnobSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The generation that the change got.
    pub generation: u64,
    /// Whether it is in force now. If not, a higher author's override is; the change waits below it.
    pub in_force: bool,
}

/// A knob's value together with the change that put it there.
///
/// ```
/// use pool_core::{Change, Eviction, Pool, Priority, Setting};
/// let pool = Pool::new("lines", String::new).managed();
/// let before = pool.knobs();
/// assert!(!before.priority.is_override()); // as built
/// pool.set(Setting::Priority(Priority::DEFAULT.pinned()), Change::operator("pools.toml"));
/// let after = pool.knobs();
/// assert!(after.generation > before.generation && after.priority.is_override());
/// assert_eq!((after.priority.value.is_pinned(), after.eviction.value), (true, Eviction::DEFAULT));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knob<T> {
    /// The value in force.
    pub value: T,
    /// The value that the pool was built with.
    pub built: T,
    /// The generation of the change that set it; 0 is the value that the pool was built with.
    pub generation: u64,
    /// Who set it.
    pub author: Author,
    /// Why.
    pub reason: String,
    /// When it will end by itself; `None` if it will not.
    pub expires_in: Option<Duration>,
}

impl<T> Knob<T> {
    /// Whether an operator or a person has overridden what the pool was built with and what policies want.
    #[must_use]
    pub fn is_override(&self) -> bool {
        self.generation > 0 && self.author > Author::Policy
    }
}

/// All knobs of one moment.
///
/// See the example of [`Knob`].
#[derive(Clone, Debug, PartialEq)]
pub struct Knobs {
    /// Changes so far, of all knobs: two readings with the same generation are the same.
    pub generation: u64,
    /// How much may be held idle.
    pub capacity: Knob<Capacity>,
    /// How much is watched.
    pub sampling: Knob<Sampling>,
    /// How idle objects age.
    pub eviction: Knob<Eviction>,
    /// The share of gets that may reuse.
    pub reuse: Knob<Reuse>,
    /// How the pool stands among others.
    pub priority: Knob<Priority>,
}

/// The knobs of one pool with all their layers; for [`Managed`](crate::Managed) implementations of your own.
///
/// It is a plain value: the pool puts a lock around it and passes the time in.
///
/// ```
/// use pool_core::{Capacity, Change, KnobSet, Setting};
/// use std::time::{Duration, Instant};
/// let (now, small) = (Instant::now(), Capacity::new(1, 100)?);
/// let mut knobs = KnobSet::new(Capacity::UNBOUNDED);
/// let by_hand = Change::person("by hand", Duration::from_secs(60))?;
/// assert!(knobs.set(Setting::Capacity(Capacity::ZERO), by_hand, now).in_force);
/// assert!(!knobs.set(Setting::Capacity(small), Change::policy("tide"), now).in_force);
/// assert_eq!(knobs.read(now).capacity.value, Capacity::ZERO);
/// assert_eq!(knobs.read(now + Duration::from_secs(60)).capacity.value, small);
/// # Ok::<(), pool_core::KnobError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KnobSet {
    generation: u64,
    capacity: Layers<Capacity>,
    sampling: Layers<Sampling>,
    eviction: Layers<Eviction>,
    reuse: Layers<Reuse>,
    priority: Layers<Priority>,
}

impl KnobSet {
    /// All knobs as built: this capacity, and the defaults of the others.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        Self {
            generation: 0,
            capacity: Layers::new(capacity),
            sampling: Layers::new(Sampling::DEFAULT),
            eviction: Layers::new(Eviction::DEFAULT),
            reuse: Layers::new(Reuse::DEFAULT),
            priority: Layers::new(Priority::DEFAULT),
        }
    }

    /// The same with another value as built.
    #[must_use]
    pub fn built_with(mut self, setting: Setting) -> Self {
        match setting {
            Setting::Capacity(v) => self.capacity.built = v,
            Setting::Sampling(v) => self.sampling.built = v,
            Setting::Eviction(v) => self.eviction.built = v,
            Setting::Reuse(v) => self.reuse.built = v,
            Setting::Priority(v) => self.priority.built = v,
        }
        self
    }

    /// Puts `setting` on its author's layer.
    ///
    /// ```
    /// # use pool_core::{Capacity, Change, KnobSet, Priority, Setting};
    /// # use std::time::Instant;
    /// let mut knobs = KnobSet::new(Capacity::UNBOUNDED)
    ///     .built_with(Setting::Priority(Priority::DEFAULT.pinned()));
    /// let by_policy = knobs.set(Setting::Capacity(Capacity::ZERO), Change::policy("tide"), Instant::now());
    /// assert!(!by_policy.in_force); // it is pinned
    /// ```
    pub fn set(&mut self, setting: Setting, change: Change, now: Instant) -> Applied {
        self.generation += 1;
        let (generation, author) = (self.generation, change.author);
        let floor = self.floor(now);
        let shows = match setting {
            Setting::Capacity(v) => self.capacity.set(v, change, generation, now).max(floor),
            Setting::Sampling(v) => self.sampling.set(v, change, generation, now),
            Setting::Eviction(v) => self.eviction.set(v, change, generation, now),
            Setting::Reuse(v) => self.reuse.set(v, change, generation, now),
            Setting::Priority(v) => self.priority.set(v, change, generation, now),
        };
        Applied { generation, in_force: shows == author }
    }

    /// Takes an author's layer off; whether there was one.
    ///
    /// ```
    /// # use pool_core::{Author, Capacity, Change, KnobKind, KnobSet, Setting};
    /// # use std::time::Instant;
    /// let (mut knobs, now) = (KnobSet::new(Capacity::UNBOUNDED), Instant::now());
    /// knobs.set(Setting::Capacity(Capacity::ZERO), Change::policy("tide"), now);
    /// assert!(knobs.withdraw(KnobKind::Capacity, Author::Policy));
    /// assert_eq!(knobs.read(now).capacity.value, Capacity::UNBOUNDED);
    /// assert!(!knobs.withdraw(KnobKind::Capacity, Author::Policy));
    /// ```
    pub fn withdraw(&mut self, knob: KnobKind, author: Author) -> bool {
        let there = match knob {
            KnobKind::Capacity => self.capacity.clear(author),
            KnobKind::Sampling => self.sampling.clear(author),
            KnobKind::Eviction => self.eviction.clear(author),
            KnobKind::Reuse => self.reuse.clear(author),
            KnobKind::Priority => self.priority.clear(author),
        };
        self.generation += u64::from(there);
        there
    }

    /// What is in force at `now`; what has expired by then is taken off.
    pub fn read(&mut self, now: Instant) -> Knobs {
        let expired = self.capacity.expire(now)
            + self.sampling.expire(now)
            + self.eviction.expire(now)
            + self.reuse.expire(now)
            + self.priority.expire(now);
        self.generation += expired;
        Knobs {
            generation: self.generation,
            capacity: self.capacity.in_force(self.floor(now), now),
            sampling: self.sampling.in_force(Author::Policy, now),
            eviction: self.eviction.in_force(Author::Policy, now),
            reuse: self.reuse.in_force(Author::Policy, now),
            priority: self.priority.in_force(Author::Policy, now),
        }
    }

    /// When the first of all layers expires.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let all = [
            self.capacity.next_expiry(),
            self.sampling.next_expiry(),
            self.eviction.next_expiry(),
            self.reuse.next_expiry(),
            self.priority.next_expiry(),
        ];
        all.into_iter().flatten().min()
    }

    /// The lowest author who may set the capacity.
    fn floor(&self, now: Instant) -> Author {
        let pinned = self.priority.in_force(Author::Policy, now).value.is_pinned();
        if pinned { Author::Operator } else { Author::Policy }
    }
}

/// One value with its layers.
#[derive(Clone, Debug)]
pub(crate) struct Layers<T> {
    built: T,
    /// By [`Author`]; boxed, because most knobs of most pools have none.
    layers: [Option<Box<Layer<T>>>; 3],
}

#[derive(Clone, Debug)]
struct Layer<T> {
    value: T,
    change: Change,
    generation: u64,
    until: Option<Instant>,
}

impl<T: Copy> Layers<T> {
    pub(crate) fn new(built: T) -> Self {
        Self { built, layers: [None, None, None] }
    }

    /// Returns whose layer shows now.
    pub(crate) fn set(&mut self, value: T, change: Change, generation: u64, now: Instant) -> Author {
        let at = change.author as usize;
        // A time that the clock cannot express is never reached.
        let until = change.ttl.and_then(|ttl| now.checked_add(ttl));
        self.layers[at] = Some(Box::new(Layer { value, change, generation, until }));
        self.top(Author::Policy, now).map_or(Author::Policy, |layer| layer.change.author)
    }

    /// Whether there was one.
    pub(crate) fn clear(&mut self, author: Author) -> bool {
        self.layers[author as usize].take().is_some()
    }

    /// Takes off what has expired; how many layers that were.
    pub(crate) fn expire(&mut self, now: Instant) -> u64 {
        let mut expired = 0;
        for layer in &mut self.layers {
            if layer.as_ref().is_some_and(|l| l.has_expired(now)) {
                *layer = None;
                expired += 1;
            }
        }
        expired
    }

    fn next_expiry(&self) -> Option<Instant> {
        self.layers.iter().flatten().filter_map(|layer| layer.until).min()
    }

    fn top(&self, floor: Author, now: Instant) -> Option<&Layer<T>> {
        let layers = self.layers.iter().skip(floor as usize).rev().flatten();
        layers.map(|layer| &**layer).find(|layer| !layer.has_expired(now))
    }

    /// What shows of the layers of `floor` and above.
    pub(crate) fn in_force(&self, floor: Author, now: Instant) -> Knob<T> {
        match self.top(floor, now) {
            Some(layer) => Knob {
                value: layer.value,
                built: self.built,
                generation: layer.generation,
                author: layer.change.author,
                reason: layer.change.reason.clone(),
                expires_in: layer.until.map(|until| until.saturating_duration_since(now)),
            },
            None => Knob {
                value: self.built,
                built: self.built,
                generation: 0,
                author: Author::Operator,
                reason: "as built".into(),
                expires_in: None,
            },
        }
    }
}

impl<T> Layer<T> {
    fn has_expired(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests;
