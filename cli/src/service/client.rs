//! A client of one service's admin routes: one connection that is kept, and every call bounded.

use super::Service;
use super::stream::Events;
use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// An answer that takes longer has failed, unless told otherwise.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// No admin answer is nearly as long.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Asks one service. Each error names the whole address.
#[derive(Debug)]
pub(crate) struct Client {
    service: Service,
    answer_time_max: Duration,
    connection: Option<Connection>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// A connection that ends when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<Result<(), hyper::Error>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// A client that has asked nothing yet.
    pub(crate) fn new(service: impl Into<Service>) -> Self {
        Self { service: service.into(), answer_time_max: ANSWER_TIME_MAX, connection: None }
    }

    /// Waits this long for an answer, instead of ten seconds.
    pub(crate) const fn within(mut self, answer_time_max: Duration) -> Self {
        self.answer_time_max = answer_time_max;
        self
    }

    /// Reads `path`, whatever the answer's status.
    ///
    /// # Errors
    /// If nobody answers in time.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// Reads the JSON at `path`.
    ///
    /// # Errors
    /// If nobody answers in time, or not as a controller does; what a controller says against it.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<T> {
        let answer = self.get(path).await?;
        self.read(path, &answer)
    }

    /// As [`json`](Self::json), and `None` if the controller says that there is no such thing (any more).
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub(crate) async fn json_if_there<T: DeserializeOwned>(
        &mut self,
        path: &str,
    ) -> anyhow::Result<Option<T>> {
        let answer = self.get(path).await?;
        if answer.status == 404 && answer.refused().is_some() {
            return Ok(None);
        }
        self.read(path, &answer).map(Some)
    }

    /// Puts `body` to `path`.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub(crate) async fn put<T: DeserializeOwned>(&mut self, path: &str, body: &Value) -> anyhow::Result<T> {
        let answer = self.call(Method::PUT, path, body.to_string().into()).await?;
        self.read(path, &answer)
    }

    /// Deletes `path`.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub(crate) async fn delete<T: DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<T> {
        let answer = self.call(Method::DELETE, path, Bytes::new()).await?;
        self.read(path, &answer)
    }

    /// Opens the stream of events at `path`, which takes this client's connection.
    ///
    /// # Errors
    /// If nobody answers in time, or what is there is no such stream.
    pub(crate) async fn events(mut self, path: &str) -> anyhow::Result<Events> {
        let kept = self.connection.take();
        let exchange = async {
            let mut connection = self.connect(kept).await?;
            let answer = self.send(&mut connection, &Method::GET, path, Bytes::new()).await?;
            let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
            if answer.status() == 200 && kind.starts_with("text/event-stream") {
                return Ok(Events::of(answer.into_body(), connection));
            }
            bail!("{}", whole(answer).await?.refusal());
        };
        self.in_time(path, exchange).await
    }

    async fn call(&mut self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Answer> {
        // Kept only if the exchange ends: an answer that comes later must not be taken for the next one.
        let kept = self.connection.take();
        let exchange = async {
            let mut connection = self.connect(kept).await?;
            let answer = self.send(&mut connection, &method, path, body).await?;
            Ok((whole(answer).await?, connection))
        };
        let (answer, connection) = self.in_time(path, exchange).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn in_time<T>(
        &self,
        path: &str,
        exchange: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let answered = match timeout(self.answer_time_max, exchange).await {
            Ok(answered) => answered,
            Err(_) => Err(anyhow!("no answer within {:?}", self.answer_time_max)),
        };
        answered.with_context(|| self.what(path))
    }

    async fn connect(&self, kept: Option<Connection>) -> anyhow::Result<Connection> {
        if let Some(mut kept) = kept
            && kept.sender.ready().await.is_ok()
        {
            return Ok(kept);
        }
        let stream = TcpStream::connect(self.service.authority.as_str()).await.context("cannot connect")?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        Ok(Connection { sender, task: tokio::spawn(connection) })
    }

    async fn send(
        &self,
        connection: &mut Connection,
        method: &Method,
        path: &str,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let request = Request::builder().method(method).uri(path).header(HOST, &self.service.authority);
        let request = if *method == Method::GET {
            request.header(ACCEPT, "*/*")
        } else {
            request.header("x-ebbpool", "1").header(CONTENT_TYPE, "application/json")
        };
        let answer = connection.sender.send_request(request.body(Full::new(body))?).await;
        answer.context("what is there does not speak HTTP")
    }

    fn read<T: DeserializeOwned>(&self, path: &str, answer: &Answer) -> anyhow::Result<T> {
        answer.read().with_context(|| self.what(path))
    }

    fn what(&self, path: &str) -> String {
        format!("{}{path}", self.service)
    }
}

async fn whole(answer: Response<Incoming>) -> anyhow::Result<Answer> {
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|e| anyhow!("{e}"))?.to_bytes();
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

impl Answer {
    fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        if !(200..300).contains(&self.status) {
            bail!("{}", self.refusal());
        }
        serde_json::from_str(&self.body).context("not what an Ebbpool controller answers")
    }

    /// What a controller says against a request whose target or content it refuses.
    fn refused(&self) -> Option<String> {
        let error = &serde_json::from_str::<Value>(&self.body).ok()?["error"];
        let field = |name: &str| error[name].as_str();
        let (path, problem, allowed) = (field("path")?, field("problem")?, field("allowed")?);
        Some(format!("{path}: {problem}; allowed: {allowed}"))
    }

    /// What an answer that is no success says.
    fn refusal(&self) -> String {
        let status = self.status;
        self.refused().unwrap_or_else(|| {
            let error = serde_json::from_str::<Value>(&self.body).ok();
            match error.as_ref().and_then(|answer| answer["error"].as_str()) {
                Some(problem) => format!("status {status}: {problem}"),
                None => format!(
                    "status {status}: not the admin routes of an Ebbpool controller, or of one that is older than this command"
                ),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::{get, put};
    use axum::{Json, Router};
    use serde_json::json;

    /// For answers that come, however slow the machine.
    const PATIENCE: Duration = Duration::from_secs(60);

    async fn client() -> Client {
        let change = |headers: HeaderMap, Json(body): Json<Value>| async move {
            let marked = headers.get("x-ebbpool").is_some_and(|v| v == "1");
            if marked && body["ok"] == true {
                (StatusCode::OK, Json(json!({"done": true})))
            } else {
                let error = json!({"error": {"path": "ok", "problem": "not true", "allowed": "true"}});
                (StatusCode::BAD_REQUEST, Json(error))
            }
        };
        let gone = || async {
            let error = json!({"error": {"path": "pool", "problem": "not a pool", "allowed": "a, b"}});
            (StatusCode::NOT_FOUND, Json(error))
        };
        let full = || async { (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"error": "32 are open"}))) };
        let router = Router::new()
            .route("/v1/thing", get(|| async { Json(json!({"n": 7})) }))
            .route("/v1/long", get(|| async { Json("x".repeat(3 << 20)) }))
            .route("/v1/gone", get(gone))
            .route("/v1/full", get(full))
            .route("/v1/change", put(change))
            .route("/v1/never", get(|| async { std::future::pending::<&str>().await }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        Client::new(address).within(PATIENCE)
    }

    fn said<T: std::fmt::Debug>(result: anyhow::Result<T>) -> String {
        format!("{:#}", result.unwrap_err())
    }

    #[tokio::test]
    async fn answers_are_read_and_changes_are_marked() {
        let mut client = client().await;
        for _ in 0..2 {
            assert_eq!(client.json::<Value>("/v1/thing").await.unwrap()["n"], 7);
        }
        assert_eq!(client.json::<String>("/v1/long").await.unwrap().len(), 3 << 20);
        assert_eq!(client.put::<Value>("/v1/change", &json!({"ok": true})).await.unwrap()["done"], true);
        let refused = said(client.put::<Value>("/v1/change", &json!({"ok": false})).await);
        let expected = format!("{}/v1/change: ok: not true; allowed: true", client.service);
        assert_eq!(refused, expected);
    }

    #[tokio::test]
    async fn what_is_not_there_any_more_is_told_from_what_never_was() {
        let mut client = client().await;
        assert_eq!(client.json_if_there::<Value>("/v1/gone").await.unwrap(), None);
        assert!(client.json_if_there::<Value>("/v1/thing").await.unwrap().is_some());
        assert!(said(client.json::<Value>("/v1/gone").await).ends_with("not a pool; allowed: a, b"));
        let unknown = said(client.json_if_there::<Value>("/v1/unheard").await);
        assert!(unknown.contains("status 404: not the admin routes of an Ebbpool controller"), "{unknown}");
        assert!(said(client.events("/v1/full").await).ends_with("/v1/full: status 503: 32 are open"));
    }

    #[tokio::test]
    async fn a_call_without_an_answer_ends_and_the_next_one_is_not_confused() {
        let mut client = client().await.within(Duration::from_millis(50));
        assert!(said(client.json::<Value>("/v1/never").await).ends_with("/v1/never: no answer within 50ms"));
        let mut client = client.within(PATIENCE);
        assert_eq!(client.json::<Value>("/v1/thing").await.unwrap()["n"], 7);
    }
}
