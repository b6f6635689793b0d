//! What a return leaves of each type, and what that weighs.

mod collections;
#[cfg(feature = "bytes")]
mod foreign_bytes;
#[cfg(any(feature = "hashbrown", feature = "indexmap", feature = "smallvec"))]
mod foreign_tables;
mod wrappers;

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What a storage of more than the size that is always kept is judged with after three bad returns: one more
/// discards it.
fn last_chance() -> Retention {
    Retention::new(Retention::STRIKES_MAX - 1, 0)
}

/// Recycles a value that nothing speaks against.
fn recycle<T: Recycle + ?Sized>(value: &mut T) {
    assert_eq!(value.recycle(&Retention::default()), Keep::Yes);
}

/// A part of a larger value: it has a verdict, and counts how often it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    says: Keep,
    asked: u32,
    weighs: usize,
}

impl Part {
    fn new(says: Keep, weighs: usize) -> Self {
        Self { says, asked: 0, weighs }
    }
}

impl Recycle for Part {
    fn recycle(&mut self, _: &Retention) -> Keep {
        self.asked += 1;
        self.says
    }
    fn weight(&self) -> usize {
        self.weighs
    }
}

#[test]
fn the_worse_verdict_wins_from_either_side() {
    let order = [Keep::Yes, Keep::Oversize, Keep::Refused];
    for (i, a) in order.into_iter().enumerate() {
        for (j, b) in order.into_iter().enumerate() {
            assert_eq!(a.or_worse(b), order[i.max(j)], "{a:?} and {b:?}");
        }
    }
}

#[test]
fn plain_values_go_back_to_their_default() {
    macro_rules! check {
        ($($used:expr, $t:ty;)*) => {$(
            let mut value: $t = $used;
            recycle(&mut value);
            assert_eq!(value, <$t>::default(), stringify!($t));
            assert_eq!(value.weight(), 0);
        )*};
    }
    check! {
        (), ();
        true, bool;
        'x', char;
        1, u8; 1, u16; 1, u32; 1, u64; 1, u128; 1, usize;
        -1, i8; -1, i16; -1, i32; -1, i64; -1, i128; -1, isize;
        Duration::from_secs(1), Duration;
        "text", &str;
        &[1, 2], &[u32];
        std::marker::PhantomData, std::marker::PhantomData<str>;
        std::marker::PhantomPinned, std::marker::PhantomPinned;
    }
    let (mut single, mut double) = (1.5_f32, -0.0_f64);
    recycle(&mut single);
    recycle(&mut double);
    assert_eq!((single.to_bits(), double.to_bits()), (0, 0));
}

#[test]
fn atomics_go_back_to_their_default() {
    let (mut flag, mut count) = (AtomicBool::new(true), AtomicU64::new(7));
    recycle(&mut flag);
    recycle(&mut count);
    assert_eq!((flag.load(Ordering::Relaxed), count.load(Ordering::Relaxed)), (false, 0));
}

#[test]
fn a_default_retention_is_that_of_a_first_return() {
    let retention = Retention::default();
    assert_eq!(retention.judge(0, usize::MAX), Keep::Yes);
    assert_eq!(retention.strikes(), 1);
}
