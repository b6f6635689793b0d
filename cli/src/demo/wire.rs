//! What the two processes of a demo say to each other over the child's standard streams, one JSON line each way.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The line on stdin at which the child begins. It allocates and opens nothing before.
pub(crate) const START: &str = "start";

/// The child's first line on stdout.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hello {
    /// It serves.
    Ready {
        /// Where the service listens.
        service: SocketAddr,
        /// Where the admin routes and the page are.
        admin: SocketAddr,
    },
    /// It cannot, for a reason outside of it.
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hello_reads_back() {
        let address = "127.0.0.1:9901".parse().unwrap();
        for hello in [Hello::Ready { service: address, admin: address }, Hello::Refused("port".into())] {
            let line = serde_json::to_string(&hello).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Hello>(&line).unwrap(), hello);
        }
    }
}
