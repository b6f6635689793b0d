//! The leak watch: leases that never come back, seen in the number of lent objects alone.
//!
//! Lent objects come and go, but the *floor* of their number over ten seconds does not rise by itself: leases
//! that are held for long are in it from the start, short ones are below it. A floor that rises over
//! consecutive windows, and not because there are more gets, means that leases are lost. The watch then asks
//! that every lease be recorded until a site is known, and for a while longer, since there may be others.
//!
//! What is lost is estimated as the floor now minus the floor when the rise began. The floor of ten seconds
//! lags behind a running leak by as much; so each second's own floor is brought forward at the rate of the leak,
//! and the lowest but one of them counts. Lost leases stay lent in every account: they are nobody's budget. This module
//! sets no capacity and knows no site, only how many there are.

use super::reason::Reason;
use super::{Inputs, LeaseWish, PerPool, Plan, PoolInputs};
use std::collections::VecDeque;
use std::ops::Deref;
use std::time::Duration;

/// Seconds of one window.
const WINDOW_S: usize = 10;
/// Seconds of one long window: demand that comes and goes more slowly hides a leak from the short ones.
const LONG_WINDOW_S: usize = 30;
/// Seconds that are remembered: three long windows.
const SECONDS_MAX: usize = 3 * LONG_WINDOW_S;
/// Rises in a row that make a suspicion when each is clear.
const CLEAR_RISES: usize = 2;
/// Rises in a row that make a suspicion however small they are: by chance alone seven floors stand in rising
/// order once in 5040.
const ANY_RISES: usize = 6;
/// Seconds without a rise after which the leak counts as stopped.
const STOPPED_AFTER_S: u32 = 20;
/// Seconds for which all leases are recorded after the last new site.
const RECORD_ON_S: u32 = 10;

/// What the watch says of one pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Leases seem to be getting lost now.
    pub leaking: bool,
    /// Leases that seem to be lost, since the leak began.
    pub lost_estimate: u64,
    /// A change that is wanted in how many leases are recorded.
    pub wish: Option<LeaseWish>,
}

/// Follows all pools.
#[derive(Clone, Debug, Default)]
pub struct LeakWatch {
    pools: PerPool<PoolWatch>,
}

impl LeakWatch {
    /// A leak that does not hide behind the demand is suspected after this long: it is then that every lease begins to
    /// be recorded, to find its place.
    pub const SUSPECTS_AFTER: Duration = Duration::from_secs((CLEAR_RISES * WINDOW_S) as u64);

    /// Looks at every pool and adds to `plan` what follows. `plan.pools` must be those of `inputs`, in order.
    pub fn amend(&mut self, now: Duration, inputs: &Inputs, plan: &mut Plan) {
        self.pools.align(inputs.pools.iter().map(|pool| &pool.name), |_| PoolWatch::default());
        let watches = self.pools.values_mut();
        for ((pool, plan_of_pool), watch) in inputs.pools.iter().zip(&mut plan.pools).zip(watches) {
            let was_leaking = watch.leaking;
            let verdict = watch.look(now, pool);
            plan_of_pool.lost_estimate = verdict.lost_estimate;
            plan_of_pool.leases = verdict.wish;
            let name = || pool.name.as_str().to_owned();
            if verdict.leaking && !was_leaking {
                plan.reasons.push(Reason::LeakSuspected { pool: name(), lost: verdict.lost_estimate });
            }
            plan.reasons.extend(verdict.wish.map(|wish| match wish {
                LeaseWish::All => Reason::LeasesRaised { pool: name() },
                LeaseWish::AsBefore => Reason::LeasesLowered { pool: name() },
            }));
        }
    }
}

/// One second of a pool.
#[derive(Clone, Copy, Debug)]
struct Second {
    lent_min: u64,
    gets: u64,
}

/// Follows one pool.
#[derive(Clone, Debug, Default)]
struct PoolWatch {
    /// Complete seconds, the newest last.
    seconds: VecDeque<Second>,
    /// How many of the newest seconds follow each other without a rise.
    falling: usize,
    current: Option<Current>,
    leaking: bool,
    /// The floor when the rise began; kept after the leak stopped, until what was lost has come back.
    base: Option<u64>,
    quiet_s: u32,
    recording: bool,
    /// All leases have been recorded for this leak.
    searched: bool,
    sites_known: u64,
    since_site_s: u32,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    second: u64,
    lent_min: u64,
    gets_at_start: u64,
}

