//! A test that fails when a pooled object does not come home, and says who has it.
//!
//! `cargo run -p pool-core --example leak_check` shows such a report; `cargo test -p pool-core --example
//! leak_check` runs the tests below.

use pool_core::{LeakCheck, Pool, Pooled};
use std::collections::HashMap;

/// A service that answers from pooled buffers and remembers answers that were asked for with a key.
struct Service {
    buffers: Pool<Vec<u8>>,
    answers: HashMap<u32, Pooled<Vec<u8>>>,
}

impl Service {
    fn new() -> Self {
        Self { buffers: Pool::new("http.body", Vec::new), answers: HashMap::new() }
    }

    fn answer(&self, question: &str) -> usize {
        let mut body = self.buffers.get();
        body.extend_from_slice(question.as_bytes());
        body.len()
    }

    /// Keeps the answer, and with it the buffer.
    fn answer_once(&mut self, key: u32, question: &str) {
        let mut body = self.buffers.get();
        body.extend_from_slice(question.as_bytes());
        self.answers.insert(key, body);
    }
}

fn main() {
    let mut service = Service::new();
    let check = LeakCheck::of(&service.buffers);
    service.answer("how are you?");
    for key in 0..3 {
        service.answer_once(key, "who are you?");
    }
    match check.finish() {
        Ok(()) => println!("every buffer came home"),
        Err(report) => println!("{report}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_leave_no_buffer_behind() {
        let service = Service::new();
        let _check = LeakCheck::of(&service.buffers); // looks when the test ends
        for _ in 0..100 {
            assert_eq!(service.answer("how are you?"), 12);
        }
    }

    #[test]
    fn remembered_answers_keep_their_buffers_until_the_service_goes() {
        let mut service = Service::new();
        let buffers = service.buffers.clone();
        let check = LeakCheck::of(&buffers);
        service.answer_once(1, "who are you?");
        assert_eq!(check.outstanding(), 1);
        drop(service);
        assert!(check.finish().is_ok());
    }

    #[test]
    #[should_panic(expected = "http.body: 1 lease from")]
    fn a_leak_fails_its_test() {
        let mut service = Service::new();
        let buffers = service.buffers.clone();
        let _check = LeakCheck::of(&buffers);
        service.answer_once(1, "who are you?");
        std::mem::forget(service);
    }
}
