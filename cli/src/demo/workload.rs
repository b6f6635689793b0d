//! The sizes of the demo's work, and how much of it there is: one place for the service, the load and the arithmetic between
//! them. When it changes in the course of a load stands in `load/plan.rs`.
//!
//! The numbers make two demands on memory that take turns. Each needs 75 to 85 MiB while it is served; what pools
//! without a controller keep of both is more than 192 MiB together with the service itself:
//!
//! | work | in flight at its peak | holds |
//! | --- | --- | --- |
//! | large ingest | 228/s × 250 ms = 57 | a compressor of 1.24 MiB and a body of 64 KiB |
//! | export | 54/s × 1 s = 54 | a response of 1.5 MiB, and for an instant a page of 64 KiB |
//! | small ingest | the rest of 400/s, about 1 ms each | a body of up to 4 KiB |

use std::time::Duration;

/// Requests per second in all, unless told otherwise.
pub(crate) const RPS_DEFAULT: u32 = 400;
/// The share of large ingests at the height of an ingest phase.
pub(crate) const INGEST_SHARE: f64 = 0.57;
/// The share of exports at the height of an export phase.
pub(crate) const EXPORT_SHARE: f64 = 0.135;
/// The share of exports that a step and a ramp end with: 60/s of 1 s each, 90 MiB of responses.
pub(crate) const HEIGHT_SHARE: f64 = 0.15;
/// Clients of a load without pauses: enough to keep two cores busy while answers are on their way.
pub(crate) const SATURATING_CLIENTS: usize = 16;

/// NDJSON of a large ingest, bytes, at most; at least a line less.
pub(crate) const UPLOAD_BYTES: usize = 64 << 10;
/// Parts in which a log shipper sends it.
pub(crate) const UPLOAD_PARTS: u32 = 5;
/// From the first part to the last.
pub(crate) const UPLOAD_TIME: Duration = Duration::from_millis(250);
/// NDJSON of a small ingest, bytes, at most.
pub(crate) const SMALL_BYTES: usize = 2 << 10;
/// Batches with a declared length below this are stored as they are and take no compressor.
pub(crate) const COMPRESS_BYTES_MIN: u64 = 4 << 10;
/// What a compressor context weighs: zstd's own count for the parameters that the service sets.
pub(crate) const COMPRESSOR_BYTES: usize = 1_295_945;

/// NDJSON in one page of an export, bytes, at most.
pub(crate) const PAGE_BYTES: usize = 64 << 10;
/// Pages of one export.
pub(crate) const EXPORT_PAGES: u32 = 24;
/// CRC32 and length before each page, bytes.
pub(crate) const FRAME_HEADER_BYTES: usize = 8;
/// A whole export, bytes, at most.
pub(crate) const EXPORT_BYTES: usize = EXPORT_PAGES as usize * (PAGE_BYTES + FRAME_HEADER_BYTES);
/// How long the egress limiter of the service takes over one export of [`EXPORT_PAGES`].
pub(crate) const EXPORT_TIME: Duration = Duration::from_secs(1);

/// A request that is not answered after this is a timeout.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// What the service believes that it has when no limit is given: its quiet hours fit well, its busy one crosses
/// the first watermark.
pub(crate) const SIMULATED_LIMIT_BYTES: u64 = 140 << 20;
/// With a fault, what it is judged by must be the fault: the limit that the demo shows as a real one.
pub(crate) const SIMULATED_FAULT_LIMIT_BYTES: u64 = 192 << 20;

/// The process without its objects: code, threads, connections, what the allocator keeps.
pub(crate) const BASE_BYTES: u64 = 32 << 20;
