//! What rows and shapes are called: those who measure and those who judge must agree on it.

pub(crate) const OURS: &str = "ours";
pub(crate) const LIMIT: &str = "limit";
pub(crate) const GLIBC: &str = "glibc";
pub(crate) const JEMALLOC: &str = "jemalloc";
pub(crate) const MIMALLOC: &str = "mimalloc";
pub(crate) const GO: &str = "Go sync.Pool";

pub(crate) fn is_allocator(row: &str) -> bool {
    [GLIBC, JEMALLOC, MIMALLOC].contains(&row)
}

/// A pool of another Rust crate, or one made by hand of a crate's parts.
pub(crate) fn is_rust_peer(row: &str) -> bool {
    !is_allocator(row) && ![OURS, LIMIT, GO].contains(&row)
}

pub(crate) fn is_peer_pool(row: &str) -> bool {
    row == GO || is_rust_peer(row)
}

pub(crate) const CROSS_THREAD: &str = "cross thread";

/// One pair after the other, on each of `n` threads for itself.
pub(crate) fn single(n: usize) -> String {
    threads(n)
}

/// 64 gets, then 64 returns, on each of `n` threads for itself.
pub(crate) fn burst(n: usize) -> String {
    format!("burst 64, {}", threads(n))
}

/// How often everything idle is taken away beside the measured threads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    Never,
    EveryMs(u64),
}

pub(crate) fn drained(n: usize, how: Drained) -> String {
    match how {
        Drained::Never => format!("{}, undisturbed", threads(n)),
        Drained::EveryMs(ms) => format!("{}, drained every {ms} ms", threads(n)),
    }
}

/// `level` as in the knob's documentation: off, 1 in 128, all.
pub(crate) fn leases(n: usize, level: &str) -> String {
    format!("{}, leases on record: {level}", threads(n))
}

/// Of the leases that should have been on record.
pub(crate) fn leases_missed(n: usize) -> String {
    format!("{}, leases on record: all, missed", threads(n))
}

pub(crate) const PASS: &str = "drain of 256 slots";
pub(crate) const PASS_CPU: &str = "drain of 256 slots, CPU time";

pub(crate) const HEADER: &str = "beside the value of an object";
pub(crate) const IDLE: &str = "the same, with its place among the idle";
pub(crate) const PER_POOL: &str = "a pool";
pub(crate) const PER_SLOT: &str = "a thread that used a pool";
pub(crate) const MANY_ALLOCATED: &str = "10,000 pools, 64 threads, allocated";
pub(crate) const MANY_RESIDENT: &str = "10,000 pools, 64 threads, resident";

/// One pool is used while this many exist.
pub(crate) fn alive(pools: usize) -> String {
    format!("one pool of {pools}")
}

/// This many pools are used in turn.
pub(crate) fn in_turn(pools: usize) -> String {
    format!("{pools} pool{} in turn", if pools == 1 { "" } else { "s" })
}

/// This many threads use one pool.
pub(crate) fn crowd(n: usize) -> String {
    format!("{} on one pool", threads(n))
}

/// How many pools and threads the rows on growth have, fewest first.
pub(crate) const GROWTH_POOLS: [usize; 5] = [1, 10, 100, 1_000, 10_000];
pub(crate) const GROWTH_THREADS: [usize; 4] = [1, 8, 64, 256];

fn threads(n: usize) -> String {
    format!("{n} thread{}", if n == 1 { "" } else { "s" })
}
