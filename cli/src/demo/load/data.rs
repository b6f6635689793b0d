//! The content of ingests: NDJSON log lines, made once and sent many times.

use super::random::Random;
use crate::demo::workload::{SMALL_BYTES, UPLOAD_BYTES, UPLOAD_PARTS};
use bytes::Bytes;
use std::fmt::Write as _;

/// Bodies to choose from. The generator's memory does not grow with the load.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    small: Vec<Bytes>,
    large: Vec<Bytes>,
}

const VARIANTS: usize = 16;

impl Data {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut bodies = |bytes_max| (0..VARIANTS).map(|_| ndjson(&mut random, bytes_max)).collect();
        Self { small: bodies(SMALL_BYTES), large: bodies(UPLOAD_BYTES) }
    }

    /// The body of a small ingest.
    pub(crate) fn small(&self, content: u64) -> Bytes {
        pick(&self.small, content).clone()
    }

    /// The parts of a large ingest, in order.
    pub(crate) fn large(&self, content: u64) -> Vec<Bytes> {
        let body = pick(&self.large, content);
        let part_bytes = body.len().div_ceil(UPLOAD_PARTS as usize);
        (0..body.len())
            .step_by(part_bytes)
            .map(|at| body.slice(at..body.len().min(at + part_bytes)))
            .collect()
    }
}

fn pick(bodies: &[Bytes], content: u64) -> &Bytes {
    // In range by the remainder.
    #[allow(clippy::cast_possible_truncation)]
    &bodies[(content % VARIANTS as u64) as usize]
}

/// As many log lines as fit into `bytes_max`.
fn ndjson(random: &mut Random, bytes_max: usize) -> Bytes {
    const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];
    const SERVICES: [&str; 5] = ["checkout", "billing", "search", "gateway", "auth"];
    const STATUS: [u16; 4] = [200, 201, 404, 500];
    let mut body = String::with_capacity(bytes_max);
    let mut line = String::new();
    let mut ts_ms = 1_700_000_000_000 + random.below(1 << 30);
    loop {
        ts_ms += random.below(40);
        let (level, service, status) =
            (choose(random, &LEVELS), choose(random, &SERVICES), choose(random, &STATUS));
        line.clear();
        // Writing to a String cannot fail.
        let _ = writeln!(
            line,
            "{{\"ts\":{ts_ms},\"level\":\"{level}\",\"service\":\"{service}\",\"trace\":\"{:016x}\",\"ms\":{},\
             \"msg\":\"handled path=/v1/{service}/items/{} status={status}\"}}",
            random.next(),
            random.below(977),
            random.below(10_007),
        );
        if body.len() + line.len() > bytes_max {
            return Bytes::from(body);
        }
        body.push_str(&line);
    }
}

fn choose<T: Copy>(random: &mut Random, from: &[T]) -> T {
    // In range by `below`.
    #[allow(clippy::cast_possible_truncation)]
    from[random.below(from.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::workload::COMPRESS_BYTES_MIN;

    #[test]
    fn bodies_are_whole_lines_of_json_and_nearly_as_large_as_allowed() {
        let data = Data::new(9);
        for content in 0..20 {
            let small = data.small(content);
            assert!(small.len() <= SMALL_BYTES && (small.len() as u64) < COMPRESS_BYTES_MIN);
            let large: Vec<u8> = data.large(content).concat();
            assert!((UPLOAD_BYTES - 256..=UPLOAD_BYTES).contains(&large.len()), "{}", large.len());
            for body in [&small[..], &large] {
                let (last, lines) = body.split_last().unwrap();
                assert_eq!(*last, b'\n');
                for line in lines.split(|b| *b == b'\n') {
                    let value: serde_json::Value = serde_json::from_slice(line).unwrap();
                    assert!(value["ts"].is_u64() && value["msg"].is_string());
                }
            }
        }
    }

    #[test]
    fn a_large_body_has_its_parts() {
        assert_eq!(Data::new(9).large(3).len(), UPLOAD_PARTS as usize);
        assert_eq!(Data::new(9).large(3), Data::new(9).large(3));
    }
}
