//! One request over real HTTP: keep-alive connections, and a bounded number of them.

use crate::demo::paced::Paced;
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Connections at most. A request that finds none free waits, and its delay shows it.
pub(crate) const CONNECTIONS_MAX: usize = 512;

/// A client of one service.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    idle: Mutex<Vec<SendRequest<Paced>>>,
    open: Semaphore,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default(), open: Semaphore::new(CONNECTIONS_MAX) }
    }

    /// Sends `upload` (an empty one is a GET) to `path` and reads the answer to its last byte.
    ///
    /// # Errors
    /// The connection's, or the service's if it ends the answer early.
    pub(crate) async fn send(&self, path: &str, upload: Paced) -> anyhow::Result<StatusCode> {
        let _place = self.open.acquire().await?;
        let mut connection = self.connection().await?;
        let method = if upload.is_empty() { "GET" } else { "POST" };
        let request = Request::builder()
            .method(method)
            .uri(path.parse::<Uri>()?)
            .header("host", self.address.to_string())
            .header("content-type", "application/x-ndjson")
            .body(upload)?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(status)
    }

    async fn connection(&self) -> anyhow::Result<SendRequest<Paced>> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                // The service may have closed it meanwhile; then the next one, or a new one.
                Some(mut idle) => {
                    if idle.ready().await.is_ok() {
                        return Ok(idle);
                    }
                }
                None => break,
            }
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the sender or the stream; its error is the request's error too.
        tokio::spawn(connection);
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_service_is_an_error() {
        // A port that is taken, and at which nobody listens.
        let taken = tokio::net::TcpSocket::new_v4().unwrap();
        taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        assert!(Client::new(address).send("/ingest", Paced::none()).await.is_err());
    }
}
