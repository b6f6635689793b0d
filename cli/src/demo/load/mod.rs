//! The load: open-loop, seeded, over real HTTP.
//!
//! [`plan`] says what is sent when, [`data`] what is in it, [`client`] sends one request, [`ledger`] counts,
//! [`generator`] puts them together. It knows the service by its address alone.

pub(crate) mod client;
pub(crate) mod data;
pub(crate) mod generator;
pub(crate) mod ledger;
pub(crate) mod plan;
pub(crate) mod random;
