//! Direct reclaim: what a create costs that finds the grant used up and takes as much back from another pool first,
//! beside one that does not.
//!
//! The two take turns, round by round. Before a plain create the same is taken back, and not timed: so both find the
//! allocator and the caches alike. Otherwise the plain create would now and then pay for fresh pages, and taking back
//! would look like a gain.

use crate::figures::Row;
use pool_core::{Capacity, Grant, Pool, PoolBuilder, Recycle, Registry, Sampling, Setting};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// What was promised: this much more.
const PROMISED: f64 = 1.2;
/// Creates of a round.
const CREATES: usize = 96;

pub(crate) fn rows(quick: bool) -> Vec<Row> {
    let rounds = if quick { 2 } else { 100 };
    let zeroed = || vec![0_u8; 64 << 10];
    let context = || Context::new(1 << 20);
    let mut rows = compare("64 KiB zeroed", rounds, CREATES, zeroed);
    rows.extend(compare("1 MiB context, tables filled", rounds / 4 + 1, CREATES / 4, context));
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
    create: impl Fn() -> T + Send + Sync + Copy + 'static,
) -> Vec<Row> {
    let rig = Rig::new(create);
    rig.round(creates, true); // warms up
    let (mut plain, mut taking_back, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (one, other) = (rig.round(creates, false), rig.round(creates, true));
        ratios.push(median(&other) / median(&one));
        plain.extend(one);
        taking_back.extend(other);
    }
    let ratio = Row::of(format!("{what}: times as long"), "×", ratios);
    let met = ratio.median <= PROMISED;
    vec![
        Row::of_times(format!("{what}: create"), &plain, None),
        Row::of_times(format!("{what}: create after taking back"), &taking_back, None),
        Row { promised: Some((format!("median ≤ {PROMISED}"), met)), ..ratio },
    ]
}

fn median(times: &[Duration]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2].as_secs_f64()
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
        let holder = build(Pool::builder("holder")).expect("a fresh name");
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
        let mut lent = Vec::with_capacity(creates);
        let times = (0..creates)
            .map(|_| {
                if !takes_back {
                    self.holder.managed().reclaim(1);
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
