//! From samples to the values of measures. Pure: a recording and a place in it give a value, or why there is
//! none.
//!
//! Rates are differences of counters over a window, never averages since the start.

use super::sample::{GetsReading, PoolReading, Recording, Sample, Trace};
use super::target::{LoadReading, Role};
use crate::expr::{Measure, Source, Value};
use crate::faults::FaultName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A place in a recording from which measures are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) recording: &'a Recording,
    /// Whose values these are.
    pub(super) role: Role,
    /// The look.
    pub(super) index: usize,
    /// Rates are counted over this long before it.
    pub(super) window: Duration,
    /// Levels of pools: of this one; of all together if `None`.
    pub(super) pool: Option<&'a str>,
    /// Whose hits count.
    pub(super) faults: &'a [FaultName],
    /// A capacity that was cut is collected by the pass after it, or by the next one where a slot was busy. So
    /// a check of idle bytes against capacity takes the larger capacity of this look and the one before.
    pub(super) capacity_lags: bool,
}

impl Source for Reader<'_> {
    fn subject(&self, measure: Measure) -> Result<Value, String> {
        match self.role {
            Role::Subject => self.read(&self.recording.subject, measure),
            Role::Control => self.control(measure),
        }
    }

    fn control(&self, measure: Measure) -> Result<Value, String> {
        let control = self.recording.control.as_ref().ok_or("there is no control run")?;
        self.read(control, measure)
    }
}

impl Reader<'_> {
    fn read(&self, trace: &Trace, measure: Measure) -> Result<Value, String> {
        let now = trace.samples.get(self.index).ok_or("there was no look")?;
        let number = match measure {
            Measure::Usage => usage(now)?,
            Measure::Limit => limit(now)?,
            Measure::Imbalance => self.pools(now, |p| p.imbalance as f64)?,
            Measure::DoubleHandout => self.pools(now, |p| p.double_handout as f64)?,
            Measure::IdleBytes => self.pools(now, |p| p.idle_bytes as f64)?,
            Measure::CapacityBytes => self.capacity(trace, now)?,
            Measure::LostEstimate => self.pools(now, |p| p.lost_estimate as f64)?,
            Measure::Hits => self.hits(trace, now)?,
            Measure::SitesNamed => return sites_named(now),
            Measure::SitesInjected => return sites_injected(now),
            Measure::HitRatio => self.hit_ratio(trace, now)?,
            Measure::ErrorRatio => self.error_ratio(trace, now)?,
            Measure::Shed => {
                let (before, after) = self.load(trace, now)?;
                after.shed.saturating_sub(before.shed) as f64
            }
            Measure::RequestP99 => self.request_p99(trace, now)?,
            Measure::GrowthAfterDisarmBytes => self.growth(trace)?,
            Measure::KnobReversals => self.reversals(trace, now)?,
        };
        Ok(Value::Number(number))
    }

    fn pools(&self, sample: &Sample, figure: impl Fn(&PoolReading) -> f64) -> Result<f64, String> {
        let pools = sample.pools.as_ref().ok_or("there was no consistent snapshot")?;
        match self.pool {
            None => Ok(pools.values().map(figure).sum()),
            Some(name) => pools.get(name).map(figure).ok_or_else(|| format!("the pool {name} was not there")),
        }
    }

    fn capacity(&self, trace: &Trace, now: &Sample) -> Result<f64, String> {
        let capacity = |sample: &Sample| self.pools(sample, |p| p.capacity_bytes as f64);
        let before = self.index.checked_sub(1).filter(|_| self.capacity_lags);
        let before = before.and_then(|i| capacity(&trace.samples[i]).ok()).unwrap_or(0.0);
        Ok(capacity(now)?.max(before))
    }

    /// The sample that the window begins with: the newest one that is a window old and has what is wanted.
    fn window_start<'t, T>(
        &self,
        trace: &'t Trace,
        now: &Sample,
        part: impl Fn(&'t Sample) -> Option<T>,
    ) -> Result<T, String> {
        let from = now.at.checked_sub(self.window).ok_or("the window is not full yet")?;
        let last = trace.index_at(from).ok_or("the window is not full yet")?;
        trace.samples[..=last]
            .iter()
            .rev()
            .find_map(part)
            .ok_or_else(|| "nothing was read a window ago".to_owned())
    }

    fn load<'t>(
        &self,
        trace: &'t Trace,
        now: &'t Sample,
    ) -> Result<(&'t LoadReading, &'t LoadReading), String> {
        let after = now.load.as_ref().ok_or("nobody measures the load")?;
        Ok((self.window_start(trace, now, |s| s.load.as_ref())?, after))
    }

    fn hits(&self, trace: &Trace, now: &Sample) -> Result<f64, String> {
        let total = |sample: &Sample| {
            let faults = sample.faults.as_ref()?;
            Some(self.faults.iter().map(|f| faults.hits_total.get(f).copied().unwrap_or(0)).sum::<u64>())
        };
        let after = total(now).ok_or("the faults were not read")?;
        let before = trace.samples.iter().find_map(total).unwrap_or(0);
        Ok(after.saturating_sub(before) as f64)
    }

    fn hit_ratio(&self, trace: &Trace, now: &Sample) -> Result<f64, String> {
        let gets = |sample: &Sample| {
            let pools = sample.pools.as_ref()?;
            let of_pool = |p: &PoolReading| p.gets_total;
            let all = pools.values().map(of_pool);
            Some(all.fold(GetsReading::default(), |a, b| GetsReading {
                hit: a.hit + b.hit,
                refill: a.refill + b.refill,
                created: a.created + b.created,
            }))
        };
        let after = gets(now).ok_or("there was no consistent snapshot")?;
        let before = self.window_start(trace, now, gets)?;
        let reused = (after.hit + after.refill).saturating_sub(before.hit + before.refill);
        let created = after.created.saturating_sub(before.created);
        if reused + created == 0 {
            return Err("there was no get in the window".to_owned());
        }
        Ok(reused as f64 / (reused + created) as f64)
    }

    fn error_ratio(&self, trace: &Trace, now: &Sample) -> Result<f64, String> {
        let (before, after) = self.load(trace, now)?;
        let failed = |l: &LoadReading| l.errors + l.timeouts;
        match after.offered.saturating_sub(before.offered) {
            0 => Err("there was no request in the window".to_owned()),
            offered => Ok(failed(after).saturating_sub(failed(before)) as f64 / offered as f64),
        }
    }

    fn request_p99(&self, trace: &Trace, now: &Sample) -> Result<f64, String> {
        let (before, after) = self.load(trace, now)?;
        quantile_us(&before.delays_us, &after.delays_us, 0.99)
            .map(|us| us as f64 / 1e6)
            .ok_or_else(|| "no request was completed in the window".to_owned())
    }

    /// Least bytes lent in the window, minus the least in the first window after the fault: requests come and
    /// go above the floor, and what is lost raises it.
    fn growth(&self, trace: &Trace) -> Result<f64, String> {
        let disarmed = self.recording.disarmed_at.ok_or("the fault has not ended")?;
        let now = self.recording.time(self.index);
        if now < disarmed + 2 * self.window {
            return Err("two windows after the fault are not over yet".to_owned());
        }
        let floor = |from: Duration, to: Duration| {
            let inside = trace.samples.iter().filter(|s| s.at >= from && s.at <= to);
            inside.filter_map(|s| s.memory.as_ref()).map(|m| m.pools_lent_bytes).min()
        };
        match (floor(disarmed, disarmed + self.window), floor(now.saturating_sub(self.window), now)) {
            (Some(first), Some(last)) => Ok(last as f64 - first as f64),
            _ => Err("the memory was not read".to_owned()),
        }
    }

    fn reversals(&self, trace: &Trace, now: &Sample) -> Result<f64, String> {
        let disarmed = self.recording.disarmed_at.ok_or("the fault has not ended")?;
        let reversals = |s: &Sample| s.memory.as_ref().map(|m| m.knob_reversals);
        let after = reversals(now).ok_or("the memory was not read")?;
        let last = trace.index_at(disarmed).ok_or("there was no look before")?;
        let before =
            trace.samples[..=last].iter().rev().find_map(reversals).ok_or("the memory was not read")?;
        Ok(after.saturating_sub(before) as f64)
    }
}

