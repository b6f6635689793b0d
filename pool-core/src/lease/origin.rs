//! Who begins a lease: the thread, and the tracing span that it is in.

use crate::thread_id;
use std::cell::Cell;
use std::fmt;
use std::sync::OnceLock;

/// Sets, once for the process, where records of leases take their span id from: the id of the span that the
/// calling thread is in, `None` for none.
///
/// With the `tracing` crate that is two lines at the start of a program:
///
/// ```text
/// let span = || tracing::Span::current().id().map(|id| id.into_u64());
/// pool_core::set_span_source(span)?;
/// ```
///
/// `source` is called on the thread that gets, only for leases that go on record, and under no lock. If it
/// panics, the get does. An object that it gets itself has no span on record. The id 0 counts as none.
///
/// # Errors
/// [`SpanSourceSet`] if there is one already, which stays.
///
/// ```
/// use pool_core::{LeaseLevel, Pool};
/// use std::cell::Cell;
/// thread_local!(static REQUEST: Cell<u64> = const { Cell::new(0) });
/// pool_core::set_span_source(|| Some(REQUEST.get()))?;
///
/// let pool = Pool::builder("body").lease_level(LeaseLevel::All).build_with(Vec::<u8>::new)?;
/// REQUEST.set(17);
/// let _buffer = pool.get();
/// assert_eq!(pool.open_leases()[0].span, Some(17));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn set_span_source(source: fn() -> Option<u64>) -> Result<(), SpanSourceSet> {
    SOURCE.set(source).map_err(|_| SpanSourceSet)
}

/// The process has a source of span ids already; see [`set_span_source`].
///
/// ```
/// let none = || None;
/// assert!(pool_core::set_span_source(none).is_ok());
/// let error = pool_core::set_span_source(none).unwrap_err();
/// assert_eq!(error.to_string(), "the source of span ids is set already");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanSourceSet;

impl fmt::Display for SpanSourceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of span ids is set already")
    }
}

impl std::error::Error for SpanSourceSet {}

static SOURCE: OnceLock<fn() -> Option<u64>> = OnceLock::new();

thread_local! {
    static IN_SOURCE: Cell<bool> = const { Cell::new(false) };
    /// The number in this thread's `ThreadId`; 0: not looked up yet.
    static NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// The span that this thread is in; 0: none. Runs user code.
#[inline]
pub(crate) fn span() -> u64 {
    /// Says so also when the source panics.
    struct Out;
    impl Drop for Out {
        fn drop(&mut self) {
            IN_SOURCE.set(false);
        }
    }
    let Some(source) = SOURCE.get() else { return 0 };
    // A subscriber may use a pool whose leases are all recorded: once round is enough.
    if IN_SOURCE.replace(true) {
        return 0;
    }
    let _out = Out;
    source().unwrap_or(0)
}

/// The number in this thread's `ThreadId`; 0: unknown.
#[inline]
pub(crate) fn thread() -> u64 {
    match NUMBER.get() {
        0 => look_up(),
        number => number,
    }
}

/// std has the number of an id only as its `Debug` prints it, and so do logs.
#[cold]
fn look_up() -> u64 {
    if thread_id::current() >= thread_id::IDS_MAX {
        return 0; // perhaps exiting, and then std may have no id to give
    }
    let printed = format!("{:?}", std::thread::current().id());
    let digits: String = printed.chars().filter(char::is_ascii_digit).collect();
    let number = digits.parse().unwrap_or(0);
    NUMBER.set(number);
    number
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_one_that_logs_have() {
        let id = std::iter::repeat_with(thread_id::assign).find_map(|id| id);
        assert!(id.is_some());
        assert_eq!(format!("ThreadId({})", thread()), format!("{:?}", std::thread::current().id()));
    }
}
