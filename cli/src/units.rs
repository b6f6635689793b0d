//! Sizes, durations and shares as people write them on a command line, and bytes as people read them.
//!
//! Nothing is guessed: what does not parse is refused together with what would have been accepted.

use std::time::Duration;

/// What [`size`] accepts.
const SIZES: &str =
    "a size is a whole number of bytes or has a unit KiB, MiB, GiB (or K, M, G), such as 192MiB";
/// What [`duration`] accepts.
const DURATIONS: &str = "a duration has a unit ms, s, m or h, such as 60s or 2m";

/// Units of size. `M` means what it means to container tools: 2^20.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
];

const DURATION_UNITS_MS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

/// The longest duration that is accepted: a day.
const DURATION_MS_MAX: u64 = 24 * 3_600_000;

/// Parses a size in bytes: `192MiB`, `192M`, `201326592`.
///
/// # Errors
/// A sentence that names the value and what is accepted.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor = SIZE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let (Ok(number), Some(factor)) = (number.parse::<u64>(), factor) else {
        return Err(format!("not a size; {SIZES}"));
    };
    number.checked_mul(factor).ok_or_else(|| format!("too large; {SIZES}"))
}

/// Parses a duration of 1 ms to 24 h: `500ms`, `60s`, `2m`.
///
/// # Errors
/// A sentence that names the value and what is accepted.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let factor = DURATION_UNITS_MS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let (Ok(number), Some(factor)) = (number.parse::<u64>(), factor) else {
        return Err(format!("not a duration; {DURATIONS}"));
    };
    match number.checked_mul(factor) {
        Some(ms @ 1..=DURATION_MS_MAX) => Ok(Duration::from_millis(ms)),
        _ => Err(format!("out of range, allowed are 1ms to 24h; {DURATIONS}")),
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Bytes in MiB with one decimal: `153.4 MiB`.
pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// A size that [`size`] reads back, in the largest unit that loses nothing: `192MiB`.
pub(crate) fn exact_size(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes > 0 && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_the_units_of_container_tools() {
        assert_eq!(size("192MiB"), Ok(192 << 20));
        assert_eq!(size("192M"), Ok(192 << 20));
        assert_eq!(size("201326592"), Ok(192 << 20));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        assert_eq!(size("512K"), Ok(512 << 10));
        assert_eq!(size("7B"), Ok(7));
    }

    #[test]
    fn a_size_that_does_not_parse_is_refused_with_what_is_accepted() {
        for bad in ["", "MiB", "192mib", "192 MiB", "-1MiB", "1.5GiB", "192MB", "0x10"] {
            let e = size(bad).unwrap_err();
            assert!(e.contains("not a size") && e.contains("192MiB"), "{bad}: {e}");
        }
        assert!(size("99999999999999GiB").unwrap_err().starts_with("too large"));
    }

    #[test]
    fn durations_need_a_unit_and_a_range() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        for bad in ["", "60", "s", "-1s", "1.5m", "60 s", "1d"] {
            assert!(duration(bad).unwrap_err().contains("not a duration"), "{bad}");
        }
        for bad in ["0s", "25h", "18446744073709551615h"] {
            assert!(duration(bad).unwrap_err().contains("1ms to 24h"), "{bad}");
        }
    }

    #[test]
    fn an_exact_size_reads_back() {
        for bytes in [1, 1000, 192 << 20, 3 << 30, (192 << 20) + 1024] {
            assert_eq!(size(&exact_size(bytes)), Ok(bytes));
        }
        assert_eq!(exact_size(192 << 20), "192MiB");
    }
}
