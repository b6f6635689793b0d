//! Memory, health, metrics.

use super::Admin;
use crate::config::{ConfigStatus, live::NOT_ACCEPTED};
use crate::decide::State as MemoryState;
use crate::mode::Mode;
use crate::status::MemoryStatus;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub(super) async fn memory(State(admin): State<Admin>) -> Json<MemoryStatus> {
    Json(admin.handle.status().memory.clone())
}

#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
    mode: &'static str,
    state: MemoryState,
    detail: Vec<String>,
    config: Option<ConfigStatus>,
}

/// 200 in any case: a degraded controller is no reason to restart a service that serves.
pub(super) async fn health(State(admin): State<Admin>) -> Json<Health> {
    let status = admin.handle.status();
    let memory = &status.memory;
    let mut detail = Vec::new();
    if admin.handle.is_stalled() {
        detail.push("no tick was completed for 5 s: pools are at their safe capacity".to_owned());
    }
    if !memory.valid && admin.handle.mode() != Mode::Off {
        let why = memory.invalid_reason.as_deref().unwrap_or("no reason given");
        detail.push(format!("no valid reading of memory: {why}"));
    }
    let config = status.config.as_deref().cloned();
    if let Some(error) = config.as_ref().and_then(|config| config.error.as_deref()) {
        detail.push(format!("{NOT_ACCEPTED}: {error}"));
    }
    let status = if detail.is_empty() { "ok" } else { "degraded" };
    Json(Health { status, mode: memory.mode, state: memory.state, detail, config })
}

pub(super) async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.handle.metrics_text() {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
