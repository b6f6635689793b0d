//! A state machine: the shipping pool beside a plain model, driven by several virtual threads on one OS thread.
//!
//! A run is a list of [`Op`]s. The virtual threads have ids of their own, exit, and leave their ids to others. An
//! operation can be interrupted at a yield point (inside a slot, in create, recycle or drop), and other operations by
//! other threads happen there. Values have identities, so the model knows of each where it must be: lent, in the
//! pool, or dropped. Time and chance are pretended, so the same list does the same thing twice.
//!
//! proptest (`tests.rs`) and libFuzzer (`fuzz/`) drive the same interpreter. It does not know what the pool should
//! do next, only what must hold whatever it did: see `check.rs`.

mod act;
mod check;
mod knobs;
mod look;
mod op;
mod pass;
#[cfg(test)]
mod tests;
mod threads;
mod ticket;

use self::check::{Rest, is_recorded};
use self::knobs::{InForce, KINDS, KnobModel};
use self::look::Look;
use self::op::{Op, THREADS};
use self::threads::Threads;
use self::ticket::{Place, SharedLedger, Ticket};
use crate::fence::Fenced;
use crate::keeper::Keeper;
use crate::managed::Managed;
use crate::sync::pretence::Pretence;
use crate::sync::test_hook;
use crate::thread_id::{self, act_as};
use crate::{ByTrait, Capacity, Pool, Pooled, Registry};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a panic on purpose carries.
struct Marker;

/// Runs operations that bytes stand for, four bytes each, on a new pool.
///
/// # Panics
/// If something that must hold did not.
#[cfg(ebbpool_fuzz)]
pub fn run_bytes(bytes: &[u8]) {
    run(&decode(bytes)).unwrap_or_else(|wrong| panic!("{wrong}"));
}

fn decode(bytes: &[u8]) -> Vec<Op> {
    bytes.chunks_exact(4).map(|op| Op::decode([op[0], op[1], op[2], op[3]])).collect()
}

/// What a run reached, so that a test can tell a run that did something from one that did nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    gets: u64,
    interruptions: u64,
    busy_slots: u64,
    cycles: u64,
}

/// Runs the operations on a new pool; says what was wrong.
fn run(ops: &[Op]) -> Result<Reached, String> {
    let pretence = Pretence::begin();
    let own = thread_id::current();
    let machine = Rc::new(Machine::new(ops));
    let wrong = machine.play().or_else(|| machine.end());
    test_hook::unset();
    act_as(own);
    drop(pretence);
    let Some(wrong) = wrong else { return Ok(machine.reached.get()) };
    // What is broken must not be dropped: a test that aborts cannot be shrunk.
    std::mem::forget(machine);
    Err(wrong)
}

struct Machine {
    ledger: SharedLedger,
    registry: Registry,
    managed: Arc<dyn Managed>,
    keeper: Keeper<Ticket, ByTrait>,
    handles: RefCell<Vec<Rc<Pool<Ticket>>>>,
    held: RefCell<Vec<Held>>,
    threads: RefCell<Threads>,
    program: RefCell<VecDeque<Op>>,
    fenced: RefCell<Option<Fenced>>,
    model: RefCell<Model>,
    in_hand: Cell<InHand>,
    reached: Cell<Reached>,
}

/// A lent object.
struct Held {
    guard: Pooled<Ticket>,
    /// Whether the lease is on record, if that can be told.
    recorded: Option<bool>,
}

/// Operations under way that were interrupted.
#[derive(Clone, Copy, Debug, Default)]
struct InHand {
    gets: usize,
}

struct Model {
    knobs: KnobModel,
    /// What was in force at the last rest, and how many interruptions there had been.
    in_force: InForce,
    interruptions_at_rest: u64,
    gets: u64,
    gets_created: u64,
    returns: u64,
    tainted: u64,
    cycles: u64,
    last_cycle: Instant,
    /// Cycles that had run when the last object was got, or when a cycle could not do its whole work.
    quiet_since: u64,
    /// The highest age that the eviction knob ever had.
    oldest_allowed: u32,
    /// Whether the capacity was ever set.
    was_cut: bool,
    rest: Rest,
    /// Whether the last handle went while some thread was inside.
    closed_busy: bool,
    open_leases: (u64, u64),
}

const CAPACITY: Capacity = crate::PoolBuilder::CAPACITY_DEFAULT;

