//! Nodes in the wrong hands, and hands that are empty half way.

use super::take_an_id;
use crate::node::{NodePtr, Owned};
use crate::shared::Shared;
use crate::sync::MAGAZINE;
use crate::{Managed, Pool};
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn pool() -> Pool<Vec<u8>> {
    take_an_id();
    Pool::new("owners", Vec::<u8>::new)
}

fn idle(shared: &Shared) -> NodePtr {
    shared.enter().slot.as_ref().and_then(|slot| slot.pop()).expect("an object was returned")
}

/// A new one, as if it had been returned.
fn idle_again(pool: &Pool<Vec<u8>>) -> NodePtr {
    let Ok(node) = Owned::build(pool.keeper().inside(), |place| Ok::<_, Infallible>(place.fill(Vec::new)));
    node.erase()
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

#[test]
fn a_node_of_another_pool_is_refused_wherever_it_comes_in() {
    let (mine, other) = (pool(), pool());
    drop((mine.get(), mine.get()));
    drop(other.get());
    let (mine, other) = (mine.keeper(), other.keeper());
    let node = idle(mine.shared());
    assert!(panics(|| drop(Owned::claim(node, other.inside()).erase())));
    let node = idle(mine.shared());
    let entry = other.shared().enter();
    let slot = entry.slot.as_ref().unwrap();
    assert!(panics(|| slot.push(node)));
    assert_eq!(slot.len(), 1, "its own is there");
}

#[test]
fn nothing_is_pushed_beyond_the_magazine() {
    let pool = pool();
    drop([(); MAGAZINE].map(|()| pool.get()));
    let keeper = pool.keeper();
    let entry = keeper.shared().enter();
    let slot = entry.slot.as_ref().unwrap();
    slot.set_credit(u32::MAX, u64::MAX);
    assert_eq!(slot.credit().0 as usize, MAGAZINE);
    let more = || slot.push(idle_again(&pool));
    while slot.len() < MAGAZINE {
        more();
    }
    assert!(panics(more));
    assert_eq!(slot.len(), MAGAZINE);
}

#[test]
fn a_panic_among_those_that_are_taken_gives_nothing_out_twice() {
    let pool = pool();
    drop([(); 4].map(|()| pool.get()));
    let keeper = pool.keeper();
    let mut entry = keeper.shared().enter();
    let slot = entry.slot.as_mut().unwrap();
    assert_eq!(slot.len(), 4);
    let mut taken = Vec::new();
    let third = |node: NodePtr| {
        taken.push(node.seen().address);
        assert!(taken.len() < 2, "as told");
    };
    assert!(panics(|| slot.take_oldest(3, third)));
    assert_eq!((slot.len(), taken.len()), (1, 2));
    let left = slot.pop().unwrap();
    assert!(!taken.contains(&left.seen().address));
    assert!(slot.pop().is_none());
    slot.push(left);
    assert_eq!((slot.len(), slot.bytes()), (1, keeper.stats().idle_bytes));
}

/// In 32 bits the count would begin anew at 0, and the next handle that is dropped would free what others use.
#[cfg(target_os = "linux")]
#[test]
fn too_many_forgotten_handles_end_the_process() {
    let pool = pool();
    let after = |handles| {
        super::sys::in_forked_child(|| {
            pool.keeper().shared().account.counts.pretend_handles(handles);
            std::mem::forget(pool.clone());
        })
    };
    assert_eq!(after(usize::MAX / 2), Ok(()));
    assert_eq!(after(usize::MAX / 2 + 1), Err(format!("the child was killed by signal {}", libc::SIGABRT)));
}
