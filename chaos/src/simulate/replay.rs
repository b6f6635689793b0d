//! Policies through what was recorded: what each would have done with that demand, those others, and that limit or another.

use super::best::best_fixed;
use super::compare::{FIXED_BEST, UnknownPolicy, policy_names};
use super::optimum::optimum_ns;
use super::recorded::{Recorded, Unfit};
use super::report::table;
use super::run::{Outcome, run};
use super::world::World as _;
use crate::record::Record;
use pool_controller::decide::policy_by_name;
use serde::Serialize;
use std::fmt;

/// For records up to so many seconds the optimum is computed: for longer ones it takes too long.
const OPTIMUM_S_MAX: f64 = 900.0;

/// What became of policies in a recorded service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// Seconds of the record.
    pub seconds: f64,
    /// Its moments.
    pub moments: usize,
    /// The limit that was asked for, bytes; `None`: the recorded one.
    pub limit_bytes: Option<u64>,
    /// What the service itself did.
    pub recorded: ReplayRow,
    /// One row a policy, in the order in which they were asked for.
    pub rows: Vec<ReplayRow>,
    /// What a reader should know of the record.
    pub notes: Vec<String>,
}

/// One policy in a recorded service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplayRow {
    /// The policy's name.
    pub policy: String,
    /// What reuse saved, as a share of what could be saved; `None` for what was recorded, and where the record is too
    /// long to say.
    pub hits_vs_oracle: Option<f64>,
    /// The share of gets that reused an object; `None` without any.
    pub hit_ratio: Option<f64>,
    /// Seconds with usage above .90 of the limit.
    pub seconds_over_090: f64,
    /// Highest usage, as a share of the limit of that moment.
    pub peak: f64,
    /// Highest usage, bytes.
    pub peak_bytes: u64,
    /// How often the most restless capacity turned around, per minute; `None` for what was recorded.
    pub reversals_per_min: Option<f64>,
    /// From the moment at which others took more of the limit than they usually do until something was done about it;
    /// `None` without such a moment, or if nothing was done.
    pub first_action_ms: Option<u64>,
    /// From the end of that until nine tenths of the capacity before were back, or until the record ended.
    pub recovery_s: Option<f64>,
    /// 1 if the kernel killed it, or would have. A replay ends there.
    pub oom: u8,
}

/// Why there is no replay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// A name that is no policy.
    Policy(UnknownPolicy),
    /// The record has fewer than two moments, or never a limit and a usage that could be read.
    TooLittle,
    /// It has figures that no service has, or more moments and pools than can be replayed: which.
    Beyond(String),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(unknown) => unknown.fmt(f),
            Self::Beyond(problem) => write!(f, "the record cannot be replayed: {problem}"),
            Self::TooLittle => f.write_str(
                "there is too little in the record to replay: it needs two moments that are apart, and a limit and a usage \
                 that could be read",
            ),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Runs each policy through a record, under its own limit or another one, which kills. A recorded limit kills if it was
/// real; at a simulated one, and at what a machine has, nothing was killed and nothing is.
///
/// A second of the record takes some hundred microseconds a pool with optimised code, the optimum and [`FIXED_BEST`] thirty
/// times as long.
///
/// # Errors
/// [`ReplayError`] before anything runs.
///
/// ```
/// use pool_chaos::record::Record;
/// use pool_chaos::simulate::replay;
/// let record = Record::parse(include_bytes!("../../tests/records/demo.record"))?;
/// let replay = replay(&record, &["tide".to_owned()], Some(160 << 20), 1)?;
/// assert_eq!((replay.rows[0].policy.as_str(), replay.rows[0].oom), ("tide", 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn replay(
    record: &Record,
    policies: &[String],
    limit_bytes: Option<u64>,
    seed: u64,
) -> Result<Replay, ReplayError> {
    if let Some(unknown) = policies.iter().find(|name| policy_names().all(|known| known != **name)) {
        return Err(ReplayError::Policy(UnknownPolicy(unknown.clone())));
    }
    let recorded = Recorded::of(record).map_err(|unfit| match unfit {
        Unfit::TooLittle => ReplayError::TooLittle,
        Unfit::Beyond(problem) => ReplayError::Beyond(problem),
    })?;
    let world = limit_bytes.map_or_else(|| recorded.clone(), |limit| recorded.under(limit));
    let optimum_ns = (world.seconds() <= OPTIMUM_S_MAX).then(|| optimum_ns(&world, &world.demand));
    let outcome = |policy: &str| {
        if policy == FIXED_BEST {
            return best_fixed(&world, &world.demand, seed).outcome;
        }
        run(&world, &world.demand, seed, || policy_by_name(policy).expect("checked above"))
    };
    let rows = policies.iter().map(|policy| row(policy, &outcome(policy), optimum_ns));
    Ok(Replay {
        seconds: rounded(world.seconds(), 2),
        moments: recorded.facts.moments,
        limit_bytes,
        recorded: recorded_row(&recorded),
        rows: rows.collect(),
        notes: notes(record, &world),
    })
}

