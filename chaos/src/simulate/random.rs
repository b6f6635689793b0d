//! Seeded randomness, so that the same seed gives the same run.

use super::scenario::whole;

/// So many are drawn one by one.
const DRAWN_MAX: u64 = 4096;

/// A small generator (PCG's multiplier and an output mix).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A stream of its own for each `stream` of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (x ^ (x >> 33)) >> 11
    }

    /// 0 up to, without, 1.
    pub(super) fn unit(&mut self) -> f64 {
        self.next() as f64 / (1_u64 << 53) as f64
    }

    /// 0..=max.
    pub(super) fn up_to(&mut self, max: u64) -> u64 {
        self.next() % (max + 1)
    }

    /// About normal: mean 0, deviation 1, never beyond 6.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// How many of independent arrivals fall into a step that expects `mean` of them.
    pub(super) fn arrivals(&mut self, mean: f64) -> u32 {
        let (mut n, mut left) = (0, self.unit());
        let least = (-mean).exp();
        while left > least {
            n += 1;
            left *= self.unit();
        }
        n
    }

    /// How many of `n` happen, each with this probability. Of many, a number that is spread as theirs would be.
    pub(super) fn of(&mut self, n: u64, probability: f64) -> u64 {
        if n > DRAWN_MAX {
            let mean = n as f64 * probability;
            return whole(mean + (mean * (1.0 - probability)).sqrt() * self.normal()).min(n);
        }
        (0..n).map(|_| u64::from(self.unit() < probability)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            [(); 4].map(|()| random.up_to(1000))
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn means_are_what_was_asked_for() {
        let mut random = Random::new(1, 1);
        let n = 20_000;
        let mean = |sum: f64| sum / f64::from(n);
        let arrivals = mean((0..n).map(|_| f64::from(random.arrivals(3.0))).sum());
        let normal = mean((0..n).map(|_| random.normal()).sum());
        let square = mean((0..n).map(|_| random.normal().powi(2)).sum());
        assert!((arrivals - 3.0).abs() < 0.05, "{arrivals}");
        assert!(normal.abs() < 0.03 && (square - 1.0).abs() < 0.05, "{normal} {square}");
        for n in [DRAWN_MAX, 10_000, 1 << 40] {
            let (mean, spread) = (0.3 * n as f64, (0.21 * n as f64).sqrt());
            let drawn: Vec<f64> = (0..400).map(|_| (random.of(n, 0.3) as f64 - mean) / spread).collect();
            let (sum, square) = (drawn.iter().sum::<f64>(), drawn.iter().map(|d| d * d).sum::<f64>());
            assert!((sum / 400.0).abs() < 0.3 && (square / 400.0 - 1.0).abs() < 0.4, "{n}: {sum} {square}");
        }
    }
}
