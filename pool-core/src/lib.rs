//! Object pools that can be drained, watched and bounded while every get and return stays lock-free.
//!
//! ```
//! use pool_core::Pool;
//!
//! let buffers = Pool::new("http.body", Vec::<u8>::new);
//! let mut buffer = buffers.get(); // idle if there is one, else created
//! buffer.extend_from_slice(b"hello");
//! drop(buffer);                   // cleared and kept for the next get
//! assert_eq!(buffers.stats().idle_objects, 1);
//! ```
//!
//! ```text
//!  thread ──► slot (this id's magazine, LIFO) ──miss──► depot (shared, striped) ──miss──► create()
//!              ▲ owner: plain loads and stores            ▲ half a magazine at a time
//!              └── mark / collect: another thread, through an asymmetric fence
//! ```
//!
//! The layers, from the caller down: [`Pool`] and its guard [`Pooled`] (`pool`, `guard`), what the handles and
//! objects of one pool share (`inside`, `shared`), the slow halves of get and return (`serve`, `accept`), the slot
//! of one thread id (`slot`), what threads share (`depot`, `credit`), one object (`node`). Beside them: passes over
//! many pools ([`Registry`], `drain`), two pools side by side ([`CanaryPool`]), statistics (`sums`), records of leases
//! (`lease`), and the seam to clock, thread ids, randomness, fences and atomics (`sync`).
//!
//! # Forks, signals, exits
//!
//! A forked child can use the pools that it inherits, whatever other threads were doing at the fork: nothing waits for
//! locks that they held, and what was under such a lock is lost to the child. Run one [`Registry::pass`] there, so that
//! slots which a pass of the parent had stopped serve again. A signal handler may use the pool that it interrupts, as
//! far as pools go; but creates, drops and many returns call the allocator, which a handler must not. Guards and handles
//! may be dropped, and pools used, in thread-local destructors and at exit.
//!
//! # Features
//!
//! None of them is on by default: `derive` for `#[derive(Recycle)]`; `bytes`, `hashbrown`, `indexmap` and
//! `smallvec` for [`Recycle`](trait@Recycle) of the types of these crates; `failpoints` for fault sites.
//!
//! This crate knows neither controllers nor files, HTTP or metrics.
#![deny(missing_docs)]
#![deny(unsafe_code)]
// The fast path is a chain of functions of a few instructions each; one that is not inlined doubles its cost.
#![allow(clippy::inline_always)]

mod accept;
mod alive;
#[cfg(not(ebbpool_loom))]
mod canary;
mod close;
mod counters;
mod creates;
mod credit;
mod cycle;
mod depot;
mod drain;
mod drainer;
mod entry;
mod events;
#[cfg(feature = "failpoints")]
pub mod fault;
mod fence;
mod figures;
mod ghosts;
mod grant;
mod guard;
mod headroom;
mod inside;
mod keeper;
mod knobs;
mod lease;
mod levels;
mod lifetimes;
#[cfg(all(any(test, ebbpool_fuzz), not(any(ebbpool_loom, ebbpool_tsan))))]
mod machine;
mod managed;
mod node;
mod notes;
mod pool;
mod recycle;
#[cfg(not(ebbpool_loom))]
mod registry;
mod retention;
mod risk;
mod scrub;
mod serve;
mod settings;
mod shared;
mod slot;
mod stats;
mod stock;
mod sums;
mod sync;
mod table;
mod thread_id;
mod trace;
mod trials;
mod victim;
mod worth;

#[cfg(all(test, ebbpool_loom))]
#[allow(unsafe_code)]
mod loom_tests;
#[cfg(all(test, not(ebbpool_loom)))]
#[allow(unsafe_code)]
mod tests;

#[cfg(not(ebbpool_loom))]
pub use canary::{CanaryPool, Share, Side, Split};
pub use fence::{Fenced, fences_total};
pub use figures::Figures;
pub use grant::Grant;
pub use guard::{MappedPooled, Pooled};
pub use knobs::{
    Applied, Author, Capacity, Change, Eviction, Knob, KnobError, KnobKind, KnobSet, Knobs, LeaseLevel,
    Priority, Ratio, Reuse, Sampling, Setting,
};
#[cfg(not(ebbpool_loom))]
pub use lease::{LeakCheck, LeakReport, LeakedPool};
pub use lease::{OpenLease, SpanSourceSet, Suspect, SuspectEvent, SuspectListener, set_span_source};
pub use levels::{IdleAge, LentAge, SlotLevel};
pub use lifetimes::{Lifetimes, reuse_limit};
#[cfg(ebbpool_fuzz)]
pub use machine::run_bytes;
pub use managed::{Collected, Job, Managed, Taken};
pub use pool::{BuildError, Closed, Pool, PoolBuilder, Retained};
#[cfg(feature = "derive")]
pub use pool_core_derive::Recycle;
pub use recycle::{ByClosure, ByTrait, Keep, Recycle, Recycler};
#[cfg(not(ebbpool_loom))]
pub use registry::{NameTaken, Registry};
pub use retention::Retention;
pub use scrub::Scrub;
pub use stats::{CycleReport, DropReason, Gets, PoolStats};
pub use worth::{Arms, Mean, Verdict, Worth};
