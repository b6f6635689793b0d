//! Records: what a live service saw, moment by moment, in a file of text that is small and outlives its writer.
//!
//! ```text
//! {"format":"ebbpool-record","version":1,"program":"…","policy":"tide",…,"pools":["http.body"],"figures":[…],…}
//! 12750,51,146800640,?,…;52,3,196608;2:7        one moment: what changed since the one before
//! 250,1,-4096;8,,,1
//! {"policy":"fixed",…}                          when policy, mode, source, group or pools have changed
//! ```
//!
//! The first line says what the file is and what its figures are. A line of a moment has the figures of the process, then
//! of each pool after a `;`, as whole numbers and as differences from the moment before: nothing for no difference, `?` for
//! a figure that could not be read, and nothing at all after the last difference. A pool whose figures did not change is
//! left out, and the next one begins with its number (`2:`). Shares are millionths. A pool that is named anew begins with
//! nothing, whatever it had before it went.
//!
//! A line is written as its moment arrives, whole. A file that ends in the middle of a line is one whose writer died: the
//! rest counts. It does not know who writes or reads it, nor what a figure is good for.

mod figures;
mod read;
mod write;

pub use read::{Record, RecordError};
pub use write::Recorder;

use pool_controller::Moment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a file says that it is.
const FORMAT: &str = "ebbpool-record";
/// The version that this build writes, and reads.
const VERSION: u64 = 1;

/// What does not change from moment to moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The policy that steered.
    pub policy: String,
    /// The mode in force.
    pub mode: String,
    /// Where limit and usage were read.
    pub source: String,
    /// `real`, `simulated` or `none`.
    pub limit_kind: String,
    /// Which cgroup was the tightest.
    pub level: String,
    /// The pools, in the order of their figures.
    pub pools: Vec<String>,
}

impl Context {
    fn of(moment: &Moment) -> Self {
        Self {
            policy: moment.policy.clone(),
            mode: moment.mode.clone(),
            source: moment.source.clone(),
            limit_kind: moment.limit_kind.clone(),
            level: moment.inputs.level.clone(),
            pools: moment.inputs.pools.iter().map(|pool| pool.name.as_str().to_owned()).collect(),
        }
    }

    fn is_of(&self, moment: &Moment) -> bool {
        let inputs = &moment.inputs;
        let said = [&self.policy, &self.mode, &self.source, &self.limit_kind, &self.level];
        said == [&moment.policy, &moment.mode, &moment.source, &moment.limit_kind, &inputs.level]
            && self.pools.len() == inputs.pools.len()
            && self.pools.iter().zip(&inputs.pools).all(|(name, pool)| *name == *pool.name)
    }
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    version: u64,
    program: String,
    #[serde(flatten)]
    context: Context,
    figures: Vec<String>,
    pool_figures: Vec<String>,
}

/// A figure as it stands in a line: the last number that was known, and whether it is known now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    number: i64,
    is_known: bool,
}

impl Default for Cell {
    fn default() -> Self {
        Self { number: 0, is_known: true }
    }
}

/// The cells of the pools of a context, from those of the one before. A pool that was not there begins anew: nothing is
/// kept of those that are gone, however many come and go.
fn cells_of<C>(context: &Context, before: &Context, cells: Vec<C>, fresh: impl Fn() -> C) -> Vec<C> {
    let mut known: BTreeMap<&str, C> = before.pools.iter().map(String::as_str).zip(cells).collect();
    context.pools.iter().map(|name| known.remove(name.as_str()).unwrap_or_else(&fresh)).collect()
}

#[cfg(test)]
mod tests;