fn recorded_row(recorded: &Recorded) -> ReplayRow {
    let facts = &recorded.facts;
    ReplayRow {
        policy: format!("recorded ({})", facts.policy),
        hits_vs_oracle: None,
        hit_ratio: facts.hit_ratio.map(|ratio| rounded(ratio, 4)),
        seconds_over_090: rounded(facts.seconds_over_090, 2),
        peak: rounded(facts.peak, 4),
        peak_bytes: facts.peak_bytes,
        reversals_per_min: None,
        first_action_ms: None,
        recovery_s: None,
        oom: u8::from(facts.oom > 0),
    }
}

fn row(policy: &str, outcome: &Outcome, optimum_ns: Option<f64>) -> ReplayRow {
    let measure = &outcome.measure;
    let (gets, created) = outcome.gets;
    let share = |optimum: f64| if optimum > 0.0 { outcome.saved_ns / optimum } else { 1.0 };
    ReplayRow {
        policy: policy.to_owned(),
        hits_vs_oracle: optimum_ns.map(|optimum| rounded(share(optimum), 4)),
        hit_ratio: (gets > 0).then(|| rounded(1.0 - created as f64 / gets as f64, 4)),
        seconds_over_090: rounded(measure.seconds_over_090, 2),
        peak: rounded(measure.peak, 4),
        peak_bytes: measure.peak_bytes,
        reversals_per_min: Some(rounded(measure.reversals_per_min(), 2)),
        first_action_ms: measure.first_action_ms,
        recovery_s: measure.recovery_s.map(|s| rounded(s, 2)),
        oom: u8::from(outcome.is_killed),
    }
}

fn notes(record: &Record, world: &Recorded) -> Vec<String> {
    let mut notes = record.notes.clone();
    let unmeasured: Vec<_> =
        world.starts().into_iter().filter(|start| !start.is_measured).map(|start| start.name).collect();
    if !unmeasured.is_empty() {
        notes.push(format!(
            "what a reuse saves is not known yet in {} (sampling.timing): each counts 1 µs there",
            unmeasured.join(", ")
        ));
    }
    if world.facts.unreadable > 0.0 {
        let percent = 100.0 * world.facts.unreadable;
        notes.push(format!(
            "limit or usage could not be read at {percent:.1} % of the moments; the last that could stand in"
        ));
    }
    if world.seconds() > OPTIMUM_S_MAX {
        notes.push(format!("the optimum is computed for records up to {OPTIMUM_S_MAX} s"));
    }
    notes
}

fn rounded(value: f64, digits: i32) -> f64 {
    (value * 10_f64.powi(digits)).round() / 10_f64.powi(digits)
}

impl Replay {
    /// One JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("names and numbers")
    }

    /// A table for a terminal: what was recorded, and a line a policy; then the notes.
    #[must_use]
    pub fn table(&self) -> String {
        let head = [
            "policy",
            "of optimum",
            "hit ratio",
            "s > .90",
            "peak",
            "peak MiB",
            "turns/min",
            "action ms",
            "recovery s",
            "killed",
        ];
        let mut lines = vec![head.map(str::to_owned)];
        lines.extend(std::iter::once(&self.recorded).chain(&self.rows).map(cells));
        let notes = self.notes.iter().map(|note| format!("note: {note}\n"));
        table(&lines, 1) + &notes.collect::<String>()
    }
}

fn cells(row: &ReplayRow) -> [String; 10] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "—".to_owned());
    [
        row.policy.clone(),
        or_dash(row.hits_vs_oracle.map(|share| format!("{share:.3}"))),
        or_dash(row.hit_ratio.map(|share| format!("{share:.3}"))),
        format!("{:.1}", row.seconds_over_090),
        format!("{:.3}", row.peak),
        format!("{:.1}", row.peak_bytes as f64 / f64::from(1 << 20)),
        or_dash(row.reversals_per_min.map(|turns| format!("{turns:.2}"))),
        or_dash(row.first_action_ms.map(|ms| ms.to_string())),
        or_dash(row.recovery_s.map(|s| format!("{s:.1}"))),
        if row.oom == 0 { "no".to_owned() } else { "yes".to_owned() },
    ]
}
