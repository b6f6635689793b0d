//! Scrubbing, as the process's memory shows it: the bytes are read back through `/proc/self/mem`, where the
//! optimiser's opinion of what anybody will read does not count. `cargo xtask test` runs this in release too.
#![cfg(target_os = "linux")]

mod memory;

use memory::{LEN, Memory, SECRET};
use pool_core::{Keep, Recycle, Retention, Scrub};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::hint::black_box;
use std::path::PathBuf;

/// The same as text: a letter.
const LETTER: u8 = b'k';

/// Storage that was full of secret bytes and has few in its length now: the rest is spare capacity.
fn secret_bytes() -> Vec<u8> {
    let mut bytes = vec![SECRET; LEN];
    black_box(&mut bytes).truncate(10);
    bytes
}

fn secret_text() -> String {
    let mut text = String::from_utf8(vec![LETTER; LEN]).unwrap();
    black_box(&mut text).truncate(10);
    text
}

#[test]
fn clearing_alone_leaves_the_bytes_where_they_were() {
    let memory = Memory::open();
    let mut bytes = secret_bytes();
    let at = bytes.as_ptr() as usize;
    bytes.clear();
    assert_eq!(memory.count(at, LEN, SECRET), LEN);
    assert_eq!(bytes.capacity(), LEN);
}

macro_rules! scrubbed {
    ($($name:ident: $secret:expr, $byte:expr, |$value:ident| $at:expr, $len:expr;)*) => {$(
        #[test]
        fn $name() {
            let memory = Memory::open();
            let mut $value = $secret;
            let (at, len) = ($at as usize, $len);
            assert_eq!(memory.count(at, LEN, $byte), LEN);
            Scrub::scrub(&mut $value);
            assert_eq!(memory.count(at, LEN, $byte), 0);
            assert_eq!(memory.count(at, LEN, 0), LEN);
            assert_eq!(($at as usize, $len), (at, len), "its storage and its length are what they were");
        }
    )*};
}

scrubbed! {
    a_vec: secret_bytes(), SECRET, |v| v.as_ptr(), (v.len(), v.capacity());
    a_string: secret_text(), LETTER, |v| v.as_ptr(), (v.len(), v.capacity());
    an_os_string: OsString::from(secret_text()), LETTER, |v| v.as_encoded_bytes().as_ptr(), (v.len(), v.capacity());
    a_path: PathBuf::from(secret_text()), LETTER, |v| v.as_os_str().as_encoded_bytes().as_ptr(),
        (v.as_os_str().len(), v.capacity());
    a_boxed_slice: vec![SECRET; LEN].into_boxed_slice(), SECRET, |v| v.as_ptr(), v.len();
    a_boxed_str: String::from_utf8(vec![LETTER; LEN]).unwrap().into_boxed_str(), LETTER, |v| v.as_ptr(), v.len();
    an_array: [SECRET; LEN], SECRET, |v| v.as_ptr(), v.len();
    a_boxed_array: Box::new([SECRET; LEN]), SECRET, |v| v.as_ptr(), v.len();
    wide_numbers: [u64::from_ne_bytes([SECRET; 8]); LEN / 8], SECRET, |v| v.as_ptr(), v.len();
    an_option: Some(secret_bytes()), SECRET, |v| v.as_ref().map_or(std::ptr::null(), Vec::as_ptr),
        v.as_ref().map_or(0, Vec::len);
}

#[test]
fn a_ring_is_scrubbed_on_both_sides_of_its_seam() {
    let memory = Memory::open();
    let mut ring = VecDeque::from(vec![SECRET; LEN]);
    let at = ring.as_slices().0.as_ptr() as usize;
    // The front moves on and new bytes wrap around to the start of the storage.
    ring.drain(..400);
    ring.extend([SECRET; 300]);
    assert!(!ring.as_slices().1.is_empty());
    assert_eq!(memory.count(at, LEN, SECRET), LEN);
    ring.scrub();
    assert_eq!((memory.count(at, LEN, SECRET), ring.len(), ring.capacity()), (0, 500, LEN));
}

#[cfg(feature = "bytes")]
#[test]
fn a_shared_buffer_is_scrubbed_also_where_it_was_read_past() {
    use bytes::{Buf, BytesMut};
    let memory = Memory::open();
    let mut buffer = BytesMut::from(&[SECRET; LEN][..]);
    let at = buffer.as_ptr() as usize;
    buffer.advance(400);
    buffer.scrub();
    assert_eq!((memory.count(at, LEN, SECRET), buffer.len(), buffer.capacity()), (0, LEN, LEN));
    // Two halves of one storage: each scrubs its own.
    let mut front = BytesMut::from(&[SECRET; LEN][..]);
    let at = front.as_ptr() as usize;
    let back = front.split_off(200);
    front.scrub();
    assert_eq!(memory.count(at, LEN, SECRET), LEN - 200);
    assert!(back.iter().all(|byte| *byte == SECRET));
}

#[test]
fn scrubbing_leaves_the_verdict_to_what_was_used() {
    let mut well_used = vec![SECRET; 20_000];
    well_used.scrub();
    // Judged after it was scrubbed: full, so no strike, at any number of returns.
    assert_eq!(Recycle::recycle(&mut well_used, &Retention::default()), Keep::Yes);
    assert_eq!(well_used.capacity(), 20_000);
    let mut none: Option<String> = None;
    none.scrub();
    assert_eq!(none, None);
}
