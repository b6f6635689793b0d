//! The sizes and times of the demo's work: one place for the service, the load and the arithmetic between them.
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
const BASE_BYTES: u64 = 32 << 20;

/// The smallest limit under which `rps` requests per second can be served at all: what they hold at the same
/// time, and the process.
pub(crate) fn limit_bytes_min(rps: u32) -> u64 {
    let export_bytes = EXPORT_BYTES as f64 * EXPORT_SHARE * EXPORT_TIME.as_secs_f64();
    let ingest_bytes = (COMPRESSOR_BYTES + UPLOAD_BYTES) as f64 * INGEST_SHARE * UPLOAD_TIME.as_secs_f64();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some MiB per request")]
    let held_bytes = (f64::from(rps) * export_bytes.max(ingest_bytes)) as u64;
    (BASE_BYTES + held_bytes).next_multiple_of(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_load_needs_two_thirds_of_192_mib() {
        let least = limit_bytes_min(RPS_DEFAULT);
        assert!((104 << 20..128 << 20).contains(&least), "{least}");
        assert!(limit_bytes_min(1) < 34 << 20);
    }
}
