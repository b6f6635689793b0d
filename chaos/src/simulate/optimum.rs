//! The optimum: what someone who knows all demand beforehand could save, and no policy can exceed.
//!
//! **What is optimised.** At each moment someone decides what each pool keeps idle. Each get that finds an object saves
//! what a reuse of that pool saves. Others, what is lent and what is idle may never be more than .95 of the limit
//! together, at the end of each step. The optimum is the most that can be saved after the warm-up.
//!
//! **How.** An object that is kept from a return until a later get is an interval: it costs its weight at the end of
//! each step in between, and earns one reuse. Objects of a pool are alike, so it is enough to look at the intervals in
//! which each get takes what was returned last: any other matching can be changed into these, one exchange at a time,
//! without a longer interval. So the question is which intervals to choose such that at each step those under way weigh
//! no more than the room: .95 of the limit minus others minus what is lent.
//!
//! **Why it is an upper bound.** Four things are relaxed, each in favour of the optimum: freed memory leaves at once;
//! objects may be cut into bytes; idle ones of a pool whose weight changes always have its least weight; and of the steps
//! within a quarter of a second only the tightest one counts. What remains is a linear program, and what is returned is the value of a solution of its dual, which bounds the program
//! whatever the solution is. A policy's hits that count are intervals like these, since an object that was idle above
//! .95 does not count, so no policy saves more.
//!
//! **Why it is tight.** The program is a minimum-cost flow ([`Cover`]), solved exactly; freed memory is what separates
//! a policy from it most.

use super::cover::{Arc, Cover};
use super::demand::{Demand, Round, SLOTS, Trace};
use super::plant::{MARK_PERMILLE, warm_up_steps};
use super::world::World;
use std::collections::BTreeMap;

/// Steps of which the tightest counts.
const BLOCK: usize = 50;

/// An object that waits for its next get, from the end of a step until before the end of another one; as many as
/// alike. Both are one where it is got in the step in which it was returned: that takes no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wait {
    from: usize,
    to: usize,
    objects: u64,
}

/// What can be saved at most after the warm-up, ns.
pub(super) fn optimum_ns(world: &dyn World, demand: &Demand) -> f64 {
    let starts: Vec<_> = (0..world.processes()).flat_map(|_| world.starts()).collect();
    let weights: Vec<(u64, f64)> = starts.iter().map(|start| (start.least_weight, start.saved_ns)).collect();
    let room: Vec<i128> = (0..demand.steps)
        .map(|step| {
            i128::from(world.limit_bytes(step) * MARK_PERMILLE / 1000) - i128::from(world.others_bytes(step))
        })
        .collect();
    let pools_each = starts.len() / world.processes() as usize;
    let question = Question {
        weights: &weights,
        traces: &demand.pools,
        counts_from: warm_up_steps(world),
        slots: SLOTS,
        block: BLOCK,
    };
    let room = question.less_lent(room, |step, pool| world.lent_weight(step, pool % pools_each.max(1)));
    question.bound_ns(room)
}

/// What is asked, but for the room.
struct Question<'a> {
    /// Of each pool: an object's bytes, and what a reuse saves, ns.
    weights: &'a [(u64, f64)],
    traces: &'a [Trace],
    /// Gets before this step save nothing.
    counts_from: usize,
    /// Of a step.
    slots: usize,
    /// Steps of which the tightest counts.
    block: usize,
}