impl Machine {
    fn new(ops: &[Op]) -> Self {
        let ledger = SharedLedger::default();
        let registry = Registry::new();
        let in_create = ledger.clone();
        let built = crate::sync::clock::now();
        let builder = Pool::builder("machine").registry(&registry);
        let pool = builder.build_with(move || in_create.create()).expect("the registry is empty");
        let knobs = KnobModel::new(CAPACITY);
        let in_force = knobs.in_force(built);
        let model = Model {
            knobs,
            in_force,
            interruptions_at_rest: 0,
            gets: 0,
            gets_created: 0,
            returns: 0,
            tainted: 0,
            cycles: 0,
            last_cycle: built,
            quiet_since: 0,
            oldest_allowed: in_force.eviction.max_age_cycles(),
            was_cut: false,
            rest: Rest { generation: u64::MAX, capacity: (0, 0), free: (0, 0), ceiling: (0, 0) },
            closed_busy: false,
            open_leases: (0, 0),
        };
        Self {
            ledger,
            registry,
            managed: pool.managed(),
            keeper: pool.keeper(),
            handles: RefCell::new(vec![Rc::new(pool)]),
            held: RefCell::default(),
            threads: RefCell::new(Threads::new()),
            program: RefCell::new(ops.iter().copied().collect()),
            fenced: RefCell::default(),
            model: RefCell::new(model),
            in_hand: Cell::default(),
            reached: Cell::default(),
        }
    }

    /// All operations; what was wrong first.
    fn play(self: &Rc<Self>) -> Option<String> {
        loop {
            let op = self.program.borrow_mut().pop_front()?;
            self.perform(op);
            if !matches!(op, Op::Interrupt { .. }) {
                test_hook::unset();
                if !self.is_closed() {
                    self.check_at_rest();
                }
                self.check_closed();
            }
            if let Some(wrong) = self.wrong() {
                return Some(format!("after {op:?}: {wrong}"));
            }
        }
    }

    /// Everything comes back, the pool closes, and nothing is left.
    fn end(self: &Rc<Self>) -> Option<String> {
        test_hook::unset();
        while let Some(handle) = self.handles.borrow_mut().pop() {
            self.perform_with(|_| drop(handle));
        }
        while !self.held.borrow().is_empty() {
            self.perform(Op::Return { thread: 0, which: 0, count: 1 });
        }
        // Another test's thread may be sweeping what this pool had to leave behind, at this very moment.
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.managed.is_finished()
            || self.ledger.lock().objects.iter().any(|o| o.place != Place::Dropped)
        {
            self.registry.pass(crate::Job::Reclaim { extra_bytes: 0 });
            self.registry.drop_condemned(Duration::MAX, || false);
            crate::close::sweep_unfinished();
            if Instant::now() > deadline {
                self.ledger.violation(format!("never finished: {:?}", self.managed.stats()));
                break;
            }
            std::thread::yield_now();
        }
        self.wrong().map(|wrong| format!("at the end: {wrong}"))
    }

    fn wrong(&self) -> Option<String> {
        let ledger = self.ledger.lock();
        (!ledger.violations.is_empty()).then(|| ledger.violations.join("; "))
    }

    fn is_closed(&self) -> bool {
        self.keeper.shared().is_closed()
    }

    fn look(&self) -> Look {
        Look::at(self.keeper.shared())
    }

    /// The next operation is interrupted at its yield point number `at`.
    fn arm(self: &Rc<Self>, at: usize, count: usize) {
        let machine = Rc::clone(self);
        test_hook::set_anywhere(move || machine.yielded(at, count));
    }

    fn yielded(self: &Rc<Self>, at: usize, count: usize) {
        // A thread that panics is no place for others: they would seem to panic too.
        if at > 0 || std::thread::panicking() {
            self.arm(at.saturating_sub(1), count);
            return;
        }
        if self.threads.borrow().acting.len() == THREADS {
            return;
        }
        self.reach(|reached| reached.interruptions += 1);
        let own = thread_id::current();
        for _ in 0..count {
            let Some(op) = self.program.borrow_mut().pop_front() else { break };
            self.perform(op);
            if !self.is_closed() {
                self.check_anywhere(&self.look(), self.in_hand.get());
            }
        }
        act_as(own);
    }

    fn reach(&self, f: impl FnOnce(&mut Reached)) {
        let mut reached = self.reached.get();
        f(&mut reached);
        self.reached.set(reached);
    }
}

impl Model {
    /// A lease begins (1) or ends (-1) of which this is known.
    fn count_lease(&mut self, recorded: Option<bool>, begins: bool) {
        let (known, unknown) = &mut self.open_leases;
        let count = match recorded {
            Some(true) => known,
            Some(false) => return,
            None => unknown,
        };
        *count = if begins { *count + 1 } else { count.saturating_sub(1) };
    }

    fn is_recorded_now(&self) -> Option<bool> {
        is_recorded(self.in_force.sampling.leases())
    }
}
