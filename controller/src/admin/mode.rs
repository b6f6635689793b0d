//! Changes the mode.

use super::{Admin, say};
use crate::mode::Mode;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    mode: String,
    /// For how long; a freeze needs it and nothing else has it.
    for_s: Option<u64>,
    /// Why: it is written to stderr with the change.
    reason: String,
}

/// What is in force.
#[derive(Debug, Serialize)]
struct Answer {
    mode: &'static str,
    frozen_for_s: Option<u64>,
}

pub(super) async fn mode(State(admin): State<Admin>) -> Response {
    answer(&admin)
}

pub(super) async fn set_mode(State(admin): State<Admin>, body: String) -> Response {
    let refuse = |problem: String| (StatusCode::BAD_REQUEST, Json(json!({"error": problem}))).into_response();
    let wanted: Wanted = match serde_json::from_str(&body) {
        Ok(wanted) => wanted,
        Err(error) => {
            return refuse(format!(
                "{error}; expected {{\"mode\": \"observe\", \"enforce\" or \"frozen\", \"for_s\": seconds of a freeze, \
                 \"reason\": text}}"
            ));
        }
    };
    let done = match (wanted.mode.as_str(), wanted.for_s) {
        ("observe", None) => admin.handle.set_mode(Mode::Observe),
        ("enforce", None) => admin.handle.set_mode(Mode::Enforce),
        ("frozen", Some(seconds)) => admin.handle.freeze(Duration::from_secs(seconds)),
        ("frozen", None) => {
            return refuse("for_s: missing; a freeze needs its end, 1 to 604800 s".to_owned());
        }
        ("observe" | "enforce", Some(_)) => {
            return refuse(format!(
                "for_s: only a freeze has an end, {} stays until it is changed",
                wanted.mode
            ));
        }
        (other, _) => {
            return refuse(format!("mode: {other:?} cannot be set; allowed: observe, enforce, frozen"));
        }
    };
    match done {
        Ok(()) => {
            say(format_args!("mode {} by hand: {:?}", admin.handle.mode(), wanted.reason));
            answer(&admin)
        }
        Err(refused) => (StatusCode::CONFLICT, Json(json!({"error": refused.to_string()}))).into_response(),
    }
}

fn answer(admin: &Admin) -> Response {
    let frozen_for_s = admin.handle.frozen_for().map(|time| time.as_secs_f64().ceil());
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a week at most")]
    let frozen_for_s = frozen_for_s.map(|seconds| seconds as u64);
    Json(Answer { mode: admin.handle.mode().as_str(), frozen_for_s }).into_response()
}