impl Question<'_> {
    /// Takes from the room by step what is lent at its end; `weigh` has the bytes of a lent object, by step and pool.
    fn less_lent(&self, mut room: Vec<i128>, weigh: impl Fn(usize, usize) -> u64) -> Vec<i128> {
        for (pool, trace) in self.traces.iter().enumerate() {
            let mut lent = i128::from(trace.at_start.1);
            for (step, room) in room.iter_mut().enumerate() {
                let during = step * self.slots..(step + 1) * self.slots;
                let sum = |all: &[u32]| all.iter().map(|n| i128::from(*n)).sum::<i128>();
                lent += sum(&trace.gets[during.clone()]) - sum(&trace.returns[during]);
                *room -= lent * i128::from(weigh(step, pool));
            }
        }
        room
    }

    /// `room`: bytes for what is idle, by step.
    fn bound_ns(&self, room: Vec<i128>) -> f64 {
        let mut waits = Vec::new();
        // What the room would have to be for all of them, minus what it is.
        let mut change = vec![0_i128; room.len() + 1];
        for (pool, trace) in self.traces.iter().enumerate() {
            let weight = i128::from(self.weights[pool].0);
            for wait in waits_of(trace, self.slots).into_iter().filter(|wait| wait.to >= self.counts_from) {
                change[wait.from] += i128::from(wait.objects) * weight;
                change[wait.to] -= i128::from(wait.objects) * weight;
                waits.push((pool, wait));
            }
        }
        let room: Vec<i128> = room.into_iter().map(|bytes| bytes.max(0)).collect();
        let scarce = scarce_steps(&room, &change, self.block);
        let (mut free_ns, mut arcs) = (0.0, BTreeMap::new());
        for (pool, wait) in waits {
            let first = scarce.partition_point(|step| *step < wait.from);
            let end = scarce.partition_point(|step| *step < wait.to);
            let (weight, saved_ns) = self.weights[pool];
            if first == end {
                free_ns += wait.objects as f64 * saved_ns;
            } else {
                *arcs.entry((first, end, pool)).or_insert(0) += wait.objects * weight;
            }
        }
        let arcs = arcs.into_iter().map(|((from, to, pool), bytes)| {
            let (weight, saved_ns) = self.weights[pool];
            Arc { from, to, bytes, worth: saved_ns / weight as f64 }
        });
        let rooms = scarce.iter().map(|step| u64::try_from(room[*step]).unwrap_or(0));
        free_ns + Cover::new(rooms.collect(), arcs.collect()).bound()
    }
}

/// The waits of a pool that keeps everything: each get takes what was returned last.
fn waits_of(trace: &Trace, slots: usize) -> Vec<Wait> {
    let (mut stack, mut waits) = (vec![(0, trace.at_start.0)], Vec::new());
    trace.each_round(0..trace.gets.len(), |slot, Round { gets, returns, again }| {
        let step = slot / slots;
        let mut wanted = gets;
        while wanted > 0 {
            let Some((from, objects)) = stack.last_mut() else { break };
            let taken = wanted.min(*objects);
            add(&mut waits, Wait { from: *from, to: step, objects: taken });
            *objects -= taken;
            wanted -= taken;
            if *objects == 0 {
                stack.pop();
            }
        }
        match stack.last_mut() {
            Some((from, objects)) if *from == step => *objects += returns,
            _ if returns > 0 => stack.push((step, returns)),
            _ => {}
        }
        // Each time what has just come back.
        add(&mut waits, Wait { from: step, to: step, objects: again * gets });
    });
    waits
}

/// Adds a wait to the last one, where that is alike.
fn add(waits: &mut Vec<Wait>, wait: Wait) {
    match waits.last_mut() {
        Some(last) if (last.from, last.to) == (wait.from, wait.to) => last.objects += wait.objects,
        _ if wait.objects > 0 => waits.push(wait),
        _ => {}
    }
}

