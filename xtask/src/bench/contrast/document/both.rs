//! Speed and memory together: who is beaten by nobody in both.
//!
//! Without pools one has the choice of the two: what is freed at once is there again for the next, and paid for each time.

use super::{figures, limit, median, name};
use anyhow::Result;
use serde_json::Value;

/// The rows such that no other one answers as much or more under as small a limit or a smaller one, the fastest first.
pub(super) fn unbeaten(rows: &[&Value]) -> Result<String> {
    let all = rows.iter().map(|row| Both::of(row)).collect::<Result<Vec<_>>>()?;
    let mut best: Vec<_> = all.iter().filter(|one| !all.iter().any(|other| other.beats(one))).collect();
    best.sort_by(|a, b| b.requests_per_s.total_cmp(&a.requests_per_s));
    let shown: Vec<_> = best
        .into_iter()
        .map(|Both { name, requests_per_s, limit, .. }| format!("{name} ({requests_per_s:.0}, {limit} MiB)"))
        .collect();
    Ok(format!("requests per second and that limit, who is beaten by nobody in both: {}", shown.join(", ")))
}

struct Both {
    name: String,
    requests_per_s: f64,
    /// `None`: more than was tried.
    serves_mib: Option<u64>,
    /// The same in words.
    limit: String,
}

impl Both {
    fn of(row: &Value) -> Result<Self> {
        let requests_per_s = median(&figures(row, "requests_per_s")?)?;
        let serves = &row["serves"];
        Ok(Self {
            name: name(row)?,
            requests_per_s,
            serves_mib: serves["mib"].as_u64(),
            limit: limit(serves)?,
        })
    }

    fn beats(&self, other: &Self) -> bool {
        let limit = |of: &Self| of.serves_mib.unwrap_or(u64::MAX);
        let (speed, room) =
            (self.requests_per_s.total_cmp(&other.requests_per_s), limit(other).cmp(&limit(self)));
        speed.is_ge() && room.is_ge() && (speed.is_gt() || room.is_gt())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::*;

    #[test]
    fn who_is_slower_and_needs_more_is_beaten() {
        let one = |name, requests, limit| row(name, [requests; 3], [1.0; 3], limit);
        let [fast, small, both, slow, alike, none] = [
            one("fast", 100.0, Some(200)),
            one("small", 50.0, Some(80)),
            one("both", 99.0, Some(90)),
            one("slow", 98.0, Some(90)),
            one("alike", 99.0, Some(90)),
            one("none", 100.0, None),
        ];
        let said = unbeaten(&[&small, &slow, &both, &none, &alike, &fast]).unwrap();
        let (_, who) = said.split_once(": ").unwrap();
        assert_eq!(who, "fast (100, 200 MiB), both (99, 90 MiB), alike (99, 90 MiB), small (50, 80 MiB)");
    }
}
