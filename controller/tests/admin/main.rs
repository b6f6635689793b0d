//! The admin routes over the wire, and their description.

mod canaries;
mod openapi;
mod overrides;
mod routes;
mod served;
