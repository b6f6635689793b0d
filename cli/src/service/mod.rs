//! A running service as seen through its admin routes, from outside: by its address, one request a connection.

pub(crate) mod contract;
mod exposition;
mod look;
mod stream;

pub(crate) use stream::Events;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// An answer that takes longer has failed.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// No admin answer is nearly as long.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The address of a service's admin routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    authority: String,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// A connection that ends when this is dropped.
#[derive(Debug)]
struct Connection(JoinHandle<Result<(), hyper::Error>>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
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

    /// Asks once.
    ///
    /// # Errors
    /// If nobody answers in time.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let exchange = async {
            let (answer, _connection) = self.ask(path, "*/*").await?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|e| anyhow!("{e}"))?.to_bytes();
            Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
        };
        self.in_time(path, exchange).await
    }

    /// Opens a stream of events.
    ///
    /// # Errors
    /// If nobody answers in time, or what is there is no such stream.
    pub(crate) async fn events(&self, path: &str) -> anyhow::Result<Events> {
        let exchange = async {
            let (answer, connection) = self.ask(path, "text/event-stream").await?;
            let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
            let (status, is_stream) = (answer.status().as_u16(), kind.starts_with("text/event-stream"));
            match status {
                200 if is_stream => Ok(Events::of(answer.into_body(), connection)),
                503 => bail!("it has no room for another listener (32 at a time)"),
                421 => bail!("it answers under names of loopback only: localhost, 127.0.0.1 or [::1]"),
                _ => bail!(
                    "status {status}: not the admin routes of an Ebbpool controller, or of one that is older than this command"
                ),
            }
        };
        self.in_time(path, exchange).await
    }

    async fn in_time<T>(
        &self,
        path: &str,
        exchange: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let what = || format!("{self}{path}");
        match timeout(ANSWER_TIME_MAX, exchange).await {
            Ok(answered) => answered.with_context(what),
            Err(_) => Err(anyhow!("no answer within {} s", ANSWER_TIME_MAX.as_secs()).context(what())),
        }
    }

    async fn ask(&self, path: &str, accept: &str) -> anyhow::Result<(Response<Incoming>, Connection)> {
        let stream = TcpStream::connect(self.authority.as_str()).await.context("cannot connect")?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await?;
        let connection = Connection(tokio::spawn(connection));
        let request = Request::builder().uri(path).header(HOST, &self.authority).header(ACCEPT, accept);
        let answer = sender.send_request(request.body(Full::default())?).await;
        Ok((answer.context("what is there does not speak HTTP")?, connection))
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
