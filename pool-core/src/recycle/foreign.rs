//! Types of other crates, each crate behind the feature of its name.

#[cfg(feature = "bytes")]
mod bytes;
#[cfg(feature = "hashbrown")]
mod hashbrown;
#[cfg(feature = "indexmap")]
mod indexmap;
#[cfg(feature = "smallvec")]
mod smallvec;

#[cfg(feature = "bytes")]
pub(crate) use self::bytes::reclaim;
