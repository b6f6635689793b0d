//! A body in timed parts: a log shipper's upload, and the service's limited egress.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// A body that is sent in parts, `every` so often.
#[derive(Debug)]
pub(crate) struct Paced {
    parts: VecDeque<Bytes>,
    bytes_left: u64,
    every: Duration,
    due: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    /// No body.
    pub(crate) fn none() -> Self {
        Self::over_time(Vec::new(), Duration::ZERO)
    }

    /// All at once.
    pub(crate) fn whole(body: Bytes) -> Self {
        Self::over_time(vec![body], Duration::ZERO)
    }

    /// The first part at once, the last after `over`.
    pub(crate) fn over_time(parts: impl Into<VecDeque<Bytes>>, over: Duration) -> Self {
        let parts = parts.into();
        let gaps = u32::try_from(parts.len().saturating_sub(1)).unwrap_or(u32::MAX).max(1);
        let bytes_left = parts.iter().map(|part| part.len() as u64).sum();
        Self { parts, bytes_left, every: over / gaps, due: None }
    }

    /// Whether there is nothing left to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.parts.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(due) = &mut this.due {
            ready!(due.as_mut().poll(cx));
        }
        // From when it was due, not from now: a late part does not delay the rest.
        let at = this.due.as_ref().map_or_else(Instant::now, |due| due.deadline());
        this.due = (!this.every.is_zero()).then(|| Box::pin(sleep_until(at + this.every)));
        let part = this.parts.pop_front().unwrap_or_default();
        this.bytes_left -= part.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes_left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test(start_paused = true)]
    async fn parts_leave_at_their_times() {
        let start = Instant::now();
        let parts =
            vec![Bytes::from_static(b"one"), Bytes::from_static(b"two"), Bytes::from_static(b"three")];
        let mut upload = Paced::over_time(parts, Duration::from_millis(250));
        assert_eq!(upload.size_hint().exact(), Some(11));
        let mut left = Vec::new();
        while let Some(frame) = upload.frame().await {
            let part = frame.unwrap().into_data().unwrap();
            left.push((start.elapsed().as_millis(), part));
        }
        assert_eq!(left, [(0, "one".into()), (125, "two".into()), (250, "three".into())]);
        assert_eq!(upload.size_hint().exact(), Some(0));
    }
}