fn usage(sample: &Sample) -> Result<f64, String> {
    let memory = sample.memory.as_ref().ok_or("the memory was not read")?;
    match memory.usage_bytes {
        Some(usage) if memory.valid => Ok(usage as f64),
        _ => Err("the usage was not valid".to_owned()),
    }
}

fn limit(sample: &Sample) -> Result<f64, String> {
    let memory = sample.memory.as_ref().ok_or("the memory was not read")?;
    memory.limit_bytes.map(|limit| limit as f64).ok_or_else(|| "there is no limit".to_owned())
}

fn sites_named(sample: &Sample) -> Result<Value, String> {
    let pools = sample.pools.as_ref().ok_or("there was no consistent snapshot")?;
    let suspects = pools.values().flat_map(|pool| &pool.suspects).filter(|suspect| suspect.count > 0);
    Ok(Value::Sites(suspects.map(|suspect| suspect.site.clone()).collect()))
}

fn sites_injected(sample: &Sample) -> Result<Value, String> {
    let faults = sample.faults.as_ref().ok_or("the faults were not read")?;
    Ok(Value::Sites(faults.sites_injected.values().flatten().cloned().collect::<BTreeSet<_>>()))
}

/// The quantile of what is in `after` and not in `before`.
pub(super) fn quantile_us(before: &BTreeMap<u64, u64>, after: &BTreeMap<u64, u64>, q: f64) -> Option<u64> {
    let new = |(us, count): (&u64, &u64)| (*us, count.saturating_sub(before.get(us).copied().unwrap_or(0)));
    let window: Vec<(u64, u64)> = after.iter().map(new).collect();
    let total: u64 = window.iter().map(|(_, count)| count).sum();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rank = ((total as f64 * q).ceil() as u64).max(1);
    let mut seen = 0;
    window.into_iter().find_map(|(us, count)| {
        seen += count;
        (seen >= rank && count > 0).then_some(us)
    })
}

/// How much of the limit a balloon has filled by itself: usage when it was armed, and what it holds. Not usage
/// now, because a pool that makes room as it should would look like a balloon that never came.
pub(super) fn balloon_ratio(sample: &Sample) -> Option<f64> {
    let armed = &sample.faults.as_ref()?.armed;
    let (fault, balloon) = armed.iter().find_map(|fault| Some((fault, fault.balloon?)))?;
    Some((balloon.usage_at_arming_bytes + fault.held_bytes) as f64 / balloon.limit_bytes as f64)
}