/// Of each block, the step in which most is missing, if anything is.
fn scarce_steps(room: &[i128], change: &[i128], block: usize) -> Vec<usize> {
    let mut wanted = 0;
    let missing: Vec<i128> = room
        .iter()
        .zip(change)
        .map(|(room, change)| {
            wanted += change;
            wanted - room
        })
        .collect();
    let worst = |(n, block_missing): (usize, &[i128])| {
        let (at, most) = block_missing.iter().enumerate().max_by_key(|(_, missing)| **missing)?;
        (*most > 0).then_some(n * block + at)
    };
    missing.chunks(block).enumerate().filter_map(worst).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::demand::tests::{busy_trace, one_by_one};
    use crate::simulate::random::Random;

    fn question<'a>(weights: &'a [(u64, f64)], traces: &'a [Trace]) -> Question<'a> {
        Question { weights, traces, counts_from: 0, slots: 1, block: 1 }
    }

    /// The bound where a lent object weighs what an idle one does.
    fn bound_of(question: &Question<'_>, room: &[i128]) -> f64 {
        let room = question.less_lent(room.to_vec(), |_, pool| question.weights[pool].0);
        question.bound_ns(room)
    }

    fn trace(random: &mut Random, steps: usize, per_step: f64) -> Trace {
        let mut trace = Trace { gets: vec![0; steps], returns: vec![0; steps], ..Trace::default() };
        for step in 0..steps {
            for _ in 0..random.arrivals(per_step) {
                trace.gets[step] += 1;
                let back = step + 1 + usize::try_from(random.up_to(4)).unwrap();
                if back < steps {
                    trace.returns[back] += 1;
                }
            }
        }
        trace
    }

    /// The best of all choices of single objects, by trying each.
    fn best_by_trying(weights: &[(u64, f64)], traces: &[Trace], room: &[i128]) -> f64 {
        let mut singles = Vec::new();
        let mut room = room.to_vec();
        for (pool, trace) in traces.iter().enumerate() {
            let mut lent = 0;
            for (step, room) in room.iter_mut().enumerate() {
                lent += i128::from(trace.gets[step]) - i128::from(trace.returns[step]);
                *room -= lent * i128::from(weights[pool].0);
            }
            let waits = waits_of(trace, 1);
            singles.extend(waits.iter().flat_map(|w| (0..w.objects).map(move |_| (pool, w.from, w.to))));
        }
        assert!(singles.len() <= 16, "too many to try");
        let mut best = 0.0_f64;
        for choice in 0..1_u32 << singles.len() {
            let chosen =
                || singles.iter().enumerate().filter(|(n, _)| choice & (1 << n) != 0).map(|(_, s)| *s);
            let fits = room.iter().enumerate().all(|(step, room)| {
                let idle: u64 = chosen()
                    .filter(|(_, from, to)| (*from..*to).contains(&step))
                    .map(|s| weights[s.0].0)
                    .sum();
                idle == 0 || i128::from(idle) <= *room
            });
            if fits {
                best = best.max(chosen().map(|s| weights[s.0].1).sum());
            }
        }
        best
    }

    #[test]
    fn it_is_the_best_of_all_choices_where_weights_are_equal_and_above_it_where_not() {
        let mut random = Random::new(5, 5);
        let (mut tried, mut exact) = (0, 0);
        while tried < 60 {
            let traces = [trace(&mut random, 14, 0.5), trace(&mut random, 14, 0.4)];
            let singles: u64 = traces.iter().flat_map(|trace| waits_of(trace, 1)).map(|w| w.objects).sum();
            if !(3..=12).contains(&singles) {
                continue;
            }
            tried += 1;
            let room: Vec<i128> = (0..14).map(|_| 10 * i128::from(random.up_to(5))).collect();
            let alike = [(10, 3.0), (10, 5.0)];
            let (bound, best) =
                (bound_of(&question(&alike, &traces), &room), best_by_trying(&alike, &traces, &room));
            assert!((bound - best).abs() < 1e-6, "{bound} and {best}");
            let unlike = [(10, 3.0), (17, 4.0)];
            let of_unlike = question(&unlike, &traces);
            let (bound, best) = (bound_of(&of_unlike, &room), best_by_trying(&unlike, &traces, &room));
            assert!(bound >= best - 1e-6, "{bound} below {best}");
            exact += u32::from(bound - best < 1e-6);
            let of_blocks = Question { block: 4, ..of_unlike };
            assert!(bound_of(&of_blocks, &room) >= bound - 1e-6, "fewer steps bound less");
        }
        assert!(exact > 10, "cutting objects helps seldom: {exact}");
    }

    #[test]
    fn rounds_that_come_again_wait_as_one_by_one() {
        let mut random = Random::new(6, 6);
        for _ in 0..300 {
            let trace = busy_trace(&mut random);
            let (apart, each) = one_by_one(&trace);
            assert_eq!(waits_of(&trace, 1), waits_of(&apart, each), "{trace:?}");
        }
        let fast =
            Trace { gets: vec![1 << 30; 3], returns: vec![1 << 30; 3], together: 1, ..Trace::default() };
        assert!(waits_of(&fast, 1).len() <= 6, "as many as there are gets");
    }

    #[test]
    fn with_room_for_all_each_get_that_could_hit_does() {
        let trace = Trace { gets: vec![2, 0, 1, 2], returns: vec![0, 2, 0, 1], ..Trace::default() };
        let of = |room| bound_of(&question(&[(10, 7.0)], std::slice::from_ref(&trace)), &[room; 4]);
        assert!((of(1000) - 14.0).abs() < 1e-9, "the first two must create, and the last but one");
        assert!((of(20) - 14.0).abs() < 1e-9);
        assert!((of(10) - 7.0).abs() < 1e-9, "one of them may wait for a step, and not for two");
        assert!(of(0).abs() < 1e-9);
    }

    #[test]
    fn hits_before_the_warm_up_save_nothing() {
        let trace = Trace { gets: vec![2, 0, 1, 2], returns: vec![0, 2, 0, 1], ..Trace::default() };
        let late = Question { counts_from: 3, ..question(&[(10, 7.0)], std::slice::from_ref(&trace)) };
        let bound = bound_of(&late, &[1000; 4]);
        assert!((bound - 7.0).abs() < 1e-9);
    }
}