/// Floor and gets of one window.
#[derive(Clone, Copy, Debug)]
struct Window {
    floor: u64,
    /// In its calmest second: where the floor is.
    gets_per_s: u64,
}

/// Windows of one length, the newest first; no allocation, since there are some for each pool and second.
struct Windows {
    all: [Window; WINDOWS_MAX],
    count: usize,
}

const WINDOWS_MAX: usize = SECONDS_MAX / WINDOW_S;

impl Deref for Windows {
    type Target = [Window];
    fn deref(&self) -> &[Window] {
        &self.all[..self.count]
    }
}

impl PoolWatch {
    fn look(&mut self, now: Duration, pool: &PoolInputs) -> Verdict {
        let (second, lent) = (now.as_secs(), pool.lent_objects);
        let mut wish = None;
        match &mut self.current {
            Some(current) if current.second == second => current.lent_min = current.lent_min.min(lent),
            other => {
                let fresh = Current { second, lent_min: lent, gets_at_start: pool.gets_total };
                if let Some(done) = other.replace(fresh) {
                    let gets = pool.gets_total.saturating_sub(done.gets_at_start);
                    self.complete(Second { lent_min: done.lent_min, gets });
                    wish = self.recording_wish(pool.suspect_sites);
                }
            }
        }
        Verdict { leaking: self.leaking, lost_estimate: self.lost_estimate(now, lent), wish }
    }

    fn complete(&mut self, second: Second) {
        let has_risen = self.seconds.back().is_some_and(|last| second.lent_min > last.lent_min);
        self.falling = if has_risen { 1 } else { self.falling.saturating_add(1) };
        if self.seconds.len() == SECONDS_MAX {
            self.seconds.pop_front();
        }
        if self.seconds.capacity() == 0 {
            // At once, and not bit by bit: it would end with room for half as many again.
            self.seconds.reserve_exact(SECONDS_MAX);
        }
        self.seconds.push_back(second);
        if self.is_calm() {
            self.quiet_s = self.quiet_s.saturating_add(1);
            return;
        }
        let windows = self.windows(WINDOW_S);
        let (clear, began) = self.clear_rises(WINDOW_S);
        let (clear_long, began_long) = self.clear_rises(LONG_WINDOW_S);
        let any = windows.windows(2).take_while(|pair| rises(pair[1], pair[0])).count();
        let still = clear > 0 || clear_long >= CLEAR_RISES || any >= ANY_RISES;
        self.quiet_s = if still { 0 } else { self.quiet_s.saturating_add(1) };
        let suspicion = [
            (clear >= CLEAR_RISES).then_some(began),
            (clear_long >= CLEAR_RISES).then_some(began_long),
            (any >= ANY_RISES).then(|| windows[any].floor),
        ];
        if let Some(began) = suspicion.into_iter().flatten().next().filter(|_| !self.leaking) {
            self.leaking = true;
            self.base = Some(self.base.map_or(began, |base| base.min(began)));
        } else if self.leaking && self.quiet_s >= STOPPED_AFTER_S {
            self.leaking = false;
        }
        let floor = windows.first().map_or(0, |window| window.floor);
        // Everything came back after all.
        if !self.leaking && self.base.is_some_and(|base| floor < base + clearly(base)) {
            self.base = None;
        }
    }

    /// Most pools, most of the time: no leak is suspected, and no window of any length can have risen over the one
    /// before, since in both of them together no second has.
    fn is_calm(&self) -> bool {
        !self.leaking && self.base.is_none() && self.falling >= self.seconds.len().min(2 * LONG_WINDOW_S)
    }

    /// How many times in a row the floor of windows of this length has clearly risen up to now, and what it was
    /// before. A step of demand that falls into a window makes two rises as well, but is flat after that: so the
    /// newest window must have risen within itself, by a fair part of its rise over the one before.
    fn clear_rises(&self, length_s: usize) -> (usize, u64) {
        let windows = self.windows(length_s);
        let [newest, before, ..] = &*windows else { return (0, 0) };
        let recent = || self.seconds.iter().rev().take(length_s).map(|s| s.lent_min);
        let late = recent().take(length_s / 2).min().unwrap_or(0);
        let early = recent().skip(length_s / 2).min().unwrap_or(0);
        if late < early + newest.floor.saturating_sub(before.floor) / 4 {
            return (0, 0);
        }
        let rises = windows.windows(2).take_while(|pair| rises_clearly(pair[1], pair[0])).count();
        (rises, windows[rises].floor)
    }

