//! A client of the child's admin routes: one keep-alive connection, every call bounded.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A call that takes longer has failed, unless told otherwise.
const CALL_TIME_MAX: Duration = Duration::from_secs(2);
/// An answer may not be larger.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A client of the admin routes at one address.
#[derive(Debug)]
pub(crate) struct Admin {
    address: SocketAddr,
    call_time_max: Duration,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Admin {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, call_time_max: CALL_TIME_MAX, connection: None }
    }

    /// Waits this long for an answer, instead of two seconds.
    pub(crate) const fn patient(mut self, call_time_max: Duration) -> Self {
        self.call_time_max = call_time_max;
        self
    }

    /// Reads `path`.
    ///
    /// # Errors
    /// If there is no answer in time, or not the one expected.
    pub(crate) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<T> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// Puts `body` to `path`.
    ///
    /// # Errors
    /// As [`get`](Self::get), or what the child says against it.
    pub(crate) async fn put<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<T> {
        self.call(Method::PUT, path, body.to_string().into()).await
    }

    /// Deletes `path`.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub(crate) async fn delete<T: DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<T> {
        self.call(Method::DELETE, path, Bytes::new()).await
    }

    async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<T> {
        let called = timeout(self.call_time_max, self.exchange(method, path, body)).await;
        let (success, answer) = match called {
            Ok(Ok(answered)) => answered,
            Ok(Err(e)) => {
                self.connection = None;
                anyhow::bail!("{path}: {e:#}");
            }
            Err(_) => {
                // An answer that comes later must not be taken for the next one.
                self.connection = None;
                anyhow::bail!("{path}: no answer within {:?}", self.call_time_max);
            }
        };
        if !success {
            anyhow::bail!("{path}: {}", problem(&answer));
        }
        serde_json::from_slice(&answer).map_err(|e| anyhow::anyhow!("{path}: unexpected answer: {e}"))
    }

    async fn exchange(&mut self, method: Method, path: &str, body: Bytes) -> anyhow::Result<(bool, Bytes)> {
        let mut connection = match self.connection.take() {
            Some(open) if !open.is_closed() => open,
            _ => {
                let stream = TcpStream::connect(self.address).await?;
                let (sender, connection) = handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                sender
            }
        };
        connection.ready().await?;
        let mut request =
            Request::builder().method(&method).uri(path).header("host", self.address.to_string());
        if method != Method::GET {
            request = request.header("x-ebbpool", "1").header("content-type", "application/json");
        }
        let response = connection.send_request(request.body(Full::new(body))?).await?;
        let success = response.status().is_success();
        let answer = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|e| anyhow::anyhow!("{e}"))?
            .to_bytes();
        self.connection = Some(connection);
        Ok((success, answer))
    }
}

/// What an answer that is an error says: its `error`, or all of it.
fn problem(answer: &[u8]) -> String {
    let error = serde_json::from_slice::<serde_json::Value>(answer).ok();
    let field = |name: &str| error.as_ref()?["error"][name].as_str().map(str::to_owned);
    match (field("path"), field("problem"), field("allowed")) {
        (Some(path), Some(problem), Some(allowed)) => format!("{path}: {problem}; allowed: {allowed}"),
        _ => String::from_utf8_lossy(answer).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::{get, put};
    use axum::{Json, Router};
    use serde_json::{Value, json};

    /// For answers that come, however slow the machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    async fn admin() -> Admin {
        let change = |headers: HeaderMap, Json(body): Json<Value>| async move {
            let marked = headers.get("x-ebbpool").is_some_and(|v| v == "1");
            if marked && body["ok"] == true {
                (StatusCode::OK, Json(json!({"done": true})))
            } else {
                let error = json!({"error": {"path": "ok", "problem": "not true", "allowed": "true"}});
                (StatusCode::BAD_REQUEST, Json(error))
            }
        };
        let router = Router::new()
            .route("/v1/thing", get(|| async { Json(json!({"n": 7})) }))
            .route("/v1/change", put(change))
            .route("/v1/never", get(|| async { std::future::pending::<&str>().await }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        Admin::new(address)
    }

    #[tokio::test]
    async fn answers_are_read_and_changes_are_marked() {
        let mut admin = admin().await.patient(PATIENCE);
        for _ in 0..2 {
            assert_eq!(admin.get::<Value>("/v1/thing").await.unwrap()["n"], 7);
        }
        assert_eq!(admin.put::<Value>("/v1/change", &json!({"ok": true})).await.unwrap()["done"], true);
        let e = admin.put::<Value>("/v1/change", &json!({"ok": false})).await.unwrap_err();
        assert_eq!(e.to_string(), "/v1/change: ok: not true; allowed: true");
    }

    #[tokio::test]
    async fn a_call_without_an_answer_ends_and_the_next_one_is_not_confused() {
        let mut admin = admin().await.patient(Duration::from_millis(50));
        assert!(admin.get::<Value>("/v1/never").await.unwrap_err().to_string().contains("no answer"));
        let mut admin = admin.patient(PATIENCE);
        assert_eq!(admin.get::<Value>("/v1/thing").await.unwrap()["n"], 7);
    }
}
