//! The cases. Each runs a number of pairs, alike from the first to the last.

use crate::limit;
use pool_core::{Capacity, LeaseLevel, Pool, PoolBuilder, Pooled, Recycler, Registry};
use std::hint::black_box;
use std::sync::LazyLock;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(u64),
    pub(crate) environment: &'static [(&'static str, &'static str)],
}

const fn case(name: &'static str, run: fn(u64)) -> Case {
    Case { name, run, environment: &[] }
}

pub(crate) const PAIR: &str = "pair of a Vec<u8>";
pub(crate) const FALLBACK: &str = "pair of a Vec<u8>, fallback fences";

pub(crate) const CASES: [Case; 9] = [
    case("the limit: a bare thread-local stack", bare),
    case(PAIR, |pairs| singles(&buffers(|builder| builder), pairs)),
    case("pair of a 16-byte box", boxes),
    case("burst of 64, Vec<u8>", bursts),
    case("pair of a Vec<u8>, leases off", |pairs| {
        singles(&buffers(|b| b.lease_level(LeaseLevel::Off)), pairs);
    }),
    case("pair of a Vec<u8>, all leases recorded", |pairs| {
        singles(&buffers(|b| b.lease_level(LeaseLevel::All)), pairs);
    }),
    case("pair of a Vec<u8>, recycled by closures", closures),
    // Nothing is kept: each get takes the slow path and creates, each return drops. The vector has no memory.
    case("get that creates, return that drops", |pairs| {
        let pool = built(|builder| builder.capacity(Capacity::ZERO)).build_with(Vec::<u8>::new).expect(ALONE);
        for _ in 0..pairs {
            black_box(&mut *pool.get());
        }
    }),
    Case {
        name: FALLBACK,
        run: |pairs| singles(&buffers(|builder| builder), pairs),
        environment: &[("EBBPOOL_FENCE", "seqcst")],
    },
];

const BURST: usize = 64;
const ALONE: &str = "the only pool of its registry";

/// In a registry, as a service has it: creates are charged against its grant.
fn built(change: impl FnOnce(PoolBuilder) -> PoolBuilder) -> PoolBuilder {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);
    change(Pool::builder("cost").registry(&REGISTRY))
}

fn buffer() -> Vec<u8> {
    Vec::with_capacity(1024)
}

fn buffers(change: impl FnOnce(PoolBuilder) -> PoolBuilder) -> Pool<Vec<u8>> {
    built(change).build_with(buffer).expect(ALONE)
}

/// The one use that a lease sees.
#[inline(always)]
fn touch(buffer: &mut Vec<u8>) {
    buffer.push(1);
    black_box(buffer.as_mut_ptr());
}

#[inline(never)]
fn singles<R: Recycler<Vec<u8>>>(pool: &Pool<Vec<u8>, R>, pairs: u64) {
    for _ in 0..pairs {
        touch(&mut pool.get());
    }
}

fn bursts(pairs: u64) {
    let pool = buffers(|builder| builder);
    let mut held: Vec<Pooled<Vec<u8>>> = Vec::with_capacity(BURST);
    for _ in 0..pairs / BURST as u64 {
        for _ in 0..BURST {
            let mut lease = pool.get();
            touch(&mut lease);
            held.push(lease);
        }
        held.clear();
    }
}

fn boxes(pairs: u64) {
    let pool = built(|builder| builder).build_with(|| Box::new(0_u128)).expect(ALONE);
    for _ in 0..pairs {
        let mut lease = pool.get();
        **lease = 1;
        black_box(&raw mut **lease);
    }
}

fn closures(pairs: u64) {
    let builder = built(|builder| builder).recycle_with(
        |buffer: &mut Vec<u8>, retention| {
            let keep = retention.judge(buffer.len(), buffer.capacity());
            buffer.clear();
            keep
        },
        Vec::capacity,
    );
    singles(&builder.build_with(buffer).expect(ALONE), pairs);
}

fn bare(pairs: u64) {
    let mut buffer = [0_u8; 1024];
    limit::push(buffer.as_mut_ptr());
    for _ in 0..pairs {
        let Some(pointer) = limit::pop() else { unreachable!("one was pushed") };
        // SAFETY: it points to `buffer`, which nobody else uses.
        unsafe { pointer.write(1) };
        limit::push(black_box(pointer));
    }
}
