//! A small HTTP client: one request on one connection, with a deadline and a bound on the answer.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No admin answer is nearly as long.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: Option<&'a serde_json::Value>,
    pub(super) timeout: Duration,
}

/// An answer: its status and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Sends a request to `admin`, which is `http://host:port`. Errors say what failed, for people.
pub(super) async fn send(admin: &str, call: &Call<'_>) -> Result<Answer, String> {
    let what = || format!("{} {admin}{}", call.method, call.path);
    match timeout(call.timeout, exchange(admin, call)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(problem)) => Err(format!("{}: {problem}", what())),
        Err(_) => Err(format!("{}: no answer within {:?}", what(), call.timeout)),
    }
}

/// A GET whose answer is JSON.
pub(super) async fn get<T: serde::de::DeserializeOwned>(
    admin: &str,
    path: &str,
    timeout: Duration,
) -> Result<T, String> {
    let answer = send(admin, &Call { method: "GET", path, headers: &[], body: None, timeout }).await?;
    if answer.status != 200 {
        return Err(format!("GET {admin}{path}: status {}{}", answer.status, answer.excerpt()));
    }
    serde_json::from_slice(&answer.body).map_err(|e| format!("GET {admin}{path}: not as expected: {e}"))
}

impl Answer {
    /// The body's beginning, for error messages.
    pub(super) fn excerpt(&self) -> String {
        let text: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        if text.is_empty() { text } else { format!(": {text}") }
    }
}

async fn exchange(admin: &str, call: &Call<'_>) -> Result<Answer, String> {
    let authority = authority(admin)?;
    let stream = TcpStream::connect(authority.as_str()).await.map_err(|e| format!("cannot connect: {e}"))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let mut request = Request::builder()
        .method(call.method)
        .uri(call.path)
        .header("host", &authority)
        .header("connection", "close");
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    let body = match call.body {
        None => Bytes::new(),
        Some(json) => {
            let named = call.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            if !named {
                request = request.header("content-type", "application/json");
            }
            Bytes::from(json.to_string())
        }
    };
    let request = request.body(Full::new(body)).map_err(|e| e.to_string())?;
    let connection = tokio::spawn(connection);
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
        let status = answer.status().as_u16();
        let body =
            Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|e| e.to_string())?;
        Ok(Answer { status, body: body.to_bytes().to_vec() })
    };
    let answer = exchange.await;
    // One request was all; whatever the connection still wants is of no interest.
    connection.abort();
    answer
}

/// `host:port` of `http://host:port`.
pub(super) fn authority(admin: &str) -> Result<String, String> {
    let allowed = "allowed: http://host:port";
    let uri: Uri = admin.parse().map_err(|e| format!("{admin:?} is no address ({e}); {allowed}"))?;
    if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") {
        return Err(format!("{admin:?} is no address of admin routes; {allowed}"));
    }
    match (uri.host(), uri.port_u16()) {
        (Some(host), Some(port)) => Ok(format!("{host}:{port}")),
        _ => Err(format!("{admin:?} lacks a host or a port; {allowed}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Json, Router, routing::get as get_route, routing::put};
    use serde_json::{Value, json};

    async fn serve(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn json_comes_back_and_goes_out() {
        let echo = |Json(body): Json<Value>| async move { Json(json!({"got": body})) };
        let admin = serve(
            Router::new().route("/a", get_route(async || Json(json!({"x": 1})))).route("/b", put(echo)),
        )
        .await;
        let minute = Duration::from_secs(60);
        assert_eq!(get::<Value>(&admin, "/a", minute).await, Ok(json!({"x": 1})));
        let body = json!({"when": "off"});
        let call = Call { method: "PUT", path: "/b", headers: &[], body: Some(&body), timeout: minute };
        let answer = send(&admin, &call).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), json!({"got": {"when": "off"}}));
        let missing = get::<Value>(&admin, "/nowhere", minute).await.unwrap_err();
        assert!(missing.ends_with("/nowhere: status 404"), "{missing}");
    }

    #[tokio::test]
    async fn nobody_there_and_nobody_answering_are_told_apart() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = format!("http://{}", listener.local_addr().unwrap());
        let silent = get::<Value>(&admin, "/a", Duration::from_millis(50)).await.unwrap_err();
        assert!(silent.contains("no answer within 50ms"), "{silent}");
        // A port that nobody else can listen at meanwhile.
        let taken = tokio::net::TcpSocket::new_v4().unwrap();
        taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let admin = format!("http://{}", taken.local_addr().unwrap());
        let gone = get::<Value>(&admin, "/a", Duration::from_secs(60)).await.unwrap_err();
        assert!(gone.contains("cannot connect"), "{gone}");
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(authority("http://127.0.0.1:9901"), Ok("127.0.0.1:9901".into()));
        assert_eq!(authority("http://[::1]:9901/"), Ok("[::1]:9901".into()));
        for bad in
            ["https://127.0.0.1:1", "127.0.0.1:1", "http://127.0.0.1", "http://127.0.0.1:1/v1", "", "x y"]
        {
            assert!(authority(bad).unwrap_err().contains("allowed: http://host:port"), "{bad}");
        }
    }
}
