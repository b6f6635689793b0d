//! What tests of decisions share: seeded randomness and a plant to control.

/// A small generator (PCG's multiplier), so that a failing case repeats.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = self.0 ^ (self.0 >> 33);
        x.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 11
    }

    /// 0..=max.
    pub(crate) fn up_to(&mut self, max: u64) -> u64 {
        self.next() % (max + 1)
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        (self.next() as f64) < probability * f64::from(1 << 21) * f64::from(1 << 21) * f64::from(1 << 11)
    }
}
