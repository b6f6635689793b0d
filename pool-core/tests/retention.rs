//! Retention by use: one large request does not pin its buffer, and a mixed load does not lose its buffers.

use pool_core::{Pool, Registry, Sampling, Setting};
use std::time::{Duration, Instant};

const LARGE: usize = 2 << 20;
const SMALL: usize = 4 << 10;
const REQUESTS_A_CYCLE: usize = 10;

struct Service {
    registry: Registry,
    pool: Pool<Vec<u8>>,
    now: Instant,
}

impl Service {
    fn new() -> Self {
        let registry = Registry::new();
        // Nothing is timed: a trial would serve some gets fresh although there are idle objects.
        let untimed = Setting::Sampling(Sampling::DEFAULT.with_timing_one_in(0).unwrap());
        let builder = Pool::builder("bodies").registry(&registry).knob(untimed);
        let pool = builder.build_with(Vec::new).unwrap();
        Self { registry, pool, now: Instant::now() }
    }

    /// Serves a request with a body of so many bytes; returns whether its buffer had to be made or to grow.
    fn serve(&self, bytes: usize) -> bool {
        let mut body = self.pool.get();
        let before = body.capacity();
        body.resize(bytes, 1);
        body.capacity() > before
    }

    fn serve_at_once(&self, bodies: &[usize]) {
        let mut held: Vec<_> = bodies.iter().map(|_| self.pool.get()).collect();
        held.iter_mut().zip(bodies).for_each(|(body, bytes)| body.resize(*bytes, 1));
    }

    fn cycle(&mut self) {
        self.now += Duration::from_secs(10);
        self.registry.cycle(self.now);
        self.registry.drop_condemned(Duration::MAX, || false);
    }

    fn idle_bytes(&self) -> u64 {
        self.pool.stats().idle_bytes
    }
}

/// Idle bytes after three cycles of small requests, `width` of them at a time, with or without a large one before.
fn held_after(first: Option<usize>, width: usize) -> u64 {
    let mut service = Service::new();
    service.serve_at_once(&vec![SMALL; width]);
    if let Some(large) = first {
        service.serve(large);
        assert!(service.idle_bytes() > large as u64);
    }
    for _ in 0..3 {
        for _ in 0..REQUESTS_A_CYCLE {
            service.serve_at_once(&vec![SMALL; width]);
        }
        service.cycle();
    }
    service.idle_bytes()
}

#[test]
fn one_large_request_is_forgotten_within_three_cycles() {
    for width in [1, 2, 8, 64, 100] {
        let (never, once) = (held_after(None, width), held_after(Some(LARGE), width));
        assert!(never > 0 && once <= 2 * never, "{width} at a time: {once} against {never} bytes");
    }
}

#[test]
fn many_large_buffers_are_forgotten_too() {
    let mut service = Service::new();
    service.serve_at_once(&[LARGE; 20]);
    for _ in 0..4 {
        for _ in 0..REQUESTS_A_CYCLE {
            service.serve(SMALL);
        }
        service.cycle();
    }
    assert!(service.idle_bytes() <= 2 * SMALL as u64, "{}", service.idle_bytes());
}

#[test]
fn a_load_that_alternates_keeps_its_buffer() {
    let service = Service::new();
    service.serve(LARGE);
    let grown = (0..1000).filter(|i| service.serve(if i % 4 == 3 { LARGE } else { SMALL })).count();
    assert_eq!(grown, 0, "three small ones between two large ones");
    assert_eq!(service.pool.stats().created, 1);
}

#[test]
fn a_buffer_that_keeps_growing_is_kept() {
    let service = Service::new();
    let sizes: Vec<_> = (6..=21).map(|log| 1 << log).collect();
    for bytes in &sizes {
        service.serve(*bytes);
    }
    assert_eq!(service.pool.stats().created, 1);
    assert!(!service.serve(LARGE), "64 bytes to 2 MiB without losing it");
}
