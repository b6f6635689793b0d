//! The compressor: a zstd context of about a megabyte, fed while a body arrives.
//!
//! The window is 32 KiB, because log lines repeat within a few of them, and the tables are 1 MiB, because they
//! are what finds the repetitions. So nearly all of a context is memory that it has written to, and its size is
//! what it costs.

use pool_core::{Keep, Recycle, Retention};
use std::fmt;
use zstd_safe::zstd_sys::ZSTD_EndDirective::{self, ZSTD_e_continue, ZSTD_e_end};
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, ResetDirective, get_error_name};

const PARAMETERS: [CParameter; 4] = [
    CParameter::CompressionLevel(3),
    CParameter::WindowLog(15),
    CParameter::HashLog(17),
    CParameter::ChainLog(17),
];

/// A context and what it was told. (A type of its own rather than a pool with closures over `CCtx`: a lifetime in
/// a pooled type is more than the compiler can prove `Send` across an await.)
pub(crate) struct Compressor(CCtx<'static>);

impl Compressor {
    /// A context that is ready to be fed, with all its tables allocated.
    pub(crate) fn new() -> Self {
        let mut new = Self(CCtx::create());
        let prepared = PARAMETERS.into_iter().try_for_each(|p| new.0.set_parameter(p).map(drop));
        // Tables are allocated at the first byte; a pool has to know what an object weighs before that.
        let prepared = prepared
            .and_then(|()| new.feed(b"\n", false, &mut |_| {}))
            .and_then(|()| new.0.reset(ResetDirective::SessionOnly).map(drop));
        match prepared {
            Ok(()) => new,
            Err(code) => unreachable!("constant parameters: {}", get_error_name(code)),
        }
    }

    /// Compresses `part`; `last` ends the frame. `sink` takes what comes out.
    ///
    /// # Errors
    /// zstd's own; the body cannot be compressed then.
    pub(crate) fn compress(
        &mut self,
        part: &[u8],
        last: bool,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(), CompressError> {
        self.feed(part, last, &mut sink).map_err(CompressError)
    }

    fn feed(&mut self, part: &[u8], last: bool, sink: &mut dyn FnMut(&[u8])) -> Result<(), usize> {
        let directive: ZSTD_EndDirective = if last { ZSTD_e_end } else { ZSTD_e_continue };
        let mut input = InBuffer::around(part);
        let mut scratch = [0; 8 << 10];
        loop {
            let mut output = OutBuffer::around(&mut scratch[..]);
            let left = self.0.compress_stream2(&mut output, &mut input, directive)?;
            sink(output.as_slice());
            let done = if last { left == 0 } else { input.pos == part.len() };
            if done {
                return Ok(());
            }
        }
    }
}

impl Recycle for Compressor {
    /// Parameters and tables stay, the frame that was begun goes.
    fn recycle(&mut self, _: &Retention) -> Keep {
        match self.0.reset(ResetDirective::SessionOnly) {
            Ok(_) => Keep::Yes,
            Err(_) => Keep::Refused,
        }
    }

    fn weight(&self) -> usize {
        self.0.sizeof()
    }
}

/// zstd refused to compress.
#[derive(Debug)]
pub(crate) struct CompressError(usize);

impl fmt::Display for CompressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zstd: {}", get_error_name(self.0))
    }
}

impl std::error::Error for CompressError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::load::data::Data;
    use crate::demo::workload::COMPRESSOR_BYTES;
    use pool_core::Pool;

    fn compressed(context: &mut Compressor, parts: &[bytes::Bytes]) -> Vec<u8> {
        let mut out = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            context.compress(part, i + 1 == parts.len(), |bytes| out.extend_from_slice(bytes)).unwrap();
        }
        out
    }

    #[test]
    fn parts_become_one_frame_that_gives_the_body_back() {
        let parts = Data::new(1).large(0);
        let frame = compressed(&mut Compressor::new(), &parts);
        let body = parts.concat();
        assert!(frame.len() < body.len() / 4, "{} of {}", frame.len(), body.len());
        let mut back = Vec::with_capacity(body.len());
        zstd_safe::decompress(&mut back, &frame).unwrap();
        assert_eq!(back, body);
    }

    #[test]
    fn a_pooled_context_compresses_like_a_new_one_and_weighs_the_same_all_its_life() {
        let parts = Data::new(2).large(0);
        let pool = Pool::new("zstd.ctx", Compressor::new);
        let weight = Compressor::new().weight();
        // Versions of zstd differ by some bytes.
        assert!(weight.abs_diff(COMPRESSOR_BYTES) < COMPRESSOR_BYTES / 50, "{weight}");
        let fresh = compressed(&mut pool.get(), &parts);
        pool.get().compress(b"an upload that broke off", false, |_| {}).unwrap();
        let mut reused = pool.get();
        assert_eq!(compressed(&mut reused, &parts), fresh);
        assert_eq!(reused.weight(), weight);
        assert_eq!(pool.stats().created, 1);
    }
}
