//! A running service as seen through its admin routes: by its address, with one client for all who ask.

mod client;
pub(crate) mod contract;
mod exposition;
pub(crate) mod knobs;
mod look;
pub(crate) mod record;
mod stream;
pub(crate) mod wire;

pub(crate) use client::Client;

use hyper::Uri;
use std::fmt;
use std::net::SocketAddr;

/// The address of a service's admin routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    authority: String,
}

impl Service {
    /// The service at `http://host:port`, with or without a slash at the end.
    ///
    /// # Errors
    /// A sentence that says what is allowed.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let allowed = "expected http://host:port, where the service has its admin routes";
        let uri: Uri = text.parse().map_err(|e| format!("not an address ({e}); {allowed}"))?;
        match (uri.scheme_str(), uri.host(), uri.port_u16(), uri.path()) {
            (Some("http"), Some(host), Some(port), "" | "/") => {
                Ok(Self { authority: format!("{host}:{port}") })
            }
            (Some("https"), ..) => Err(format!("the routes speak plain HTTP; {allowed}")),
            _ => Err(allowed.to_owned()),
        }
    }
}

impl From<SocketAddr> for Service {
    fn from(address: SocketAddr) -> Self {
        Self { authority: address.to_string() }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["http://127.0.0.1:9901", "http://localhost:9901/", "http://[::1]:9901"] {
            assert_eq!(Service::parse(good).unwrap().to_string(), good.trim_end_matches('/'));
        }
        for bad in ["", "127.0.0.1:9901", "http://127.0.0.1", "http://a:1/v1/memory", "ftp://a:1", "a b"] {
            assert!(Service::parse(bad).unwrap_err().contains("expected http://host:port"), "{bad}");
        }
        assert!(Service::parse("https://a:1").unwrap_err().contains("plain HTTP"));
    }
}
