//! `GET /export`: a large response, rendered page by page and sent at a limited pace.
//!
//! The response is framed: CRC32 and length (little endian, 4 bytes each) before every page of NDJSON, so a
//! reader that is cut off knows which pages are whole.

use super::stock::Lent;
use super::{App, Refusal};
use crate::demo::paced::Paced;
use crate::demo::workload::{EXPORT_PAGES, EXPORT_TIME, FRAME_HEADER_BYTES, PAGE_BYTES};
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use std::io::Write as _;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Which records are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The number of the first record.
    #[serde(default)]
    from: u64,
    /// Pages of up to 64 KiB.
    #[serde(default = "pages_default")]
    pages: u32,
}

const fn pages_default() -> u32 {
    EXPORT_PAGES
}

pub(super) async fn export(
    State(app): State<Arc<App>>,
    Query(Wanted { from, pages }): Query<Wanted>,
) -> Result<Response, Refusal> {
    if !(1..=EXPORT_PAGES).contains(&pages) {
        return Err(Refusal::bad(format!("pages={pages}: allowed are 1 to {EXPORT_PAGES}")));
    }
    let frame_bytes = PAGE_BYTES + FRAME_HEADER_BYTES;
    let admitted = app.admit(pages as usize * frame_bytes)?;
    let mut page = app.bodies.lend();
    let mut response = app.exports.lend();
    page.reserve_exact(PAGE_BYTES);
    let mut ends = Vec::with_capacity(pages as usize);
    let mut record = from;
    for _ in 0..pages {
        record = render(&mut page, record);
        frame(&mut response, &page);
        ends.push(response.len());
        page.clear();
        // Rendering all pages at once would hold up the other requests of this thread for milliseconds.
        tokio::task::yield_now().await;
    }
    drop(page);
    let whole = Bytes::from_owner(Egress { response, _admitted: admitted });
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let parts: Vec<Bytes> = starts.zip(&ends).map(|(start, end)| whole.slice(start..*end)).collect();
    drop(whole);
    let over = EXPORT_TIME * pages / EXPORT_PAGES;
    let body = Body::new(Paced::over_time(parts, over));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

/// A response on its way out: lent until its last byte has gone.
struct Egress {
    response: Lent<Vec<u8>>,
    _admitted: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Egress {
    fn as_ref(&self) -> &[u8] {
        &self.response
    }
}

/// A rendered record, bytes, at most.
const RECORD_BYTES_MAX: usize = 320;

/// Fills `page` with records from `record` on, without growing it above a page; returns the next record.
fn render(page: &mut Vec<u8>, mut record: u64) -> u64 {
    while page.len() + RECORD_BYTES_MAX <= PAGE_BYTES {
        let hash = record.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // Writing to a Vec cannot fail.
        let _ = writeln!(
            page,
            "{{\"record\":{record},\"trace\":\"{hash:016x}\",\"level\":\"info\",\"service\":\"gateway\",\
             \"msg\":\"stored batch handled by the ingest service, compressed, checked and acknowledged to its \
             log shipper; kept for thirty days in the archive of this region\",\"attempt\":1,\"ok\":true}}"
        );
        record = record.wrapping_add(1);
    }
    record
}

fn frame(response: &mut Vec<u8>, page: &[u8]) {
    let length = u32::try_from(page.len()).unwrap_or_else(|_| unreachable!("a page has at most 64 KiB"));
    response.extend_from_slice(&crc32fast::hash(page).to_le_bytes());
    response.extend_from_slice(&length.to_le_bytes());
    response.extend_from_slice(page);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::workload::EXPORT_BYTES;

    #[test]
    fn a_rendered_page_is_whole_lines_and_nearly_full_and_does_not_grow_its_buffer() {
        let mut page = Vec::new();
        page.reserve_exact(PAGE_BYTES);
        let next = render(&mut page, 7);
        assert_eq!(page.capacity(), PAGE_BYTES);
        assert!((PAGE_BYTES - RECORD_BYTES_MAX..=PAGE_BYTES).contains(&page.len()), "{}", page.len());
        let mut longest = Vec::new();
        render(&mut longest, u64::MAX);
        assert!(longest.iter().position(|b| *b == b'\n').unwrap() < RECORD_BYTES_MAX);
        let lines: Vec<serde_json::Value> = page[..page.len() - 1]
            .split(|b| *b == b'\n')
            .map(|l| serde_json::from_slice(l).unwrap())
            .collect();
        assert_eq!(lines.first().unwrap()["record"], 7);
        assert_eq!(lines.last().unwrap()["record"], next - 1);
        let mut response = Vec::with_capacity(EXPORT_BYTES);
        for _ in 0..EXPORT_PAGES {
            frame(&mut response, &page);
        }
        assert_eq!(response.capacity(), EXPORT_BYTES, "a whole export fits");
    }

    #[test]
    fn a_frame_says_its_checksum_and_length() {
        let mut response = Vec::new();
        frame(&mut response, b"123456789");
        // The check value of CRC-32.
        assert_eq!(response[..4], 0xCBF4_3926_u32.to_le_bytes());
        assert_eq!(response[4..8], 9_u32.to_le_bytes());
        assert_eq!(&response[8..], b"123456789");
    }
}
