//! Durations and sizes as people write them: `90s`, `1.5m`, `512MiB`. A bare number is refused, because its
//! unit would be a guess.

use super::Refused;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What [`duration`] accepts, for error messages.
pub const DURATIONS: &str = "a number with a unit ms, s, m or h, from 1ms to 24h, such as 90s";
/// What [`bytes`] accepts, for error messages.
pub const SIZES: &str = "a number with a unit B, KiB, MiB, GiB, kB, MB or GB, such as 512MiB";

/// The longest duration that is accepted: a day.
pub const DURATION_MAX: Duration = Duration::from_secs(24 * 3600);

/// Units of size with their bytes.
pub const BYTE_UNITS: [(&str, f64); 7] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("B", 1.0),
];

/// Units of time with their seconds.
pub const TIME_UNITS: [(&str, f64); 4] = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// Parses a duration from 1 ms to 24 h.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(pool_controller::config::units::duration("ttl", "90s")?, Duration::from_secs(90));
/// assert!(pool_controller::config::units::duration("ttl", "90").is_err());
/// # Ok::<(), pool_controller::config::Refused>(())
/// ```
///
/// # Errors
/// [`Refused`], which names `path`.
pub fn duration(path: &str, text: &str) -> Result<Duration, Refused> {
    let range = Duration::from_millis(1)..=DURATION_MAX;
    time(text, &TIME_UNITS, &range).map_err(|problem| Refused::invalid(path, text, problem, DURATIONS))
}

/// A duration within a range, which may be told in `us` as well; or what is wrong with it.
pub(super) fn fine_duration(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, &'static str> {
    let [ms, s, m, h] = TIME_UNITS;
    time(text, &[("us", 1e-6), ms, s, m, h], range)
}

fn time(
    text: &str,
    units: &[(&str, f64)],
    range: &RangeInclusive<Duration>,
) -> Result<Duration, &'static str> {
    let seconds = number_with_unit(text, units).ok_or("not a duration")?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| "out of range")?;
    if range.contains(&duration) { Ok(duration) } else { Err("out of range") }
}

/// A duration that [`fine_duration`] reads back, in the largest unit that loses nothing: `90s`, `250ms`.
pub(super) fn show_duration(time: Duration) -> String {
    let us = time.as_micros();
    let units = [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1)];
    let (unit, factor) =
        units.into_iter().find(|(_, f)| us >= *f && us.is_multiple_of(*f)).unwrap_or(("us", 1));
    format!("{}{unit}", us / factor)
}

/// A size that [`bytes`] reads back, in the largest unit that loses nothing: `192MiB`.
pub(super) fn show_exact(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let found = units.into_iter().find(|(_, f)| bytes >= *f && bytes.is_multiple_of(*f));
    found.map_or_else(|| format!("{bytes}B"), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

/// Parses a size in bytes, at most 2^53 (9 PB).
///
/// ```
/// assert_eq!(pool_controller::config::units::bytes("limit", "192MiB")?, 192 << 20);
/// assert!(pool_controller::config::units::bytes("limit", "192M").is_err());
/// # Ok::<(), pool_controller::config::Refused>(())
/// ```
///
/// # Errors
/// [`Refused`], which names `path`.
pub fn bytes(path: &str, text: &str) -> Result<u64, Refused> {
    let refuse = |problem: &str| Refused::invalid(path, text, problem, SIZES);
    let bytes = number_with_unit(text, &BYTE_UNITS).ok_or_else(|| refuse("not a size"))?;
    if !(0.0..=BYTES_MAX).contains(&bytes) {
        return Err(refuse("out of range"));
    }
    // In range by the check above; fractions of a byte have no meaning.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok(bytes.round() as u64)
}

/// Bytes up to which an `f64` is exact.
const BYTES_MAX: f64 = 9_007_199_254_740_992.0;

fn number_with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    Some(number.parse::<f64>().ok()? * factor)
}

/// Bytes for people: `12.3 MiB`.
///
/// ```
/// assert_eq!(pool_controller::config::units::show_bytes(1536.0), "1.5 KiB");
/// ```
#[must_use]
pub fn show_bytes(bytes: f64) -> String {
    let (factor, unit) = match bytes.abs() {
        b if b >= 1_073_741_824.0 => (1_073_741_824.0, "GiB"),
        b if b >= 1_048_576.0 => (1_048_576.0, "MiB"),
        b if b >= 1024.0 => (1024.0, "KiB"),
        _ => return format!("{bytes:.0} B"),
    };
    format!("{:.1} {unit}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_a_range() {
        assert_eq!(duration("ttl", "250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("ttl", "1.5m"), Ok(Duration::from_secs(90)));
        for bad in ["", "90", "s", "-1s", "1 s", "1d", "1e3s", "1.2.3s", "∞s"] {
            let e = duration("ttl", bad).unwrap_err();
            assert!(e.to_string().starts_with("ttl: "), "{e}");
            assert_eq!(e.problem, "not a duration", "{bad}");
        }
        for bad in ["0s", "0.1ms", "25h", "99999999999999999999999999h"] {
            assert_eq!(duration("ttl", bad).unwrap_err().problem, "out of range", "{bad}");
        }
        assert_eq!(
            duration("ttl", "90").unwrap_err().to_string(),
            "ttl: \"90\": not a duration; allowed: a number with a unit ms, s, m or h, from 1ms to 24h, such as 90s"
        );
    }

    #[test]
    fn sizes_are_binary_or_decimal_by_their_unit() {
        assert_eq!(bytes("limit", "1KiB"), Ok(1024));
        assert_eq!(bytes("limit", "1kB"), Ok(1000));
        assert_eq!(bytes("limit", "0.5GiB"), Ok(512 << 20));
        assert_eq!(bytes("limit", "7B"), Ok(7));
        for bad in ["512", "512M", "MiB", "-1MiB", "9999999999GiB"] {
            assert!(bytes("limit", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_exactly_reads_back() {
        let all = Duration::ZERO..=Duration::MAX;
        for (us, shown) in [(10, "10us"), (1500, "1500us"), (250_000, "250ms"), (90_000_000, "90s")] {
            let time = Duration::from_micros(us);
            assert_eq!((show_duration(time).as_str(), fine_duration(shown, &all)), (shown, Ok(time)));
        }
        assert_eq!(show_duration(Duration::from_secs(7 * 24 * 3600)), "168h");
        for (size, shown) in [(0, "0B"), (1000, "1000B"), (192 << 20, "192MiB"), (1 << 46, "65536GiB")] {
            assert_eq!((show_exact(size).as_str(), bytes("", shown)), (shown, Ok(size)));
        }
    }

    #[test]
    fn bytes_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!(show_bytes(1023.0), "1023 B");
        assert_eq!(show_bytes(1536.0), "1.5 KiB");
        assert_eq!(show_bytes(-3.0 * 1_048_576.0), "-3.0 MiB");
    }
}
