//! A cycle: what nobody needed since the last one becomes the victim, and what nobody wanted of earlier victims is
//! dropped. This is the ageing of Go's `sync.Pool`, but of the surplus only, as in Bonwick's magazines.

use crate::drain::Condemned;
use crate::drainer::Drainer;
use crate::fence::Fenced;
use crate::node::NodePtr;
use crate::shared::{CYCLES_KEPT, Shared, signed};
use crate::stats::{CycleReport, DropReason};
use crate::sync::PoisonError;
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::clock::{self, Instant};
use crate::victim::Age;
use std::time::Duration;

impl Shared {
    /// Whether the knob's time has passed since the last cycle (or since the pool was built).
    pub(crate) fn cycle_is_due(&self, now: Instant) -> bool {
        let cycle = self.cycle_time();
        let since_last = self.age_at_ns(now).saturating_sub(self.watched.last_cycle_ns.load(Relaxed));
        Duration::from_nanos(since_last) >= cycle
    }

    fn note_cycle(&self) {
        let mut begun = self.cycles.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.len() == CYCLES_KEPT {
            begun.pop_front();
        }
        begun.push_back(self.age_ns());
    }

    /// One cycle over the first `marked` slots. Drainer lock held; lets the slots go. `fenced` is false if no slot
    /// may be visited: then only what threads share ages.
    pub(crate) fn cycle(&self, drainer: &mut Drainer<'_>, fenced: &Fenced, now: Instant) -> CycleReport {
        let began = clock::now();
        let knobs = self.in_force();
        let cycle = self.cycles.count.fetch_add(1, Relaxed) + 1;
        self.watched.last_cycle_ns.store(self.age_at_ns(now), Relaxed);
        self.note_cycle();
        let mut report = CycleReport { cycle, ..CycleReport::default() };

        let (mut surplus, mut too_many) = (Vec::new(), Vec::new());
        let share = knobs.sampling.evict_ratio();
        let above = self.is_above_capacity();
        report.busy_slots = drainer.visit(fenced, |slot| {
            slot.take_surplus(share, &mut surplus);
            if above {
                // What is too much may lie in magazines, where only a pass reaches it.
                self.take_all(slot, &mut too_many);
            } else {
                let (objects, bytes) = slot.take_unused();
                self.account.credit.give(i64::from(objects), signed(bytes));
            }
        });
        self.depot.take_surplus(share, &mut surplus);
        self.depot.put_spread(too_many);
        report.moved_objects = surplus.len() as u64;
        report.moved_bytes = surplus.iter().map(NodePtr::weight).sum();
        self.victim.put(Age { cycle, since: now }, surplus);

        let floor = u64::from(knobs.capacity.objects_floor());
        let mut above_floor = self.idle().0.saturating_sub(floor);
        let eviction = knobs.eviction;
        let mut condemned = Condemned::new(self, DropReason::Expired);
        self.victim.take_oldest(
            |age| {
                // Surplus of the cycle before the last was idle for one cycle, then in the victim for one more.
                let idle_cycles = cycle - age.cycle + 1;
                let too_old = idle_cycles >= u64::from(eviction.max_age_cycles())
                    || eviction.idle_ttl().is_some_and(|ttl| now.saturating_duration_since(age.since) >= ttl);
                let unwanted = idle_cycles >= 2 && above_floor > 0;
                above_floor = above_floor.saturating_sub(1);
                !(too_old || unwanted)
            },
            |node| condemned.push(node),
        );
        let expired = condemned.finish();
        let pressed = self.condemn(0, DropReason::Pressure);
        report.dropped[DropReason::Expired as usize] = expired.objects;
        let reason = if self.is_closed() { DropReason::Closed } else { DropReason::Pressure };
        report.dropped[reason as usize] = pressed.objects;
        report.dropped_bytes = expired.bytes + pressed.bytes;
        (report.kept_objects, report.kept_bytes) = self.idle();
        report.took = clock::now().saturating_duration_since(began);
        report
    }
}

/// Says a cycle on standard error, if `EBBPOOL_TRACE` asks for it.
pub(crate) fn trace(pool: &str, report: &CycleReport) {
    if crate::trace::cycles() {
        crate::trace::say(&line(pool, report));
    }
}

fn line(pool: &str, r: &CycleReport) -> String {
    let dropped: Vec<_> = DropReason::ALL
        .iter()
        .zip(r.dropped)
        .filter(|(_, n)| *n > 0)
        .map(|(reason, n)| format!("{} {n}", reason.as_str()))
        .collect();
    let dropped = if dropped.is_empty() { "0".to_owned() } else { dropped.join(", ") };
    format!(
        "ebbpool: cycle {} pool={pool} kept={}/{}B moved={}/{}B dropped={dropped}/{}B busy={} took={}",
        r.cycle,
        r.kept_objects,
        r.kept_bytes,
        r.moved_objects,
        r.moved_bytes,
        r.dropped_bytes,
        r.busy_slots,
        Micros(r.took),
    )
}

struct Micros(Duration);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}us", self.0.as_micros())
    }
}

#[cfg(all(test, not(ebbpool_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_trace_line_says_what_happened() {
        let mut report = CycleReport {
            cycle: 12,
            kept_objects: 3,
            kept_bytes: 300,
            moved_objects: 2,
            moved_bytes: 200,
            took: Duration::from_micros(40),
            ..CycleReport::default()
        };
        let start = "ebbpool: cycle 12 pool=a kept=3/300B moved=2/200B";
        assert_eq!(line("a", &report), format!("{start} dropped=0/0B busy=0 took=40us"));
        report.dropped[DropReason::Expired as usize] = 4;
        report.dropped[DropReason::Pressure as usize] = 1;
        report.dropped_bytes = 500;
        report.busy_slots = 1;
        assert_eq!(
            line("a", &report),
            format!("{start} dropped=pressure 1, expired 4/500B busy=1 took=40us")
        );
    }
}
