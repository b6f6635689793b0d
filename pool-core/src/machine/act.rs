//! How each operation is carried out, and what is known of its outcome at once.

use super::op::{Badly, Op, Pass};
use super::ticket::{Place, UNIT};
use super::{Held, InHand, KINDS, Machine, Marker};
use crate::knobs::{Author, Change, Setting};
use crate::sync::clock;
use crate::sync::pretence::Pretence;
use crate::{DropReason, Pool, fence};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use super::ticket::Ticket;

/// Values that one run creates at most: a weight has room for so many identities.
const OBJECTS_MAX: usize = UNIT - 100;

impl Machine {
    /// One operation, by a thread that is free; its panics, if they are meant, end here.
    pub(super) fn perform(self: &Rc<Self>, op: Op) {
        let wanted = match op {
            Op::Get { thread, .. }
            | Op::GetPanics { thread }
            | Op::Return { thread, .. }
            | Op::ReturnBadly { thread, .. }
            | Op::Exit { thread } => thread,
            Op::Interrupt { at, count } => return self.arm(at, count),
            _ => 0,
        };
        let thread = self.threads.borrow_mut().begin(wanted);
        self.catch(|| self.act(op, thread));
        self.threads.borrow_mut().acting.pop();
    }

    /// Something that is no operation, by thread 0.
    pub(super) fn perform_with(self: &Rc<Self>, f: impl FnOnce(&Rc<Self>)) {
        self.threads.borrow_mut().begin(0);
        self.catch(|| f(self));
        self.threads.borrow_mut().acting.pop();
    }

