//! What only a count orders: whoever frees an inside must have seen all that was done under the counts of others. No
//! lock, fence or slot is in the way here, each of which would order it as well.

use super::{Captured, model};
use crate::inside::Inside;
use crate::recycle::Recycler;
use crate::{Keep, LeaseLevel, Pool, Retention};
use loom::thread;
use std::ptr::NonNull;

/// A pool whose recycler uses something that is freed with the inside.
fn pool() -> Pool<u32, impl Recycler<u32>> {
    let captured = Captured::new();
    Pool::builder("inside")
        .lease_level(LeaseLevel::Off)
        .recycle_with(
            move |v: &mut u32, _| if captured.read() > *v { Keep::Yes } else { Keep::Refused },
            |_| 10,
        )
        .build_with(|| 0)
        .unwrap()
}

/// Uses the inside, as a recycle would.
///
/// # Safety
/// I2.
unsafe fn use_inside<R: Recycler<u32>>(inside: NonNull<Inside<u32, R>>) {
    // SAFETY: by the contract.
    let keep = unsafe { inside.as_ref() }.recycler.recycle(&mut 0, &Retention::default());
    assert_eq!(keep, Keep::Yes);
}

#[test]
fn loom_the_last_count_frees_after_what_the_others_were_for() {
    model(|| {
        let pool = pool();
        let (mine, other) = (pool.keeper(), pool.keeper());
        drop(pool);
        let user = thread::spawn(move || {
            // SAFETY: the keeper's count.
            unsafe { use_inside(other.inside().as_ptr()) };
            drop(other);
        });
        drop(mine);
        user.join().unwrap();
    });
}

#[test]
fn loom_the_last_handle_closes_after_what_the_others_were_for() {
    model(|| {
        let (mine, other) = {
            let pool = pool();
            (pool.clone(), pool)
        };
        let user = thread::spawn(move || {
            let inside = other.keeper().inside().as_ptr(); // that keeper's count is given up here, before the use
            // SAFETY: the count of the handles.
            unsafe { use_inside(inside) };
            drop(other);
        });
        drop(mine);
        user.join().unwrap();
        crate::close::sweep_unfinished();
    });
}
