//! Passes and trims: what they took, what they left, and what they must not have touched.

use super::Machine;
use super::look::Look;
use super::op::Pass;
use crate::{Collected, CycleReport, DropReason, Ratio, Taken};

impl Machine {
    pub(super) fn pass(&self, pass: Pass) {
        let before = self.look();
        let job = pass.job();
        let Some((_, collected)) = self.registry.pass(job).into_iter().next() else { return };
        self.check_pass(pass, &before, &collected, true);
        self.count_cycle(job, collected.cycle.as_ref());
    }

    /// The last of a pass's three steps, with whatever fence there was last.
    pub(super) fn collect(&self, pass: Pass) {
        let Some(fenced) = self.fenced.borrow_mut().take() else { return };
        let before = self.look();
        let job = pass.job();
        let collected = self.managed.collect(&fenced, job);
        self.check_pass(pass, &before, &collected, false);
        self.count_cycle(job, collected.cycle.as_ref());
    }

    pub(super) fn tick(&self) {
        let now = crate::sync::clock::now();
        let since = now.saturating_duration_since(self.model.borrow().last_cycle);
        let due = since >= self.managed.knobs().eviction.value.cycle();
        let before = self.look();
        let reports = self.registry.cycle(now);
        if self.is_closed() {
            return;
        }
        let report = reports.first().map(|(_, report)| report);
        if due != report.is_some() {
            self.ledger.violation(format!("a cycle was due: {due}, and ran: {}", report.is_some()));
        }
        if let Some(report) = report {
            let collected = Collected {
                taken: report.taken(),
                busy_slots: report.busy_slots,
                cycle: Some(report.clone()),
                ..Collected::default()
            };
            self.check_pass(Pass::Cycle, &before, &collected, true);
            self.count_cycle(crate::Job::Cycle { now }, Some(report));
        }
    }

    fn count_cycle(&self, job: crate::Job, report: Option<&CycleReport>) {
        let (crate::Job::Cycle { now }, Some(report)) = (job, report) else { return };
        let ratio = self.managed.knobs().sampling.value.evict_ratio();
        let mut model = self.model.borrow_mut();
        model.cycles += 1;
        model.last_cycle = now;
        if report.busy_slots > 0 || ratio != Ratio::ONE {
            model.quiet_since = model.cycles;
        }
        drop(model);
        self.reach(|reached| reached.cycles += 1);
    }

    /// `whole`: mark, fence and collect with nothing between them.
    fn check_pass(&self, pass: Pass, before: &Look, collected: &Collected, whole: bool) {
        if self.is_closed() {
            return;
        }
        let after = self.look();
        let mut wrong = Vec::new();
        let busy: Vec<_> = (0..before.slots.len()).filter(|at| before.slots[*at].busy).collect();
        self.reach(|reached| reached.busy_slots += busy.len() as u64);
        for &at in &busy {
            if before.slots[at].ids != after.slots[at].ids
                || before.slots[at].credit != after.slots[at].credit
            {
                wrong.push(format!("slot {at} was visited while its owner was inside"));
            }
        }
        wrong.extend(wrong_taken(before, &after, collected.taken));
        if after.marked && whole {
            wrong.push("a pass left its mark".to_owned());
        }
        if whole && collected.busy_slots != busy.len() as u64 {
            wrong.push(format!("{} slots were busy, not {}", collected.busy_slots, busy.len()));
        }
        if whole && busy.is_empty() {
            wrong.extend(self.wrong_result(pass, before, &after, collected));
        }
        if pass == Pass::Snapshot && before.contents() != after.contents() {
            wrong.push("a snapshot moved something".to_owned());
        }
        self.ledger.violations(wrong.into_iter().map(|what| format!("{pass:?}: {what}")));
    }