    fn catch(&self, f: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
            if !panic.is::<Marker>() {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                self.ledger.violation(format!("a panic: {}", text.unwrap_or_default()));
            }
        }
    }

    fn act(self: &Rc<Self>, op: Op, thread: usize) {
        match op {
            Op::Get { count, .. } => (0..count).for_each(|_| self.get()),
            Op::GetPanics { .. } => {
                self.ledger.lock().create_panics = true;
                self.catch(|| self.get());
                self.ledger.lock().create_panics = false;
            }
            Op::Return { which, count, .. } => (0..count).for_each(|_| self.give_back(which, None)),
            Op::ReturnBadly { which, how, .. } => self.give_back(which, Some(how)),
            Op::Use { which, units, used_units } => self.with_held(which, |ticket| {
                (ticket.units, ticket.used_units) = (units, used_units.min(units));
            }),
            Op::DropPanics { which } => self.with_held(which, |ticket| ticket.next.drop_panics = true),
            Op::Exit { .. } => self.exit(thread),
            Op::Set { setting, author, ttl } => self.set(setting, author, ttl),
            Op::Withdraw { knob, author } => {
                self.model.borrow_mut().knobs.withdraw(KINDS[knob], author);
                self.managed.withdraw(KINDS[knob], author);
            }
            Op::Advance(time) => Pretence::advance(time),
            Op::Grant(bytes) => self.registry.grant().set(bytes),
            Op::Pass(pass) => self.pass(pass),
            Op::Mark => self.managed.mark(),
            Op::Fence => *self.fenced.borrow_mut() = Some(fence::heavy()),
            Op::Collect(pass) => self.collect(pass),
            Op::Tick => self.tick(),
            Op::Trim { extra_bytes } => {
                self.take(extra_bytes, false, || self.managed.trim_depot(extra_bytes, DropReason::Pressure));
            }
            Op::Reclaim { bytes } => self.take(bytes, true, || self.managed.reclaim(bytes)),
            Op::DropCondemned { budget } => drop(self.managed.drop_condemned(budget)),
            Op::CloneHandle => {
                let copy = self.handles.borrow().last().map(|handle| Rc::new(Pool::clone(handle)));
                self.handles.borrow_mut().extend(copy);
            }
            Op::DropHandle => {
                let handle = self.handles.borrow_mut().pop();
                self.drop_handle(handle);
            }
            Op::Interrupt { .. } => {}
        }
    }

    fn get(self: &Rc<Self>) {
        if self.ledger.lock().objects.len() >= OBJECTS_MAX {
            return;
        }
        let Some(handle) = self.handles.borrow().last().map(Rc::clone) else { return };
        let using = Using(self, Some(handle));
        let Some(pool) = &using.1 else { return };
        let expected = self.model.borrow().in_force;
        let recorded = self.model.borrow().is_recorded_now();
        let under_way = Getting::begin(self);
        let mut guard = pool.get();
        drop(under_way);
        // In the depot already, while the return that put it there has not come to its end.
        let from: &[_] = &[Place::Born, Place::InPool, Place::Returning];
        let before = self.ledger.pass(guard.id, if self.is_alone() { &from[..2] } else { from }, Place::Lent);
        if !std::mem::replace(&mut guard.clean, false) {
            self.ledger.violation(format!("object {} was lent before it was recycled", guard.id));
        }
        let undisturbed =
            self.is_alone() && self.reached.get().interruptions == self.model.borrow().interruptions_at_rest;
        if undisturbed && expected.reuse.0.get() == 0.0 && before != Place::Born {
            self.ledger.violation("reused against the knob");
        }
        let recorded = if undisturbed { recorded } else { None };
        let mut model = self.model.borrow_mut();
        model.gets += 1;
        model.gets_created += u64::from(before == Place::Born);
        model.quiet_since = model.cycles;
        model.count_lease(recorded, true);
        drop(model);
        self.held.borrow_mut().push(Held { guard, recorded });
        self.reach(|reached| reached.gets += 1);
    }

    fn give_back(self: &Rc<Self>, which: usize, how: Option<Badly>) {
        let mut held = self.held.borrow_mut();
        if held.is_empty() {
            return;
        }
        let at = which % held.len();
        let Held { mut guard, recorded } = held.remove(at);
        drop(held);
        let id = guard.id;
        guard.next.recycle_panics = how == Some(Badly::RecyclePanics);
        guard.next.refuse = how == Some(Badly::Refused);
        let closed_before = self.is_closed() && self.is_alone();
        self.ledger.pass(id, &[Place::Lent], Place::Returning);
        let mut model = self.model.borrow_mut();
        model.returns += 1;
        model.tainted += u64::from(how == Some(Badly::WhilePanicking));
        model.count_lease(recorded, false);
        drop(model);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let _guard = guard;
            if how == Some(Badly::WhilePanicking) {
                resume_unwind(Box::new(Marker));
            }
        }));
        let cycles = self.model.borrow().cycles;
        let mut ledger = self.ledger.lock();
        let object = &mut ledger.objects[id];
        if object.place == Place::Returning {
            (object.place, object.returned_at) = (Place::InPool, cycles);
            if closed_before {
                ledger.violations.push(format!("object {id} was kept by a closed pool"));
            } else if how.is_some() {
                ledger.violations.push(format!("object {id} was kept, and came back {how:?}"));
            }
        }
        drop(ledger);
        if let Err(panic) = panic {
            resume_unwind(panic);
        }
    }

    fn with_held(&self, which: usize, f: impl FnOnce(&mut Ticket)) {
        let mut held = self.held.borrow_mut();
        if let Some(at) = which.checked_rem(held.len()) {
            f(&mut held[at].guard);
        }
    }

    fn exit(self: &Rc<Self>, thread: usize) {
        let mut threads = self.threads.borrow_mut();
        threads.turn(thread);
        if threads.has_exited(thread) {
            drop(threads);
            crate::thread_id::act_as(crate::thread_id::EXITED);
            crate::close::sweep_unfinished();
        }
    }

    fn set(&self, setting: Setting, author: Author, ttl: Option<Duration>) {
        let change = match (author, ttl) {
            (Author::Policy, _) => Ok(Change::policy("run")),
            (Author::Operator, _) => Ok(Change::operator("run")),
            (Author::Person, ttl) => Change::person("run", ttl.unwrap_or(Duration::from_secs(60))),
        };
        let change = change.and_then(|change| ttl.map_or(Ok(change.clone()), |ttl| change.lasting(ttl)));
        let change = change.expect("a time in its range");
        let mut model = self.model.borrow_mut();
        match setting {
            Setting::Capacity(_) => model.was_cut = true,
            Setting::Eviction(e) => model.oldest_allowed = model.oldest_allowed.max(e.max_age_cycles()),
            _ => {}
        }
        model.knobs.set(setting, author, ttl.map(|ttl| clock::now() + ttl));
        drop(model);
        self.managed.set(setting, change);
    }

    /// A handle goes; with the last one the pool closes, unless a get that uses it is still under way.
    pub(super) fn drop_handle(&self, handle: Option<Rc<Pool<Ticket>>>) {
        let open = !self.is_closed();
        let last =
            handle.as_ref().is_some_and(|h| Rc::strong_count(h) == 1) && self.handles.borrow().is_empty();
        if open && last && !self.is_alone() {
            self.model.borrow_mut().closed_busy = true;
        }
        drop(handle);
    }

    /// Whether nothing is under way but the operation that asks.
    pub(super) fn is_alone(&self) -> bool {
        self.threads.borrow().acting.len() <= 1
    }
}

/// The handle by which a get is under way. A get that panics may let the last one go, too.
struct Using<'a>(&'a Machine, Option<Rc<Pool<Ticket>>>);

impl Drop for Using<'_> {
    fn drop(&mut self) {
        self.0.drop_handle(self.1.take());
    }
}

/// A get is under way: an object may be in its hands.
struct Getting<'a>(&'a Machine);

impl<'a> Getting<'a> {
    fn begin(machine: &'a Machine) -> Self {
        machine.in_hand.set(InHand { gets: machine.in_hand.get().gets + 1 });
        Self(machine)
    }
}

impl Drop for Getting<'_> {
    fn drop(&mut self) {
        self.0.in_hand.set(InHand { gets: self.0.in_hand.get().gets - 1 });
    }
}

impl Pass {
    pub(super) fn job(self) -> crate::Job {
        match self {
            Self::Reclaim { extra_bytes } => crate::Job::Reclaim { extra_bytes },
            Self::Snapshot => crate::Job::Snapshot,
            Self::Cycle => crate::Job::Cycle { now: clock::now() },
        }
    }
}
