//! What the allocator kept of what the recorded pools freed, and so what is left for others.
//!
//! The plant's allocator goes along with the recorded pools: it takes for what they created and keeps what they dropped.
//! Where the real one says that it has less than that, this one lets go as large a share, and so will that of each replay.
//! Taking the model's figure off here, and adding it again in a replay, leaves the recorded usage as it was.

use super::super::allocator::Heap;
use super::super::demand::ms;
use super::super::scenario::Allocator;
use super::Point;
use super::demand::{dropped, permille};
use crate::record::Record;

/// What the recorded allocator is most like.
pub(super) fn allocator(record: &Record) -> Allocator {
    let says = record.moments.iter().any(|moment| moment.inputs.heap_free_bytes.is_some());
    if says { Allocator::Keeps } else { Allocator::Silent }
}

/// Takes off usage what pools and allocator held.
pub(super) fn take_off(record: &Record, points: &mut [Point], kind: Allocator) {
    let mut heap = Heap::new(kind);
    let says = free_by_point(record, points);
    let purges = purges_by_point(record, points);
    for n in 0..points.len() {
        let now_ms = ms(points[n].step);
        if n > 0 {
            let (before, after) = (&points[n - 1], &points[n]);
            for (earlier, later) in before.pools.iter().zip(&after.pools) {
                heap.take(later.created.saturating_sub(earlier.created) * later.weight);
                heap.free(dropped(earlier, later) * later.weight, now_ms);
            }
            heap.age(now_ms);
            if purges[n] > purges[n - 1] {
                heap.give_back();
            }
        }
        let pools: u64 = points[n].pools.iter().map(|pool| pool.bytes).sum();
        let room = points[n].others - pools.cast_signed();
        let most = says[n].unwrap_or(u64::MAX).min(room.max(0).cast_unsigned());
        let kept = permille(most, heap.dirty_bytes());
        heap.keep(kept);
        points[n].kept_permille = kept;
        points[n].others = room - heap.dirty_bytes().cast_signed();
    }
}

/// Free bytes that the allocator said it had, at each point.
fn free_by_point(record: &Record, points: &[Point]) -> Vec<Option<u64>> {
    by_point(record, points, |inputs| inputs.heap_free_bytes)
}

fn purges_by_point(record: &Record, points: &[Point]) -> Vec<u64> {
    by_point(record, points, |inputs| inputs.purges_total)
}

/// A figure at each point: that of the last moment in its step.
fn by_point<T>(
    record: &Record,
    points: &[Point],
    of: impl Fn(&pool_controller::decide::Inputs) -> T,
) -> Vec<T> {
    let began_ms = record.moments.first().map_or(0, |moment| moment.at_ms);
    let mut moments = record.moments.iter().peekable();
    let value = |(n, _): (usize, &Point)| {
        let next_ms = points.get(n + 1).map_or(u64::MAX, |next| began_ms + ms(next.step));
        let mut last = None;
        while let Some(moment) = moments.next_if(|moment| last.is_none() || moment.at_ms < next_ms) {
            last = Some(moment);
        }
        last.map(|moment| of(&moment.inputs))
    };
    points.iter().enumerate().map_while(value).collect()
}
