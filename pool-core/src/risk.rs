//! Values in the hands of code that may panic: its user's.

use crate::inside::Inside;
use crate::node::{Node, Owned};
use crate::recycle::Recycler;

impl<T, R: Recycler<T>> Inside<T, R> {
    /// What a value weighs with its node. A claim beyond [`WEIGHT_MAX`](crate::shared::WEIGHT_MAX) equals no weight
    /// that is noted anywhere, so it takes the slow path, which cuts it.
    #[inline(always)]
    pub(crate) fn weigh(&self, value: &T) -> u64 {
        (self.recycler.weight(value) as u64).saturating_add(size_of::<Node<T, R>>() as u64)
    }
}

/// Shows the node to `f`. If that panics, `otherwise` has the node.
#[inline(always)]
pub(crate) fn at_risk<T, R, O>(
    node: Owned<T, R>,
    otherwise: fn(Owned<T, R>),
    f: impl FnOnce(&mut Owned<T, R>) -> O,
) -> (Owned<T, R>, O) {
    /// Empty when all went well.
    struct Risk<T, R>(Option<Owned<T, R>>, fn(Owned<T, R>));
    impl<T, R> Drop for Risk<T, R> {
        #[cold]
        fn drop(&mut self) {
            if let Some(node) = self.0.take() {
                (self.1)(node);
            }
        }
    }
    let mut risk = Risk(Some(node), otherwise);
    let Some(node) = &mut risk.0 else { unreachable!("put there above") };
    let answer = f(node);
    let Some(node) = risk.0.take() else { unreachable!("nobody took it") };
    std::mem::forget(risk);
    (node, answer)
}
