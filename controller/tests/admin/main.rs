//! The admin routes over the wire, and their description.

mod openapi;
mod routes;
mod served;