    /// Of a pass that could visit every slot.
    fn wrong_result(&self, pass: Pass, before: &Look, after: &Look, collected: &Collected) -> Vec<String> {
        let mut wrong = Vec::new();
        let capacity = self.keeper.shared().account.credit.capacity();
        let (objects, bytes) = (after.idle_objects(), after.idle_bytes);
        if pass != Pass::Snapshot && (objects > capacity.0 || bytes > capacity.1) {
            wrong.push(format!(
                "{objects} objects of {bytes} bytes are idle, and the capacity is {capacity:?}"
            ));
        }
        match pass {
            Pass::Reclaim { extra_bytes } => {
                if after.slots.iter().any(|slot| !slot.ids.is_empty() || slot.credit != (0, 0)) {
                    wrong.push("slots hold something after it".to_owned());
                }
                wrong.extend(wrong_extra(before, collected.taken, extra_bytes, before.idle_bytes));
            }
            Pass::Snapshot if self.is_alone() => {
                let fine = collected.snapshot.as_ref().is_some_and(|stats| {
                    (stats.consistent, stats.imbalance, stats.duplicates) == (true, 0, 0)
                        && stats.idle_objects == objects
                });
                if !fine {
                    wrong.push(format!("with nobody at work: {:?}", collected.snapshot));
                }
            }
            Pass::Snapshot => {}
            Pass::Cycle => wrong.extend(self.wrong_cycle(before, after, collected.cycle.as_ref())),
        }
        wrong
    }

    fn wrong_cycle(&self, before: &Look, after: &Look, report: Option<&CycleReport>) -> Vec<String> {
        let Some(report) = report else { return vec!["no report".to_owned()] };
        let mut wrong = Vec::new();
        if (report.kept_objects, report.kept_bytes) != (after.idle_objects(), after.idle_bytes) {
            wrong.push(format!("{report:?} does not say what is idle"));
        }
        let model = self.model.borrow();
        let knobs = &model.in_force;
        let young = report.cycle < u64::from(knobs.eviction.max_age_cycles())
            && knobs.eviction.idle_ttl().is_none()
            && self.is_alone();
        let floor = u64::from(knobs.capacity.objects_floor()).min(before.idle_objects());
        let pressed = report.dropped[DropReason::Pressure as usize] > 0;
        if young && !pressed && after.idle_objects() < floor {
            wrong.push(format!("{} are idle, below the floor of {floor}", after.idle_objects()));
        }
        if knobs.sampling.evict_ratio() == Ratio::ZERO && self.is_alone() && report.moved_objects > 0 {
            wrong.push("surplus moved against the knob".to_owned());
        }
        wrong
    }

    /// A trim of the depot, or a reclaim that reaches slots too.
    pub(super) fn take(&self, bytes: u64, reaches_slots: bool, f: impl FnOnce() -> Taken) {
        let before = self.look();
        let taken = f();
        if self.is_closed() {
            return;
        }
        let after = self.look();
        let mut wrong: Vec<_> = wrong_taken(&before, &after, taken).into_iter().collect();
        let in_slots: u64 = before.slots.iter().map(|slot| slot.bytes).sum();
        let busy = before.slots.iter().any(|slot| slot.busy);
        let reaches_slots = reaches_slots && !before.marked && !busy;
        let within_reach = before.idle_bytes - if reaches_slots { 0 } else { in_slots };
        wrong.extend(wrong_extra(&before, taken, bytes, within_reach));
        self.ledger.violations(wrong);
    }
}

/// What is said to be taken is condemned.
fn wrong_taken(before: &Look, after: &Look, taken: Taken) -> Option<String> {
    let objects = (after.condemned.len() - before.condemned.len()) as u64;
    let condemned = Taken { objects, bytes: after.condemned_bytes - before.condemned_bytes };
    (taken != condemned).then(|| format!("it says {taken:?}, and condemned {condemned:?}"))
}

/// At least what was asked for or all there is; and, unless the capacity was cut, not one object more than that needs.
fn wrong_extra(before: &Look, taken: Taken, asked: u64, within_reach: u64) -> Option<String> {
    let cut = before.free.0 < 0 || before.free.1 < 0;
    let heaviest = 16 * super::ticket::UNIT as u64 + 4096;
    let too_few = taken.bytes < asked.min(within_reach);
    let too_many = !cut && taken.bytes >= asked.saturating_add(heaviest);
    (too_few || too_many)
        .then(|| format!("{asked} bytes were asked for, {} taken, {within_reach} within reach", taken.bytes))
}
