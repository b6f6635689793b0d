//! Server-sent events, one after the other.

use super::client::Connection;
use anyhow::{Context as _, bail};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// An event is not longer.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// A stream of events that is open.
#[derive(Debug)]
pub(crate) struct Events {
    body: Incoming,
    lines: Lines,
    _connection: Connection,
}

impl Events {
    pub(super) fn of(body: Incoming, connection: Connection) -> Self {
        Self { body, lines: Lines::default(), _connection: connection }
    }

    /// Waits for the next event; its data, or `None` at the end. Nothing is lost if the waiting is given up.
    ///
    /// # Errors
    /// If the connection broke, or an event is too long.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            if let Some(data) = self.lines.next_data() {
                return Ok(Some(data));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Ok(bytes) = frame.context("the connection broke")?.into_data() {
                self.lines.add(&bytes)?;
            }
        }
    }
}

/// Bytes that have come, and how far they were searched for the end of a line.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    searched: usize,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if self.bytes.len() + bytes.len() > EVENT_BYTES_MAX {
            bail!("an event of more than {} MiB", EVENT_BYTES_MAX >> 20);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The data of the next event whose line is whole: the routes write each on one line.
    fn next_data(&mut self) -> Option<String> {
        loop {
            let end = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| self.searched + end) else {
                self.searched = self.bytes.len();
                return None;
            };
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            self.searched = 0;
            if let Some(data) = line.strip_prefix(b"data: ") {
                return Some(String::from_utf8_lossy(data.trim_ascii_end()).into_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_any_pieces() {
        let text = b"event: tick\ndata: {\"a\":1}\n\n: keep-alive\n\nevent: tick\r\ndata: {\"b\":2}\r\n\r\n";
        for size in 1..text.len() {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.add(piece).unwrap();
                found.extend(std::iter::from_fn(|| lines.next_data()));
            }
            assert_eq!(found, ["{\"a\":1}", "{\"b\":2}"], "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused() {
        let mut lines = Lines { bytes: vec![b'x'; EVENT_BYTES_MAX], searched: 0 };
        assert!(lines.next_data().is_none());
        assert!(lines.add(b"x").unwrap_err().to_string().contains("64 MiB"));
    }
}
