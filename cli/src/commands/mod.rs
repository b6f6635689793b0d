//! The subcommands: what they are told. What asks a service, or runs one, stands elsewhere.

pub(crate) mod advise;
pub(crate) mod chaos;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod demo_service;
pub(crate) mod knobs;
pub(crate) mod postmortem;
pub(crate) mod record;
pub(crate) mod simulate;
