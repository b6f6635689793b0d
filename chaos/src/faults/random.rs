//! Randomness without state: the n-th draw of a seed is a function of both.
//!
//! So threads that arrive at a fault at the same time need no lock to draw, and which arrivals are hit depends
//! on their number alone, not on who was first.

/// The n-th 64-bit draw of the stream `seed`: SplitMix64, which is a counter behind a mixing function.
pub(crate) fn draw(seed: u64, n: u64) -> u64 {
    let mut z = mix(seed).wrapping_add(n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Spreads neighbouring seeds apart; otherwise seed 2 would be seed 1 shifted by some draws.
fn mix(seed: u64) -> u64 {
    let z = (seed ^ 0x5DEE_CE66_D1CE_4E5B).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    (z ^ (z >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_reproducible_and_streams_differ() {
        let first: Vec<u64> = (0..4).map(|n| draw(24_301, n)).collect();
        assert_eq!(first, (0..4).map(|n| draw(24_301, n)).collect::<Vec<_>>());
        assert!((0..1000).all(|n| draw(1, n) != draw(2, n)));
    }

    #[test]
    fn bits_are_balanced() {
        for bit in 0..64 {
            let ones = (0..10_000).filter(|n| draw(7, *n) >> bit & 1 == 1).count();
            assert!((4_700..5_300).contains(&ones), "bit {bit}: {ones}");
        }
    }
}
