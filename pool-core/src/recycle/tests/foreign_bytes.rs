//! Buffers whose storage can be shared.

use super::*;
use bytes::{Buf, Bytes, BytesMut};

#[test]
fn a_buffer_is_emptied_and_judged_by_use() {
    let mut buffer = BytesMut::zeroed(20_000);
    let capacity = buffer.capacity();
    assert_eq!(buffer.recycle(&last_chance()), Keep::Yes);
    assert_eq!((buffer.len(), buffer.capacity(), buffer.weight()), (0, capacity, capacity));
    buffer.extend_from_slice(b"little");
    assert_eq!(buffer.recycle(&last_chance()), Keep::Oversize);
    assert!(buffer.is_empty());
}

#[test]
fn what_was_read_past_comes_back_and_counts_as_used() {
    for read in [1, 5_000, 19_999, 20_000] {
        let mut buffer = BytesMut::zeroed(20_000);
        let whole = buffer.capacity();
        buffer.advance(read);
        assert!(buffer.capacity() < whole);
        assert_eq!(buffer.recycle(&last_chance()), Keep::Yes, "{read} bytes read");
        assert_eq!(buffer.weight(), whole, "{read} bytes read");
    }
}

#[test]
fn what_was_split_off_and_dropped_comes_back() {
    for taken in [1, 5_000, 19_999, 20_000] {
        let mut buffer = BytesMut::zeroed(20_000);
        let whole = buffer.capacity();
        drop(buffer.split_to(taken).freeze());
        assert_eq!(buffer.recycle(&last_chance()), Keep::Yes, "{taken} bytes taken");
        assert_eq!(buffer.weight(), whole, "{taken} bytes taken");
        // The same from the other end: the storage behind goes to the half that was split off.
        let mut buffer = BytesMut::zeroed(20_000);
        drop(buffer.split_off(20_000 - taken));
        recycle(&mut buffer);
        assert_eq!(buffer.weight(), whole, "{taken} bytes split off");
    }
}

#[test]
fn storage_that_others_still_hold_is_not_weighed() {
    let mut buffer = BytesMut::zeroed(20_000);
    let handed_out = buffer.split_to(15_000).freeze();
    recycle(&mut buffer);
    assert_eq!(buffer.weight(), 5_000);
    assert_eq!(handed_out.len(), 15_000);
}

#[test]
fn shared_bytes_are_let_go() {
    let storage = Bytes::from(vec![1; 100]);
    let mut shared = storage.clone();
    assert!(!storage.is_unique());
    recycle(&mut shared);
    assert!(shared.is_empty() && storage.is_unique());
    assert_eq!(shared.weight(), 0);
}
