//! The HTTP routes that arm and disarm faults.
//!
//! ```text
//! GET    /v1/faults          what is armed, hits so far
//! PUT    /v1/faults/{name}   arms (in place of what was armed under the name)
//! DELETE /v1/faults/{name}   disarms one
//! DELETE /v1/faults          disarms all
//! ```
//! A service mounts them only behind a flag of its own, beside the controller's routes and behind the same
//! guard (loopback, Host, `X-Ebbpool`): these handlers know nothing of who may call.

use crate::faults::{FaultBox, FaultName, FaultRequest, FaultsStatus};
use crate::{Refused, RefusedKind};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::json;

/// The fault routes for `faults`.
pub fn admin_routes(faults: FaultBox) -> Router {
    Router::new()
        .route("/v1/faults", get(status).delete(disarm_all))
        .route("/v1/faults/{name}", put(arm).delete(disarm))
        .with_state(faults)
}

async fn status(State(faults): State<FaultBox>) -> Json<FaultsStatus> {
    Json(faults.status())
}

async fn arm(
    State(faults): State<FaultBox>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<FaultsStatus>, Answer> {
    let name = FaultName::parse("fault", &name)?;
    let body = serde_json::from_slice(&body).map_err(|e| {
        Refused::invalid("body", String::from_utf8_lossy(&body), format!("not JSON: {e}"), "a JSON object")
    })?;
    let request = FaultRequest::from_json(name, &body).map_err(|e| e.inside(name.as_str()))?;
    let status =
        off_the_executor(faults, move |faults| faults.arm(&request).map(|()| faults.status())).await??;
    Ok(Json(status))
}

async fn disarm(
    State(faults): State<FaultBox>,
    Path(name): Path<String>,
) -> Result<Json<serde_json::Value>, Answer> {
    let name = FaultName::parse("fault", &name)?;
    let was_armed = off_the_executor(faults, move |faults| faults.disarm(name)).await?;
    Ok(Json(json!({"disarmed": if was_armed { vec![name] } else { Vec::new() }})))
}

async fn disarm_all(State(faults): State<FaultBox>) -> Result<Json<serde_json::Value>, Answer> {
    let disarmed = off_the_executor(faults, FaultBox::disarm_all).await?;
    Ok(Json(json!({"disarmed": disarmed})))
}

/// Arming maps memory and disarming waits for a balloon to be unmapped: not for a thread that serves requests.
async fn off_the_executor<T: Send + 'static>(
    faults: FaultBox,
    change: impl FnOnce(&FaultBox) -> T + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(move || change(&faults)).await.map_err(|e| {
        Refused::invalid(
            "fault",
            "",
            format!("the change did not end: {e}"),
            "a process that is not shutting down",
        )
        .of_kind(RefusedKind::Unable)
    })
}

/// The error as JSON: `{"error": {"kind", "path", "value", "problem", "allowed"}}`.
struct Answer(Refused);

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        Self(refused)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = match self.0.kind {
            RefusedKind::Unknown => StatusCode::NOT_FOUND,
            RefusedKind::Invalid => StatusCode::BAD_REQUEST,
            RefusedKind::Unable => StatusCode::CONFLICT,
        };
        (status, Json(json!({"error": self.0}))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Memory;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use pool_core::Registry;
    use serde_json::Value;
    use tower::ServiceExt as _;

    async fn ask(router: &Router, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn routes() -> Router {
        let memory = Memory { usage_bytes: 90, limit_bytes: 1 << 20 };
        admin_routes(FaultBox::new(&Registry::new(), move || Some(memory)))
    }

    #[tokio::test]
    async fn a_balloon_is_armed_shown_and_disarmed() {
        let routes = routes();
        let body = r#"{"target_ratio": 0.5, "ramp": "1ms", "ttl": "90s"}"#;
        let (status, armed) = ask(&routes, "PUT", "/v1/faults/memory-balloon", body).await;
        assert_eq!((status, &armed["armed"][0]["name"]), (200, &json!("memory-balloon")), "{armed}");
        assert_eq!(armed["armed"][0]["balloon"]["target_bytes"], json!((1 << 19) - 90));
        let (_, shown) = ask(&routes, "GET", "/v1/faults", "").await;
        assert!(shown["armed"][0]["ttl_left_ms"].as_u64().is_some_and(|ms| ms <= 90_000), "{shown}");
        let gone = ask(&routes, "DELETE", "/v1/faults", "").await;
        assert_eq!(gone, (200, json!({"disarmed": ["memory-balloon"]})));
        let again = ask(&routes, "DELETE", "/v1/faults/memory-balloon", "").await;
        assert_eq!(again, (200, json!({"disarmed": []})));
        let (_, shown) = ask(&routes, "GET", "/v1/faults", "").await;
        assert_eq!(shown["armed"], json!([]));
    }

    #[tokio::test]
    async fn errors_name_path_value_and_what_is_allowed() {
        let routes = routes();
        let (status, body) = ask(&routes, "PUT", "/v1/faults/mising-put", "{}").await;
        assert_eq!(status, 404);
        assert_eq!(body["error"]["problem"], "there is no such fault, did you mean \"missing-put\"?");
        let (status, body) =
            ask(&routes, "PUT", "/v1/faults/memory-balloon", r#"{"target_ratio": 0.99, "ttl": "1s"}"#).await;
        assert_eq!(status, 400);
        let expected = json!({"error": {
            "kind": "invalid", "path": "memory-balloon.target_ratio", "value": "0.99",
            "problem": "out of range", "allowed": "a number, 0 to 0.95",
        }});
        assert_eq!(body, expected);
        let (status, body) = ask(&routes, "PUT", "/v1/faults/missing-put", "not json").await;
        assert_eq!((status, &body["error"]["path"]), (400, &json!("body")));
        let unknown_pool = r#"{"pool": "http.body", "when": "return", "ttl": "1s"}"#;
        let (status, body) = ask(&routes, "PUT", "/v1/faults/missing-put", unknown_pool).await;
        assert_eq!((status, &body["error"]["path"]), (404, &json!("pool")));
        let (status, body) =
            ask(&routes, "PUT", "/v1/faults/memory-balloon", r#"{"target_ratio": 0.00001, "ttl": "1s"}"#)
                .await;
        assert_eq!((status, &body["error"]["kind"]), (409, &json!("unable")));
        assert_eq!(ask(&routes, "DELETE", "/v1/faults/no", "").await.0, 404);
    }
}
