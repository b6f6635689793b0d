//! What is told of leases: one by one, and put together by site.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// A lease on record that has not ended.
///
/// ```
/// use pool_core::{LeaseLevel, Pool};
/// let pool = Pool::builder("body").lease_level(LeaseLevel::All).build_with(Vec::<u8>::new)?;
/// let _buffer = pool.get();
/// let lease = &pool.open_leases()[0];
/// assert_eq!((lease.site.file(), lease.span), (file!(), None));
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLease {
    /// No other lease of its pool has it, now or earlier (it comes round after 2^42 leases on one record).
    pub id: u64,
    /// Where [`Pool::get`](crate::Pool::get) was called.
    pub site: &'static Location<'static>,
    /// How long it has been out.
    pub age: Duration,
    /// The thread that took it: the number in its [`ThreadId`](std::thread::ThreadId) as `Debug` and logs print
    /// it. `None` if the thread was exiting.
    pub thread: Option<u64>,
    /// The tracing span in which it was taken, if there is a source of them
    /// ([`set_span_source`](crate::set_span_source)).
    pub span: Option<u64>,
}

/// A place in the code whose leases have been out for longer than asked.
///
/// It says where, for how long and by whom, not why. An object that is held for long, one whose guard was forgotten
/// and one whose holder hangs look the same until it returns; then it counts as
/// [`returned_after_all`](Self::returned_after_all), and the threshold was too low for this site. A future that is
/// cancelled drops its guards: those are returns like others. At a level below
/// [`All`](crate::LeaseLevel::All) the counts are of the leases on record, a share of all.
///
/// Prints as one line: `2 leases from src/a.rs:7:18, out for 1.2s to 3.4s, on ThreadId(5)`.
///
/// ```
/// use pool_core::{LeaseLevel, Pool};
/// use std::time::Duration;
/// let pool = Pool::builder("body").lease_level(LeaseLevel::All).build_with(Vec::<u8>::new)?;
/// let _buffers: Vec<_> = (0..3).map(|_| pool.get()).collect();
/// let suspects = pool.suspects(Duration::ZERO);
/// assert_eq!((suspects.len(), suspects[0].count), (1, 3));
/// assert!(suspects[0].youngest <= suspects[0].median && suspects[0].median <= suspects[0].oldest);
/// # Ok::<(), pool_core::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Where [`Pool::get`](crate::Pool::get) was called.
    pub site: &'static Location<'static>,
    /// Recorded leases from there that are out for longer than asked.
    pub count: u64,
    /// The age of the oldest of them.
    pub oldest: Duration,
    /// The age that half of them have reached: near that of the oldest, and it happened once; well below, and
    /// it goes on.
    pub median: Duration,
    /// The age of the youngest of them.
    pub youngest: Duration,
    /// Threads that took them, those of the oldest first, each once, at most [`EXAMPLES_MAX`](Self::EXAMPLES_MAX);
    /// see [`OpenLease::thread`].
    pub threads: Vec<u64>,
    /// Tracing spans in which they were taken, likewise.
    pub spans: Vec<u64>,
    /// Leases from there that had been reported and then came back after all: they were held long, not lost.
    pub returned_after_all: u64,
    /// None of those was out for longer than this: the time from its get until it was found to be back.
    pub returned_out_at_most: Duration,
}

impl Suspect {
    /// Threads and spans that a suspect names at most.
    pub const EXAMPLES_MAX: usize = 8;

    /// Puts leases together by site; the site with most leases comes first. Nothing has returned of them.
    ///
    /// ```
    /// use pool_core::{LeaseLevel, Pool, Suspect};
    /// let pool = Pool::builder("body").lease_level(LeaseLevel::All).build_with(Vec::<u8>::new)?;
    /// let (_a, _b) = (pool.get(), pool.get());
    /// assert_eq!(Suspect::by_site(pool.open_leases()).len(), 2, "two columns are two sites");
    /// # Ok::<(), pool_core::BuildError>(())
    /// ```
    #[must_use]
    pub fn by_site(leases: impl IntoIterator<Item = OpenLease>) -> Vec<Self> {
        let mut sites: BTreeMap<_, Vec<OpenLease>> = BTreeMap::new();
        for lease in leases {
            sites.entry(lease.site).or_default().push(lease);
        }
        let mut suspects: Vec<_> = sites.into_iter().map(|(site, leases)| Self::of(site, leases)).collect();
        suspects.sort_by_key(|suspect| std::cmp::Reverse(suspect.count)); // stable: else by site
        suspects
    }

