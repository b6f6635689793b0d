//! Every figure of every pool, as racing reads or as one stopped snapshot.

use super::Admin;
use crate::runner::Handle;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use pool_core::{DropReason, Job, LeaseLevel, Managed, PoolStats, Suspect};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A snapshot that meets an owner inside its fast path (preempted there) is taken again, this many times.
const SNAPSHOTS_MAX: u32 = 8;
/// Between two of them the owner gets the processor.
const BETWEEN: Duration = Duration::from_millis(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    snapshot: Option<String>,
}

#[derive(Serialize)]
#[allow(clippy::struct_field_names, reason = "the name of the field is the contract")]
struct Pools {
    snapshot: &'static str,
    consistent: bool,
    pools: BTreeMap<String, PoolFigures>,
}

#[derive(Serialize)]
struct PoolFigures {
    imbalance: i64,
    double_handout: u64,
    idle_objects: u64,
    idle_bytes: u64,
    lent_objects: u64,
    lent_bytes: u64,
    depot_objects: u64,
    condemned_objects: u64,
    condemned_bytes: u64,
    capacity_objects: u64,
    capacity_bytes: u64,
    capacity_reason: String,
    capacity_author: &'static str,
    capacity_generation: u64,
    expected_weight_bytes: u64,
    created_total: u64,
    dropped_total: BTreeMap<&'static str, u64>,
    gets_total: BTreeMap<&'static str, u64>,
    returns_total: BTreeMap<&'static str, u64>,
    hit_ratio: Option<f64>,
    lost_estimate: u64,
    lease_level: String,
    leases_recorded: u64,
    leases_missed_total: u64,
    suspects: Vec<SuspectSite>,
}

#[derive(Serialize)]
struct SuspectSite {
    site: String,
    count: u64,
    oldest_ms: u64,
    median_ms: u64,
    youngest_ms: u64,
    threads: Vec<u64>,
    spans: Vec<u64>,
    returned_after_all: u64,
    returned_out_at_most_ms: u64,
}

pub(super) async fn pools(State(admin): State<Admin>, wanted: Query<Wanted>) -> Response {
    let stopped = match wanted.0.snapshot.as_deref() {
        None | Some("racing") => false,
        Some("stopped") => true,
        Some(other) => {
            let problem = format!("snapshot={other:?} is unknown, allowed are racing and stopped");
            return (StatusCode::BAD_REQUEST, Json(json!({"error": problem}))).into_response();
        }
    };
    let handle = admin.handle;
    // A snapshot takes a fence and may wait for another pass: not on a thread that serves requests.
    let answer =
        tokio::task::spawn_blocking(move || if stopped { snapshot(&handle) } else { racing(&handle) });
    match answer.await {
        Ok(pools) => Json(pools).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn racing(handle: &Handle) -> Pools {
    let pools = handle.shared().registry.pools();
    answer(handle, "racing", pools.into_iter().map(|pool| (pool.stats(), pool)).collect())
}

fn snapshot(handle: &Handle) -> Pools {
    let mut pools = Vec::new();
    for attempt in 1..=SNAPSHOTS_MAX {
        let collected = handle.shared().registry.pass(Job::Snapshot);
        pools = collected
            .into_iter()
            .map(|(pool, collected)| (collected.snapshot.unwrap_or_else(|| pool.stats()), pool))
            .collect();
        if attempt == SNAPSHOTS_MAX || pools.iter().all(|(stats, _)| stats.consistent) {
            break;
        }
        std::thread::sleep(BETWEEN);
    }
    answer(handle, "stopped", pools)
}

fn answer(handle: &Handle, snapshot: &'static str, pools: Vec<(PoolStats, Arc<dyn Managed>)>) -> Pools {
    let (status, older_than) = (handle.status(), handle.shared().suspect_after());
    Pools {
        snapshot,
        consistent: pools.iter().all(|(stats, _)| stats.consistent),
        pools: pools
            .into_iter()
            .enumerate()
            .map(|(at, (stats, pool))| {
                let brief = status.brief(at, pool.name());
                let lost_estimate = brief.map_or(0, |brief| brief.lost_estimate);
                let figures = figures(&stats, pool.as_ref(), lost_estimate, &pool.suspects(older_than));
                (pool.name().to_owned(), figures)
            })
            .collect(),
    }
}

fn figures(stats: &PoolStats, pool: &dyn Managed, lost_estimate: u64, suspects: &[Suspect]) -> PoolFigures {
    let capacity = pool.capacity();
    let gets = stats.gets;
    let mut returns_total = by_reason(&stats.returns_dropped);
    returns_total.insert("kept", stats.returns_kept);
    PoolFigures {
        imbalance: stats.imbalance,
        double_handout: stats.duplicates,
        idle_objects: stats.idle_objects,
        idle_bytes: stats.idle_bytes,
        lent_objects: stats.lent_objects,
        lent_bytes: stats.lent_bytes,
        depot_objects: stats.depot_objects,
        condemned_objects: stats.condemned_objects,
        condemned_bytes: stats.condemned_bytes,
        capacity_objects: stats.capacity_objects,
        capacity_bytes: stats.capacity_bytes,
        capacity_reason: capacity.reason,
        capacity_author: capacity.author.as_str(),
        capacity_generation: capacity.generation,
        expected_weight_bytes: stats.expected_weight,
        created_total: stats.created,
        dropped_total: by_reason(&stats.dropped),
        gets_total: gets.by_outcome().into(),
        returns_total,
        hit_ratio: gets.hit_ratio(),
        lost_estimate,
        lease_level: match pool.lease_level() {
            LeaseLevel::Off => "off".into(),
            LeaseLevel::Sampled(one_in) => format!("sampled({one_in})"),
            LeaseLevel::All => "all".into(),
        },
        leases_recorded: stats.leases_recorded,
        leases_missed_total: stats.leases_missed,
        suspects: suspects.iter().map(suspect_site).collect(),
    }
}

fn by_reason(counts: &[u64; DropReason::ALL.len()]) -> BTreeMap<&'static str, u64> {
    DropReason::ALL.iter().map(|reason| reason.as_str()).zip(counts.iter().copied()).collect()
}

fn suspect_site(suspect: &Suspect) -> SuspectSite {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    SuspectSite {
        site: suspect.site.to_string(),
        count: suspect.count,
        oldest_ms: ms(suspect.oldest),
        median_ms: ms(suspect.median),
        youngest_ms: ms(suspect.youngest),
        threads: suspect.threads.clone(),
        spans: suspect.spans.clone(),
        returned_after_all: suspect.returned_after_all,
        returned_out_at_most_ms: ms(suspect.returned_out_at_most),
    }
}