    /// Consecutive windows of this length that end now, the newest first.
    fn windows(&self, length_s: usize) -> Windows {
        let count = self.seconds.len() / length_s;
        let mut all = [Window { floor: u64::MAX, gets_per_s: u64::MAX }; WINDOWS_MAX];
        for (n, second) in self.seconds.iter().rev().take(count * length_s).enumerate() {
            let window = &mut all[n / length_s];
            window.floor = window.floor.min(second.lent_min);
            window.gets_per_s = window.gets_per_s.min(second.gets);
        }
        Windows { all, count }
    }

    fn lost_estimate(&self, now: Duration, lent_now: u64) -> u64 {
        let Some(base) = self.base else { return 0 };
        let windows = self.windows(WINDOW_S);
        let per_second = |newest: Window, then: Window, windows: f64| {
            newest.floor.saturating_sub(then.floor) as f64 / (WINDOW_S as f64 * windows)
        };
        // Over two windows, since what is lost within one varies by chance.
        let rate = match (self.leaking, &*windows) {
            (true, [newest, _, then, ..]) => per_second(*newest, *then, 2.0),
            (true, [newest, then]) => per_second(*newest, *then, 1.0),
            _ => 0.0,
        };
        let into_current = f64::from(now.subsec_millis()) / 1000.0;
        // Since the leak stopped, every second says the same: the calm ones between busy ones say it best.
        let look_back_s = WINDOW_S.max(usize::try_from(self.quiet_s).unwrap_or(usize::MAX));
        let recent = self.seconds.iter().rev().take(look_back_s).zip(0_u32..);
        // The middle of a second stands for it.
        let age = |n: u32| into_current + f64::from(n) + 0.5;
        let mut forward: Vec<f64> = recent.map(|(s, n)| s.lent_min as f64 + rate * age(n)).collect();
        forward.sort_by(f64::total_cmp);
        // The second lowest: the lowest of ten that vary by chance is lower than a floor.
        let floor = forward.get(1).copied().unwrap_or(lent_now as f64).min(lent_now as f64);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of objects")]
        let floor = floor.round() as u64;
        floor.saturating_sub(base)
    }

    /// Once a second: whether to record more or fewer leases than now.
    fn recording_wish(&mut self, sites: u64) -> Option<LeaseWish> {
        self.since_site_s = if sites > self.sites_known { 0 } else { self.since_site_s.saturating_add(1) };
        self.sites_known = sites;
        if !self.leaking {
            self.searched = false;
        }
        if !self.recording {
            // Once a leak, and although a site is known: a leak has as many sites as it likes.
            self.recording = self.leaking && !self.searched;
            if self.recording {
                (self.searched, self.since_site_s) = (true, 0);
            }
            return self.recording.then_some(LeaseWish::All);
        }
        let known = sites > 0 && self.since_site_s >= RECORD_ON_S;
        if known || (!self.leaking && self.base.is_none()) {
            self.recording = false;
            return Some(LeaseWish::AsBefore);
        }
        None
    }
}

/// A floor that stands out of the chance by which floors differ.
fn clearly(floor: u64) -> u64 {
    4 + floor.isqrt()
}

fn rises(from: Window, to: Window) -> bool {
    to.floor > from.floor && !explained_by_gets(from, to)
}

fn rises_clearly(from: Window, to: Window) -> bool {
    to.floor >= from.floor + clearly(from.floor) && !explained_by_gets(from, to)
}

/// Twice the gets explain twice the floor, and a quarter more.
fn explained_by_gets(from: Window, to: Window) -> bool {
    let more_gets = to.gets_per_s as f64 / from.gets_per_s.max(1) as f64;
    more_gets > 1.05 && to.floor as f64 <= from.floor.max(1) as f64 * more_gets * 1.25
}

#[cfg(test)]
#[path = "leak_tests.rs"]
mod tests;
