//! Serving the routes on an address of their own: loopback only.

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Why the routes are not served.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The address can be reached from other machines.
    NotLoopback(SocketAddr),
    /// The address could not be had.
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        error: io::Error,
    },
    /// Serving ended.
    Ended(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(address) => write!(
                f,
                "admin address {address} is refused: the routes have no authentication, allowed are 127.0.0.1 and [::1]"
            ),
            Self::Bind { address, error } if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "admin address {address} is in use by another program, choose another port or 0 for any"
                )
            }
            Self::Bind { address, error } => write!(f, "admin address {address} cannot be had: {error}"),
            Self::Ended(error) => write!(f, "the admin routes ended: {error}"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotLoopback(_) => None,
            Self::Bind { error, .. } | Self::Ended(error) => Some(error),
        }
    }
}

/// Serves `router` on `address` until the future is dropped. `ready` is called with the address that was had:
/// port 0 asks for any free one. Unknown paths are answered with where to look; `router` must not have a fallback of
/// its own.
///
/// # Errors
/// [`ServeError`] if the address is not loopback or cannot be had.
pub async fn serve(
    address: SocketAddr,
    router: Router,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    let bind = |error| ServeError::Bind { address, error };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    ready(listener.local_addr().map_err(bind)?);
    axum::serve(listener, router.fallback(not_found)).await.map_err(ServeError::Ended)
}

async fn not_found(uri: Uri) -> Response {
    let problem = format!("there is no {} here, GET /v1/openapi.json lists what there is", uri.path());
    (StatusCode::NOT_FOUND, Json(json!({"error": problem}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_others_can_reach_is_refused() {
        for address in ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"] {
            let address: SocketAddr = address.parse().expect("an address");
            let error = serve(address, Router::new(), |_| panic!("served")).await.expect_err("refused");
            assert!(error.to_string().contains(&address.to_string()), "{error}");
            assert!(error.to_string().contains("allowed are 127.0.0.1 and [::1]"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = taken.local_addr().expect("its address");
        let error =
            serve(address, Router::new(), |_| panic!("served")).await.expect_err("in use").to_string();
        let expected = "is in use by another program, choose another port or 0 for any";
        assert_eq!(error, format!("admin address {address} {expected}"));
    }
}
