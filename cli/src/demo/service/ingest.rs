//! `POST /ingest`: NDJSON in, sizes out.
//!
//! The body is collected as it arrives and compressed at the same time, so a slow upload holds its buffer and
//! its compressor until its last byte. What is compressed is counted and let go: the demo is about memory, not
//! about disks.

use super::{App, Refusal};
use crate::demo::workload::{COMPRESS_BYTES_MIN, COMPRESSOR_BYTES, UPLOAD_BYTES};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// A batch may not be larger.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What became of a batch.
#[derive(Debug, Serialize)]
pub(crate) struct Receipt {
    /// Log lines.
    lines: u64,
    /// Of these, lines of level `error`.
    error_lines: u64,
    /// Bytes that came.
    body_bytes: usize,
    /// Bytes to store.
    stored_bytes: usize,
    /// `raw` or `zstd`.
    codec: &'static str,
}

/// A log line; other fields are allowed.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "ts")]
    _ts_ms: u64,
    #[serde(borrow)]
    level: Cow<'a, str>,
    #[serde(borrow, rename = "msg")]
    _message: Cow<'a, str>,
}

pub(super) async fn ingest(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    mut body: Body,
) -> Result<Json<Receipt>, Refusal> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let small = declared.is_some_and(|bytes| (bytes as u64) < COMPRESS_BYTES_MIN);
    let expected = declared.unwrap_or(UPLOAD_BYTES);
    let _admitted = match app.admit(if small { expected } else { expected + COMPRESSOR_BYTES }) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            discard(body).await;
            return Err(refusal);
        }
    };
    let mut collected = app.bodies.lend();
    let mut compressor = (!small).then(|| app.compressors.lend());
    let mut stored_bytes = 0;
    collected.reserve_exact(expected);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Refusal::bad(format!("the upload broke off: {e}")))?;
        let Ok(part) = frame.into_data() else { continue };
        if collected.len() + part.len() > BODY_BYTES_MAX {
            return Err(too_large());
        }
        collected.extend_from_slice(&part);
        if let Some(compressor) = &mut compressor {
            compressor.compress(&part, false, |bytes| stored_bytes += bytes.len())?;
        }
    }
    let (lines, error_lines) = parse(&collected)?;
    let codec = if let Some(compressor) = &mut compressor {
        compressor.compress(&[], true, |bytes| stored_bytes += bytes.len())?;
        "zstd"
    } else {
        stored_bytes = collected.len();
        "raw"
    };
    Ok(Json(Receipt { lines, error_lines, body_bytes: collected.len(), stored_bytes, codec }))
}

/// Reads a body that will not be served, and keeps nothing of it: an answer in the middle of an upload breaks the
/// connection off, and the sender may never see it.
async fn discard(mut body: Body) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, bytes::Bytes::len);
        if bytes > BODY_BYTES_MAX {
            return;
        }
    }
}

/// All lines, and those of level `error`.
fn parse(ndjson: &[u8]) -> Result<(u64, u64), Refusal> {
    let (mut lines, mut error_lines) = (0, 0);
    for (number, line) in ndjson.split(|b| *b == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let line: Line<'_> =
            serde_json::from_slice(line).map_err(|e| Refusal::bad(format!("line {}: {e}", number + 1)))?;
        lines += 1;
        error_lines += u64::from(line.level == "error");
    }
    Ok((lines, error_lines))
}

fn too_large() -> Refusal {
    Refusal::too_large(format!("a batch may have {BODY_BYTES_MAX} bytes"))
}
