//! Durations and sizes as people write them: `90s`, `1.5m`, `512MiB`. A bare number is refused, because its
//! unit would be a guess.

use crate::Refused;
use std::time::Duration;

/// What [`duration`] accepts, for error messages.
pub const DURATIONS: &str = "a number with a unit ms, s, m or h, from 1ms to 24h, such as 90s";
/// What [`bytes`] accepts, for error messages.
pub const SIZES: &str = "a number with a unit B, KiB, MiB, GiB, kB, MB or GB, such as 512MiB";

/// The longest duration that is accepted: a day.
pub const DURATION_MAX: Duration = Duration::from_secs(24 * 3600);

/// Units of size with their bytes.
pub(crate) const BYTE_UNITS: [(&str, f64); 7] = [
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("B", 1.0),
];

/// Units of time with their seconds.
pub(crate) const TIME_UNITS: [(&str, f64); 4] = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// Parses a duration from 1 ms to 24 h.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(pool_chaos::units::duration("ttl", "90s")?, Duration::from_secs(90));
/// assert!(pool_chaos::units::duration("ttl", "90").is_err());
/// # Ok::<(), pool_chaos::Refused>(())
/// ```
///
/// # Errors
/// [`Refused`], which names `path`.
pub fn duration(path: &str, text: &str) -> Result<Duration, Refused> {
    let refuse = |problem: &str| Refused::invalid(path, text, problem, DURATIONS);
    let seconds = number_with_unit(text, &TIME_UNITS).ok_or_else(|| refuse("not a duration"))?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| refuse("out of range"))?;
    if duration < Duration::from_millis(1) || duration > DURATION_MAX {
        return Err(refuse("out of range"));
    }
    Ok(duration)
}

/// Parses a size in bytes, at most 2^53 (9 PB).
///
/// ```
/// assert_eq!(pool_chaos::units::bytes("limit", "192MiB")?, 192 << 20);
/// assert!(pool_chaos::units::bytes("limit", "192M").is_err());
/// # Ok::<(), pool_chaos::Refused>(())
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
    fn bytes_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!(show_bytes(1023.0), "1023 B");
        assert_eq!(show_bytes(1536.0), "1.5 KiB");
        assert_eq!(show_bytes(-3.0 * 1_048_576.0), "-3.0 MiB");
    }
}
