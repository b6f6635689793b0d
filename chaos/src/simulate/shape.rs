//! What a figure does over time, as data.

/// What a figure does over time. Times are seconds since the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Always the same.
    Constant(f64),
    /// One value, another one between two moments, and then the first again.
    Pulse {
        /// When it begins.
        from_s: f64,
        /// When it ends.
        to_s: f64,
        /// The value before and after.
        usual: f64,
        /// The value meanwhile.
        peak: f64,
    },
    /// In a straight line from one value to another; the first again from a moment on.
    Ramp {
        /// When it begins to move.
        from_s: f64,
        /// When it arrives.
        to_s: f64,
        /// When it falls back.
        back_s: f64,
        /// The value before.
        usual: f64,
        /// Where it goes.
        peak: f64,
    },
    /// Rises in a straight line and falls back at once, again and again.
    Saw {
        /// From one fall to the next.
        period_s: f64,
        /// The lowest value.
        low: f64,
        /// The highest.
        high: f64,
    },
    /// One value for half a period, another for the other half.
    Swap {
        /// Both halves.
        period_s: f64,
        /// The first half's value.
        first: f64,
        /// The second's.
        second: f64,
    },
}

impl Shape {
    /// The value at a moment.
    ///
    /// ```
    /// use pool_chaos::simulate::Shape;
    /// let saw = Shape::Saw { period_s: 10.0, low: 1.0, high: 3.0 };
    /// assert_eq!([0.0, 5.0, 12.5].map(|s| saw.at(s)), [1.0, 2.0, 1.5]);
    /// ```
    #[must_use]
    pub fn at(self, seconds: f64) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Pulse { from_s, to_s, usual, peak } => {
                if (from_s..to_s).contains(&seconds) {
                    peak
                } else {
                    usual
                }
            }
            Self::Ramp { from_s, to_s, back_s, usual, peak } => {
                let part = ((seconds - from_s) / (to_s - from_s)).clamp(0.0, 1.0);
                if seconds < back_s { usual + (peak - usual) * part } else { usual }
            }
            Self::Saw { period_s, low, high } => low + (high - low) * (seconds / period_s).fract(),
            Self::Swap { period_s, first, second } => {
                if (seconds / period_s).fract() < 0.5 {
                    first
                } else {
                    second
                }
            }
        }
    }

    /// The highest value that it takes.
    #[must_use]
    pub fn highest(self) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Pulse { usual, peak, .. } | Self::Ramp { usual, peak, .. } => usual.max(peak),
            Self::Saw { low, high, .. } => low.max(high),
            Self::Swap { first, second, .. } => first.max(second),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_at(shape: Shape, values: &[(f64, f64)]) {
        for (seconds, value) in values {
            assert!(
                (shape.at(*seconds) - value).abs() < 1e-9,
                "{shape:?} at {seconds} s: {}",
                shape.at(*seconds)
            );
        }
        let highest = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        assert!((shape.highest() - highest).abs() < 1e-9, "{shape:?}");
    }

    #[test]
    fn shapes_begin_and_end_where_they_say() {
        assert_at(Shape::Constant(3.0), &[(0.0, 3.0), (99.0, 3.0)]);
        let pulse = Shape::Pulse { from_s: 1.0, to_s: 2.0, usual: 5.0, peak: 9.0 };
        assert_at(pulse, &[(0.9, 5.0), (1.0, 9.0), (1.9, 9.0), (2.0, 5.0)]);
        let ramp = Shape::Ramp { from_s: 10.0, to_s: 20.0, back_s: 30.0, usual: 1.0, peak: 2.0 };
        assert_at(ramp, &[(0.0, 1.0), (10.0, 1.0), (15.0, 1.5), (20.0, 2.0), (29.9, 2.0), (30.0, 1.0)]);
        let swap = Shape::Swap { period_s: 4.0, first: 1.0, second: 7.0 };
        assert_at(swap, &[(0.0, 1.0), (1.9, 1.0), (2.0, 7.0), (4.0, 1.0)]);
    }
}
