//! Memory: what the pool itself takes beside the values. Measured in a process of its own, so that what it makes
//! resident was not resident before.

use crate::Plan;
use crate::figures::{BYTES, Figures, MIB, Series};
use crate::heap::counted;
use crate::names::{self, OURS};
use pool_core::{Keep, LeaseLevel, Pool, PoolBuilder, Pooled, Recycle, Registry, Retention};
use std::process::{Command, Stdio};
use std::sync::{Barrier, Mutex, OnceLock};
use std::thread;

const ROUNDS: usize = 3;

/// What this program is called with to be that process.
pub(crate) const CHILD: &str = "--overhead-child";

const SHAPES: [(&str, &str); 6] = [
    (names::HEADER, BYTES),
    (names::IDLE, BYTES),
    (names::PER_POOL, BYTES),
    (names::PER_SLOT, BYTES),
    (names::MANY_ALLOCATED, MIB),
    (names::MANY_RESIDENT, MIB),
];

pub(crate) fn measure(plan: &Plan, figures: &mut Figures) -> Result<(), String> {
    let mut cells = SHAPES.map(|(shape, unit)| Series::new(OURS, shape, unit));
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    for _ in 0..if plan.quick { 1 } else { ROUNDS } {
        let mut child = Command::new(&program);
        let output = child.arg(CHILD).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let output = output.map_err(|e| format!("overhead: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let values: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        if !output.status.success() || values.len() != cells.len() {
            return Err(format!("overhead: {}, {text:?}", output.status));
        }
        cells.iter_mut().zip(values).for_each(|(cell, value)| cell.push(value));
    }
    figures.series.extend(cells);
    Ok(())
}

/// Prints one number for each of [`SHAPES`]. What needs a clean process comes first.
pub(crate) fn child() {
    let (allocated, resident) = many();
    let (header, idle) = per_object();
    println!("{header} {idle} {} {} {allocated} {resident}", per_pool(), per_slot());
}

/// A value without a heap of its own, so that all that is allocated is ours or the value itself.
#[allow(dead_code)] // only its size matters
struct Value([u8; VALUE_BYTES]);

const VALUE_BYTES: usize = 64;

impl Recycle for Value {
    fn recycle(&mut self, _: &Retention) -> Keep {
        Keep::Yes
    }
}

fn value() -> Value {
    std::hint::black_box(Value([0; VALUE_BYTES]))
}

/// Built and registered as a service does it.
fn pool(registry: &Registry, name: &str, change: impl FnOnce(PoolBuilder) -> PoolBuilder) -> Pool<Value> {
    let builder = change(Pool::builder(name).registry(registry));
    builder.build_with(value).expect("names differ")
}

/// Bytes beside the value while it is lent, and while it is idle. Without records of leases, which are no part of it.
fn per_object() -> (f64, f64) {
    const OBJECTS: usize = 1000;
    let registry = Registry::new();
    let pool = pool(&registry, "objects", |builder| builder.lease_level(LeaseLevel::Off));
    let _first = pool.get(); // makes this thread's slot
    let mut lent: Vec<Pooled<Value>> = Vec::with_capacity(OBJECTS);
    let (while_lent, ()) = counted(|| lent.extend((0..OBJECTS).map(|_| pool.get())));
    let (more_while_idle, ()) = counted(|| lent.clear());
    let each = |bytes: i64| bytes as f64 / OBJECTS as f64 - VALUE_BYTES as f64;
    (each(while_lent), each(while_lent + more_while_idle))
}

/// Bytes of a pool that nobody has used, with its entry in the registry.
fn per_pool() -> f64 {
    const POOLS: usize = 1000;
    let registry = Registry::new();
    let names: Vec<_> = (0..POOLS).map(|i| format!("pool.{i:04}")).collect();
    let (bytes, pools) =
        counted(|| names.iter().map(|name| pool(&registry, name, |builder| builder)).collect::<Vec<_>>());
    bytes as f64 / pools.len() as f64
}

/// Bytes that a pool takes for each thread that used it, without the object which that thread left there.
fn per_slot() -> f64 {
    let registry = Registry::new();
    let pool = pool(&registry, "threads", |builder| builder.lease_level(LeaseLevel::Off));
    let (bytes, ()) = crew(|_| drop(pool.get()), |work| counted(work));
    let objects = pool.stats().idle_bytes;
    (bytes as f64 - objects as f64) / THREADS as f64
}

/// 10,000 pools and 64 threads, each of which used ten pools: MiB allocated and MiB resident.
fn many() -> (f64, f64) {
    const POOLS: usize = 10_000;
    const TOUCHED: usize = 10;
    let names: Vec<_> = (0..POOLS).map(|i| format!("pool.{i:05}")).collect();
    let registry = Registry::new();
    let pools: OnceLock<Vec<Pool<Value>>> = OnceLock::new();
    // 7,919 is prime to 10,000: all pools that are touched differ.
    let touch = |thread: usize, i: usize| {
        let at = (thread * TOUCHED + i) * 7919 % POOLS;
        drop(pools.get().expect("built before the threads go on")[at].get());
    };
    crew(
        |thread| (0..TOUCHED).for_each(|i| touch(thread, i)),
        |work| {
            let resident_before = resident_bytes();
            let build = || names.iter().map(|name| pool(&registry, name, |builder| builder)).collect();
            let (bytes, ()) = counted(|| {
                pools.set(build()).unwrap_or_else(|_| unreachable!("set once"));
                work();
            });
            let resident = resident_bytes().saturating_sub(resident_before);
            let mib = |bytes: f64| bytes / f64::from(1 << 20);
            (mib(bytes as f64), mib(resident as f64))
        },
    )
}

const THREADS: usize = 64;

/// Starts [`THREADS`] threads and runs `script`, which is given a function that has each thread do `work` and returns
/// when all have, one after the other: a thread that finds the others' lock held would do without a slot. The threads
/// exist, have used a pool, and live on meanwhile: what they themselves take is not counted, and no id is used twice.
fn crew<O>(work: impl Fn(usize) + Sync, script: impl FnOnce(&dyn Fn()) -> O) -> O {
    let barriers: [Barrier; 4] = std::array::from_fn(|_| Barrier::new(THREADS + 1));
    let [ready, begin, done, end] = &barriers;
    let other = Pool::new("other", value);
    let turn = Mutex::new(());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (work, other, turn) = (&work, &other, &turn);
            let in_turn = move |work: &dyn Fn()| {
                let _turn = turn.lock();
                work();
            };
            scope.spawn(move || {
                in_turn(&|| drop(other.get()));
                ready.wait();
                begin.wait();
                in_turn(&|| work(thread));
                done.wait();
                end.wait();
            });
        }
        ready.wait();
        let output = script(&|| {
            begin.wait();
            done.wait();
        });
        end.wait();
        output
    })
}

/// Resident memory of this process. 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    // SAFETY: it takes a number and returns one.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages * u64::try_from(page).unwrap_or(0)
}