    fn of(site: &'static Location<'static>, mut leases: Vec<OpenLease>) -> Self {
        leases.sort_by_key(|lease| std::cmp::Reverse(lease.age));
        let age = |at: usize| leases.get(at).map_or(Duration::ZERO, |lease| lease.age);
        Self {
            site,
            count: leases.len() as u64,
            oldest: age(0),
            median: age(leases.len() / 2),
            youngest: age(leases.len().saturating_sub(1)),
            threads: examples(leases.iter().filter_map(|lease| lease.thread)),
            spans: examples(leases.iter().filter_map(|lease| lease.span)),
            returned_after_all: 0,
            returned_out_at_most: Duration::ZERO,
        }
    }
}

/// The first few different ones.
fn examples(all: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut few = Vec::new();
    for one in all {
        if few.len() == Suspect::EXAMPLES_MAX {
            break;
        }
        if !few.contains(&one) {
            few.push(one);
        }
    }
    few
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leases = if self.count == 1 { "lease" } else { "leases" };
        write!(f, "{} {leases} from {}, out for ", self.count, self.site)?;
        if self.count > 1 {
            write!(f, "{:.1?} to ", self.youngest)?;
        }
        write!(f, "{:.1?}", self.oldest)?;
        for (at, thread) in self.threads.iter().enumerate() {
            write!(f, "{}ThreadId({thread})", if at == 0 { ", on " } else { " " })?;
        }
        for (at, span) in self.spans.iter().enumerate() {
            write!(f, "{}{span}", if at == 0 { ", in spans " } else { " " })?;
        }
        match self.returned_after_all {
            0 => Ok(()),
            n => write!(f, "; {n} returned after all, out for {:.1?} at most", self.returned_out_at_most),
        }
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    fn lease(site: &'static Location<'static>, age_s: u64) -> OpenLease {
        let age = Duration::from_secs(age_s);
        OpenLease { id: age_s, site, age, thread: Some(age_s / 2), span: (age_s > 5).then_some(7) }
    }

    #[test]
    fn leases_are_put_together_by_site_worst_first() {
        let (a, b) = (Location::caller(), Location::caller());
        let leases = [1, 3, 2].map(|age| lease(b, age)).into_iter().chain([lease(a, 9)]);
        let suspects = Suspect::by_site(leases);
        assert_eq!(suspects.iter().map(|s| (s.site, s.count)).collect::<Vec<_>>(), [(b, 3), (a, 1)]);
        let seconds = [suspects[0].oldest, suspects[0].median, suspects[0].youngest].map(|age| age.as_secs());
        assert_eq!(seconds, [3, 2, 1]);
        assert_eq!((&suspects[0].threads[..], &suspects[0].spans[..]), (&[1, 0][..], &[][..]));
        assert_eq!(suspects[1].spans, [7]);
    }

    #[test]
    fn examples_are_few_and_differ() {
        let site = Location::caller();
        let suspects = Suspect::by_site((0..1000).map(|age| lease(site, age)));
        assert_eq!((suspects[0].threads.len(), suspects[0].threads[0]), (Suspect::EXAMPLES_MAX, 499));
        assert_eq!(suspects[0].spans, [7]);
    }

    #[test]
    fn a_suspect_prints_as_one_line() {
        let site = Location::caller();
        let mut suspect = Suspect::by_site([lease(site, 6), lease(site, 2)]).remove(0);
        assert_eq!(
            suspect.to_string(),
            format!("2 leases from {site}, out for 2.0s to 6.0s, on ThreadId(3) ThreadId(1), in spans 7")
        );
        suspect = Suspect { returned_after_all: 4, ..Suspect::by_site([lease(site, 2)]).remove(0) };
        suspect.returned_out_at_most = Duration::from_millis(1500);
        assert_eq!(
            suspect.to_string(),
            format!(
                "1 lease from {site}, out for 2.0s, on ThreadId(1); 4 returned after all, out for 1.5s at most"
            )
        );
    }
}
