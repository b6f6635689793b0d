//! Direct reclaim: what a create costs that finds the grant used up and takes as much back from another pool first,
//! beside one that does not.
//!
//! The two take turns, round by round. Before plain creates the same is taken back, as much at once, and not timed: so both
//! find the allocator and the caches alike. Otherwise plain creates would now and then pay for fresh pages, and taking
//! back would look like a gain. A create that takes back does so for the next ones too, so rounds are compared by their
//! sums.

use crate::figures::Row;
use pool_core::{Capacity, Grant, Pool, PoolBuilder, Recycle, Registry, Sampling, Setting};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// What was promised of a burst that creates three fifths of the limit: this much more.
const PROMISED: f64 = 1.2;
/// Such a burst, for a limit of 160 MiB, bytes.
const BURST: usize = 96 << 20;
/// One that stays in the caches. There a create is cheapest, and nothing was promised.
const SMALL_BURST: usize = 6 << 20;
/// What small creates take back at once, bytes.
const AT_ONCE_BYTES: u64 = 256 << 10;

pub(crate) fn rows(quick: bool) -> Vec<Row> {
    let rounds = if quick { 2 } else { 25 };
    let (page, pages) = (64 << 10, || vec![0_u8; 64 << 10]);
    let context = || Context::new(1 << 20);
    let mut rows = compare("64 KiB zeroed, burst of 96 MiB", rounds, BURST / page, Some(PROMISED), pages);
    rows.extend(compare(
        "1 MiB tables filled, burst of 96 MiB",
        rounds,
        BURST >> 20,
        Some(PROMISED),
        context,
    ));
    rows.extend(compare("64 KiB zeroed, burst of 6 MiB", 4 * rounds, SMALL_BURST / page, None, pages));
    rows
}

/// What a compressor keeps: tables that are written when it is made.
struct Context(Vec<u32>);

impl Context {
    fn new(bytes: usize) -> Self {
        let entries = (0_u32..).take(bytes / size_of::<u32>());
        Self(entries.map(|n| n.wrapping_mul(0x9E37_79B1)).collect())
    }
}

impl Recycle for Context {
    fn recycle(&mut self, _: &pool_core::Retention) -> pool_core::Keep {
        pool_core::Keep::Yes
    }
    fn weight(&self) -> usize {
        self.0.capacity() * size_of::<u32>()
    }
}

/// Rows of the create by itself, of the one that takes back, and of how many times as long that takes.
fn compare<T: Recycle + Send + 'static>(
    what: &str,
    rounds: usize,
    creates: usize,
    promised: Option<f64>,
    create: impl Fn() -> T + Send + Sync + Copy + 'static,
) -> Vec<Row> {
    let rig = Rig::new(create);
    rig.round(creates, true); // warms up
    let (mut plain, mut taking_back, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (one, other) = (rig.round(creates, false), rig.round(creates, true));
        ratios
            .push(other.iter().sum::<Duration>().as_secs_f64() / one.iter().sum::<Duration>().as_secs_f64());
        plain.extend(one);
        taking_back.extend(other);
    }
    let ratio = Row::of(format!("{what}: times as long"), "×", ratios);
    let promised = promised.map(|most| (format!("median ≤ {most}"), ratio.median <= most));
    vec![
        Row::of_times(format!("{what}: create"), &plain, None),
        Row::of_times(format!("{what}: create after taking back"), &taking_back, None),
        Row { promised, ..ratio },
    ]
}

/// A pool that keeps nothing, so that each get creates, and one that holds idle objects of the same kind.
struct Rig<T: Recycle + Send + 'static> {
    registry: Registry,
    maker: Pool<T>,
    holder: Pool<T>,
}

impl<T: Recycle + Send + 'static> Rig<T> {
    fn new(create: impl Fn() -> T + Send + Sync + Copy + 'static) -> Self {
        let registry = Registry::new();
        // Nothing is served fresh on purpose, or there would now and then be less to take back.
        let untimed = Sampling::DEFAULT.with_timing_one_in(0).map(Setting::Sampling).expect("in range");
        let build = |builder: PoolBuilder| builder.registry(&registry).knob(untimed).build_with(create);
        let maker = build(Pool::builder("maker").capacity(Capacity::ZERO)).expect("a fresh name");
        let room = Capacity::new(1 << 16, 2 * BURST as u64).expect("in range");
        let holder = build(Pool::builder("holder").capacity(room)).expect("a fresh name");
        Self { registry, maker, holder }
    }

    fn grant(&self) -> &Grant {
        self.registry.grant()
    }

    /// The times of so many creates.
    fn round(&self, creates: usize, takes_back: bool) -> Vec<Duration> {
        self.grant().set(None);
        // A few more than are needed: an object may weigh a little less than the create is charged.
        drop((0..creates + 8).map(|_| self.holder.get()).collect::<Vec<_>>());
        let exceeded = self.grant().exceeded_total();
        self.grant().set(takes_back.then_some(0));
        let (mut lent, weight) = (Vec::with_capacity(creates), self.holder.managed().stats().expected_weight);
        let at_once = (AT_ONCE_BYTES / weight).max(1);
        let times = (0..creates)
            .map(|n| {
                if !takes_back && (n as u64).is_multiple_of(at_once) {
                    self.holder.managed().reclaim(at_once * weight);
                    self.registry.drop_condemned(Duration::MAX, || false);
                }
                let began = Instant::now();
                let object = black_box(self.maker.get());
                let took = began.elapsed();
                lent.push(object);
                took
            })
            .collect();
        assert_eq!(self.grant().exceeded_total(), exceeded, "there was always something to take back");
        times
    }
}
