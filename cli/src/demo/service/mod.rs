//! The service of the demo: a small log store with an honest need for pools.
//!
//! `POST /ingest` takes NDJSON, parses it, compresses it and answers with sizes; `GET /export` builds large
//! responses. It knows its pools as [`Stock`]s and neither the controller nor the load.

mod compress;
mod export;
mod ingest;
mod stock;

use super::workload::{EXPORT_BYTES, FRAME_HEADER_BYTES};
use axum::extract::{DefaultBodyLimit, Json};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, http::HeaderValue};
use clap::ValueEnum;
use compress::Compressor;
use pool_controller::Admission;
use pool_core::{BuildError, Capacity, Pool, Registry};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};
use stock::Stock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How the service gets its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PoolsMode {
    /// No pools: each request allocates and frees.
    None,
    /// Pools of fixed size, as large as the traffic of each endpoint needs.
    Fixed,
    /// Pools whose size the controller steers by the memory that there is.
    Adaptive,
}

/// Idle objects that fixed pools hold: what an operator writes down who knows the peak of each endpoint (57
/// uploads and 54 exports at a time, see [`workload`](crate::demo::workload)), and adds two fifths because every
/// thread keeps idle objects of its own.
const FIXED_BODIES: u32 = 112;
const FIXED_COMPRESSORS: u32 = 80;
const FIXED_EXPORTS: u32 = 80;

/// Requests in flight may hold this much, whatever the pools do; what comes beyond is shed with 503. It bounds
/// what a slow client or a slow machine can pile up. The normal load stays below two thirds of it.
const IN_FLIGHT_BYTES_MAX: usize = 136 << 20;
/// Admission counts in units of this.
const ADMISSION_UNIT_BYTES: usize = 1 << 10;

/// What all requests share.
pub(crate) struct App {
    bodies: Stock<Vec<u8>>,
    compressors: Stock<Compressor>,
    exports: Stock<Vec<u8>>,
    in_flight: Arc<Semaphore>,
    admission: OnceLock<Admission>,
}

impl App {
    /// The service's state, its pools in `registry`. Fixed pools hold `fixed_percent` of what an operator gives them.
    ///
    /// # Errors
    /// [`BuildError`] if the registry has pools of these names.
    pub(crate) fn new(
        mode: PoolsMode,
        fixed_percent: u32,
        registry: &Registry,
    ) -> Result<Arc<Self>, BuildError> {
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT_BYTES_MAX / ADMISSION_UNIT_BYTES));
        if mode == PoolsMode::None {
            return Ok(Arc::new(Self {
                bodies: Stock::Plain(Vec::new),
                compressors: Stock::Plain(Compressor::new),
                exports: Stock::Plain(export_body),
                in_flight,
                admission: OnceLock::new(),
            }));
        }
        let builder = |name: &str, objects: u32| {
            let builder = Pool::builder(name).registry(registry);
            // A pool of none would be no pool.
            let objects = (objects * fixed_percent / 100).max(1);
            match Capacity::new(objects, Capacity::BYTES_LIMIT) {
                Ok(capacity) if mode == PoolsMode::Fixed => builder.capacity(capacity),
                _ => builder,
            }
        };
        Ok(Arc::new(Self {
            bodies: Stock::Pooled(builder("http.body", FIXED_BODIES).build_with(Vec::new)?),
            compressors: Stock::Pooled(builder("zstd.ctx", FIXED_COMPRESSORS).build_with(Compressor::new)?),
            exports: Stock::Pooled(builder("export.body", FIXED_EXPORTS).build_with(export_body)?),
            in_flight,
            admission: OnceLock::new(),
        }))
    }

    /// Asks the controller too from now on, before it takes on a request: what other code in the process holds,
    /// it knows and the bound on requests in flight does not.
    pub(crate) fn ask(&self, admission: Admission) {
        let _ = self.admission.set(admission);
    }

    /// Room for a request that will hold `bytes`, until the permit goes.
    fn admit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        if self.admission.get().is_some_and(|admission| !admission.admits()) {
            return Err(Refusal::full());
        }
        let units = u32::try_from(bytes.div_ceil(ADMISSION_UNIT_BYTES)).unwrap_or(u32::MAX);
        self.in_flight.clone().try_acquire_many_owned(units).map_err(|_| Refusal::full())
    }
}

fn export_body() -> Vec<u8> {
    Vec::with_capacity(EXPORT_BYTES)
}

/// The routes of the service.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/ingest", post(ingest::ingest))
        .route("/export", get(export::export))
        // The handlers bound what they read themselves, as it arrives.
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

/// A request that was not served.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn bad(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message }
    }

    fn too_large(message: String) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, message }
    }

    fn full() -> Self {
        let message = "the requests in flight hold all the memory that they may".to_owned();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message }
    }
}

impl From<compress::CompressError> for Refusal {
    fn from(e: compress::CompressError) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message: e.to_string() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(serde_json::json!({"error": self.message}))).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

const _: () = assert!(FRAME_HEADER_BYTES == 8, "CRC32 and length, 4 bytes each");

#[cfg(test)]
mod tests;
