//! How many idle objects a get could not reach: they lay with other threads. The plant has one stack for a pool, and would
//! otherwise create less than the service did, and hold less.
//!
//! The recorded gets and returns run through each pool of the plant alone, with the recorded capacities, and it drops what
//! the service dropped. So many objects are out of reach as make it create what the service created.

use super::super::demand::{Round, SLOTS, Trace};
use super::super::pool::Pool;
use super::super::random::Random;
use super::super::world::Start;
use super::demand::dropped;
use super::{Point, PoolPoint};

/// Finds it for each pool.
pub(super) fn find(starts: &mut [Start], points: &[Point], traces: &[Trace]) {
    for (n, start) in starts.iter_mut().enumerate() {
        let of = |of: fn(&PoolPoint) -> u64| points.iter().map(move |point| of(&point.pools[n]));
        let held = of(|pool| pool.idle + pool.lent).max().unwrap_or(0);
        start.out_of_reach_room = of(PoolPoint::room).max().unwrap_or(0).min(held).max(1);
        let (first, last) = (points[0].pools[n], points[points.len() - 1].pools[n]);
        let wanted = last.created.saturating_sub(first.created);
        let most_idle = of(|pool| pool.idle).max().unwrap_or(0);
        start.out_of_reach = closest(wanted, most_idle, |objects| {
            created(&Start { out_of_reach: objects, ..start.clone() }, n, points, &traces[n])
        });
    }
}

/// Of 0 to `most`, where a function that rises comes closest to what is wanted.
fn closest(wanted: u64, most: u64, of: impl Fn(u64) -> u64) -> u64 {
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low.midpoint(high);
        if of(middle) < wanted { low = middle + 1 } else { high = middle }
    }
    if low > 0 && wanted.abs_diff(of(low - 1)) <= wanted.abs_diff(of(low)) { low - 1 } else { low }
}

/// What the pool creates.
fn created(start: &Start, n: usize, points: &[Point], trace: &Trace) -> u64 {
    let (mut pool, mut created) = (Pool::new(start), 0);
    // Nothing is drawn where every get may reuse.
    let mut random = Random::new(0, 0);
    for pair in points.windows(2) {
        let (before, after) = (&pair[0].pools[n], &pair[1].pools[n]);
        pool.capacity_bytes = before.room().saturating_mul(pool.weight);
        let mut to_drop = dropped(before, after);
        trace.each_round(pair[0].step * SLOTS..pair[1].step * SLOTS, |_, Round { gets, returns, again }| {
            created += if gets > 0 { pool.get(gets, &mut random).created } else { 0 };
            to_drop = to_drop.saturating_sub(pool.put(returns));
            if again > 0 {
                let (served, kept) = pool.repeat(again, gets, &mut random);
                created += served.created;
                to_drop = to_drop.saturating_sub(served.created - kept);
            }
        });
        // Cycles, trims, and creates that took from it.
        pool.drop_oldest(to_drop);
    }
    created
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_is_found() {
        let of = |n: u64| n * 10;
        assert_eq!([0, 4, 6, 37, 90, 500].map(|wanted| closest(wanted, 9, of)), [0, 0, 1, 4, 9, 9]);
        assert_eq!(closest(7, 0, of), 0);
    }
}
