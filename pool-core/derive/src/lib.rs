//! `#[derive(Recycle)]` of `pool-core`, which re-exports it behind its feature `derive`: use it from there.
//!
//! ```text
//!  lib ──► attributes     what is said at a type, a field, a variant
//!   └────► expand ──► bounds
//!          the implementation; which types it needs to be `Recycle`
//! ```
//!
//! This crate knows syntax only. Whether a type can be recycled is for the compiler to say, at that type.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod attributes;
mod bounds;
mod expand;

use proc_macro::TokenStream;

/// Implements `Recycle` for a struct, field by field, or for an enum.
///
/// Every field of a struct is recycled; one whose type cannot be is a compile error at that type, so that no
/// field is forgotten. The value is as good as its worst field (`Refused` before `Oversize` before `Yes`); each
/// field is recycled, also after one that said no. The value weighs what its fields weigh together.
///
/// ```
/// use pool_core::{Keep, Recycle, Retention};
///
/// #[derive(Recycle)]
/// struct Request {
///     path: String,
///     headers: Vec<(String, String)>,
///     length: Option<u64>,
/// }
///
/// let mut request = Request { path: "/index".into(), headers: Vec::new(), length: Some(12) };
/// assert_eq!(request.recycle(&Retention::default()), Keep::Yes);
/// assert_eq!((request.path.as_str(), request.length), ("", None));
/// assert!(request.weight() >= 6); // the path kept its storage
/// ```
///
/// # Fields
///
/// One of these says that something else happens to a field:
///
/// * `#[recycle(keep)]`: it is left as it is for the next user, on purpose.
/// * `#[recycle(with = path)]`: the function at `path` cleans it and has a say in whether the value is kept.
///   It is called as `path(&mut field, retention)`, with a `&Retention`, and
///   returns a `Keep`.
/// * `#[recycle(scrub)]`: its bytes are overwritten, spare capacity included, before it is recycled: for
///   secrets. Its type needs `Scrub` besides. All scrubbing comes first, so that a
///   panic while another field is recycled leaves no secret behind.
///
/// A field with `keep` or `with` weighs nothing, since its type need not know how. `weight = path` says
/// what it weighs, in heap bytes, and may stand at any field; it is called as `path(&field)` and returns a
/// `usize`. For a kept field that could be recycled, `weight = Recycle::weight` is what it weighs by itself.
///
/// ```
/// use pool_core::{Keep, Recycle, Retention};
/// use std::time::Instant;
///
/// #[derive(Recycle)]
/// struct Connection {
///     #[recycle(keep)]
///     opened: Instant,
///     #[recycle(keep, weight = Recycle::weight)]
///     dictionary: Vec<u8>,
///     #[recycle(with = end_of_stream)]
///     stream: Stream,
///     #[recycle(scrub)]
///     key: [u8; 32],
/// }
///
/// struct Stream { broken: bool }
///
/// fn end_of_stream(stream: &mut Stream, _: &Retention) -> Keep {
///     if stream.broken { Keep::Refused } else { Keep::Yes }
/// }
///
/// let mut connection = Connection {
///     opened: Instant::now(),
///     dictionary: vec![7; 1000],
///     stream: Stream { broken: true },
///     key: [9; 32],
/// };
/// assert_eq!(connection.recycle(&Retention::default()), Keep::Refused);
/// assert_eq!((connection.dictionary.len(), connection.weight(), connection.key), (1000, 1000, [0; 32]));
/// ```
///
/// # Enums
///
/// An enum goes back to the variant marked `#[default]`, as with `derive(Default)`: one without fields. What
/// the other variants hold is dropped and weighs nothing. Without such a variant it does not compile.
///
/// ```
/// use pool_core::{Recycle, Retention};
///
/// #[derive(Debug, Default, PartialEq, Recycle)]
/// enum Progress {
///     #[default]
///     Waiting,
///     Reading { bytes: Vec<u8> },
/// }
///
/// let mut progress = Progress::Reading { bytes: vec![1, 2] };
/// let _ = progress.recycle(&Retention::default());
/// assert_eq!(progress, Progress::Waiting);
/// ```
///
/// # Generics
///
/// The implementation asks for `Recycle` of each field's type that mentions a type parameter, not of the
/// parameter: a struct with a `Vec<T>` can be recycled whatever `T` is. Where that is not what is wanted,
/// `#[recycle(bound(…))]` at the struct replaces those conditions.
///
/// ```
/// use pool_core::{Recycle, Retention};
///
/// struct Row; // cannot be recycled, and need not
///
/// #[derive(Recycle)]
/// struct Batch<T> {
///     rows: Vec<T>,
/// }
///
/// let mut batch = Batch { rows: vec![Row, Row] };
/// let _ = batch.recycle(&Retention::default());
/// assert!(batch.rows.is_empty());
///
/// #[derive(Recycle)]
/// #[recycle(bound(T: Recycle + Send))]
/// struct Pair<T> {
///     both: (T, T),
/// }
/// # let _ = Pair { both: (1, 2) }.recycle(&Retention::default());
/// ```
///
/// # When pool-core has another name
///
/// `#[recycle(crate = path)]` at the type says where pool-core is, for a crate that re-exports it.
///
/// ```
/// mod toolbox {
///     pub use pool_core as pools;
/// }
/// use toolbox::pools::Recycle;
///
/// #[derive(Recycle)]
/// #[recycle(crate = toolbox::pools)]
/// struct Line(String);
/// # assert_eq!(Line(String::new()).weight(), 0);
/// ```
#[proc_macro_derive(Recycle, attributes(recycle, default))]
pub fn derive_recycle(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::recycle(input).unwrap_or_else(syn::Error::into_compile_error).into()
}
