//! The admin routes over the wire, and their description.

mod openapi;
mod overrides;
mod routes;
mod served;
