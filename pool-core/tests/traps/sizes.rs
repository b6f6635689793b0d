//! Values of no size, of a page's alignment, and larger than a stack has room for twice.
#![allow(clippy::large_stack_arrays, reason = "that is what is tested")]

use pool_core::{ByClosure, Keep, Pool, Pooled, Recycle, Registry, Retention};
use std::thread;
use std::time::Duration;

const MIB: usize = 1 << 20;
/// What the standard library gives a thread unless it is told otherwise.
const STACK: usize = 2 * MIB;

type Large = [u8; MIB];

fn large(registry: &Registry) -> Pool<Large, ByClosure<Large>> {
    let clean = |large: &mut Large, _: &Retention| {
        large[0] = 0;
        Keep::Yes
    };
    let builder = Pool::builder("large").registry(registry).recycle_with(clean, |_| 0);
    builder.build_with(|| [0; MIB]).unwrap()
}

fn on_a_small_stack(work: fn()) {
    thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap();
}

/// Without optimisation each move of a value by copy takes its size of the stack.
#[test]
fn a_value_of_1_mib_is_created_lent_and_dropped_on_a_stack_of_2_mib() {
    on_a_small_stack(|| {
        let registry = Registry::new();
        let pool = large(&registry);
        assert_eq!(pool.prefill(2), 2);
        let (mut first, second, third) = (pool.get(), pool.get_with(|| [1; MIB]), pool.get());
        first[MIB - 1] = 7;
        let last = Pooled::map(first, |large| &mut large[MIB - 1]);
        assert_eq!(*last, 7);
        Pooled::discard(second);
        drop((last, third));
        assert_eq!(pool.try_get().unwrap().len(), MIB);
        assert_eq!(pool.retain(|large| large[0] == 0).busy_slots, 0);
        assert!(pool.close(Duration::ZERO).all_came_home());
        drop(pool.get());
    });
}

/// The caller's frame has room for one; no other is on the stack.
#[test]
fn a_value_of_1_mib_is_taken_out_onto_a_stack_of_2_mib() {
    #[inline(never)]
    fn created() -> Pooled<Large, ByClosure<Large>> {
        large(&Registry::new()).get()
    }
    #[inline(never)]
    fn taken_out(guard: Pooled<Large, ByClosure<Large>>) {
        let taken = Pooled::into_inner(guard);
        assert!(taken[MIB - 1] == 0);
    }
    on_a_small_stack(|| taken_out(created()));
}

#[test]
fn values_of_no_size_have_nodes_and_places_of_their_own() {
    let registry = Registry::new();
    let units = Pool::builder("units").registry(&registry).build_with(|| ()).unwrap();
    let guards: Vec<_> = (0..10).map(|_| units.get()).collect();
    assert_eq!(units.lent(), 10);
    drop(guards);
    let stats = units.stats();
    assert_eq!((stats.idle_objects, stats.imbalance), (10, 0));
    assert!(stats.idle_bytes >= 10 * 32, "a node is not nothing: {stats:?}");
    assert_eq!(units.prefill(5), 5);
    assert_eq!(units.retain(|()| false).dropped, 15);
}

#[test]
fn a_pages_alignment_is_kept_wherever_the_value_is() {
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    impl Recycle for Page {
        fn recycle(&mut self, _: &Retention) -> Keep {
            assert!(is_aligned(self));
            Keep::Yes
        }
        fn weight(&self) -> usize {
            assert!(is_aligned(self));
            0
        }
    }
    impl Drop for Page {
        fn drop(&mut self) {
            assert!(is_aligned(self) || thread::panicking());
        }
    }
    fn is_aligned(page: &Page) -> bool {
        (&raw const page.0).addr() % 4096 == 0
    }
    let pages = Pool::new("pages", || Page([0; 4096]));
    assert_eq!(pages.prefill(3), 3);
    let lent: Vec<_> = (0..100).map(|_| pages.get()).collect();
    assert!(lent.iter().all(|page| is_aligned(page)));
    drop(lent);
    assert_eq!(pages.retain(is_aligned).kept, 100);
    assert!(pages.close(Duration::ZERO).all_came_home());
}
