//! Verdicts on recorded runs: a healthy one, and the same with one thing gone wrong.

use super::checks::CheckState;
use super::judge::{Verdict, judge};
use super::sample::{GetsReading, MemoryReading, PoolReading, Recording, Sample, SuspectReading, Trace};
use super::target::LoadReading;
use crate::faults::{ArmedFault, BalloonStatus, FaultName, FaultsStatus};
use crate::scenario::Scenario;
use std::time::Duration;

mod inconclusive;
mod recovery;
mod safety;

const MISSING_PUT: &str = include_str!("../../../scenarios/missing-put.yaml");
const BALLOON: &str = include_str!("../../../scenarios/memory-balloon.yaml");
const MIB: u64 = 1 << 20;
const SITE: &str = "src/ingest.rs:10:20";

const WARM: u64 = 10;
const ARMED: u64 = 11;
const DISARMED: u64 = 71;
const END: u64 = 115;

fn scenario(text: &str) -> Scenario {
    Scenario::from_text("s.yaml", text, &|_| None).unwrap()
}

/// A look at a healthy process, `t` half-seconds into the run.
fn healthy(t: u64) -> Sample {
    let load = LoadReading {
        offered: t * 200,
        completed: t * 200,
        delays_us: [(4_000, t * 196), (20_000, t * 4)].into(),
        ..LoadReading::default()
    };
    let pool = PoolReading {
        idle_bytes: 8 * MIB,
        capacity_bytes: 10 * MIB,
        gets_total: GetsReading { hit: t * 180, refill: t * 18, created: t * 2 },
        ..PoolReading::default()
    };
    Sample {
        at: Duration::from_millis(t * 500),
        memory: Some(MemoryReading {
            valid: true,
            limit_bytes: Some(192 * MIB),
            usage_bytes: Some(150 * MIB),
            peak_bytes: 155 * MIB,
            pools_lent_bytes: (20 + t % 7) * MIB,
            ..MemoryReading::default()
        }),
        pools: Some([("http.body".to_owned(), pool)].into()),
        faults: Some(FaultsStatus::default()),
        load: Some(load),
    }
}

/// The same with a fault of 10 hits a second, found out and accounted.
fn faulty(t: u64) -> Sample {
    let mut sample = healthy(t);
    let hits = (t.clamp(2 * ARMED, 2 * DISARMED) - 2 * ARMED) * 5;
    let faults = sample.faults.as_mut().unwrap();
    faults.hits_total.insert(FaultName::MissingPut, hits);
    if hits > 0 {
        faults.sites_injected.insert(FaultName::MissingPut, vec![SITE.to_owned()]);
        let pool = pool(&mut sample);
        pool.lost_estimate = hits - hits / 20;
        pool.suspects = vec![
            SuspectReading { site: SITE.to_owned(), count: 3 },
            SuspectReading { site: "src/came_back.rs:1:1".to_owned(), count: 0 },
        ];
    }
    sample
}

fn pool(sample: &mut Sample) -> &mut PoolReading {
    sample.pools.as_mut().unwrap().get_mut("http.body").unwrap()
}

fn recording(subject: impl Fn(u64) -> Sample, control: impl Fn(u64) -> Sample) -> Recording {
    let trace =
        |look: &dyn Fn(u64) -> Sample| Trace { samples: (0..=2 * END).map(look).collect(), death: None };
    Recording {
        subject: trace(&subject),
        control: Some(trace(&control)),
        steady_at: Duration::from_secs(WARM),
        armed_at: Some(Duration::from_secs(ARMED)),
        disarmed_at: Some(Duration::from_secs(DISARMED)),
        ..Recording::default()
    }
}

/// The verdict when looks from `from` seconds on are changed.
fn spoilt(from: u64, spoil: impl Fn(&mut Sample)) -> (Verdict, String) {
    let subject = |t| {
        let mut sample = faulty(t);
        if t >= 2 * from {
            spoil(&mut sample);
        }
        sample
    };
    verdict(&recording(subject, healthy))
}

fn verdict(recording: &Recording) -> (Verdict, String) {
    let judgement = judge(&scenario(MISSING_PUT), recording);
    (judgement.verdict, judgement.reasons.join("\n"))
}

/// A balloon of 40 MiB on 136 MiB of 192, inflated within 20 s; pools give way, so usage stays below.
fn ballooned(t: u64, full_bytes: u64) -> Sample {
    let mut sample = healthy(t);
    sample.memory.as_mut().unwrap().usage_bytes = Some(155 * MIB);
    if (2 * ARMED..2 * DISARMED).contains(&t) {
        let held_bytes = full_bytes.min(full_bytes * (t - 2 * ARMED) / 40);
        let balloon = BalloonStatus {
            target_ratio: 0.92,
            target_bytes: full_bytes,
            usage_at_arming_bytes: 136 * MIB,
            limit_bytes: 192 * MIB,
        };
        sample.faults.as_mut().unwrap().armed = vec![ArmedFault {
            name: FaultName::MemoryBalloon,
            pool: None,
            when: None,
            ttl_left_ms: Some(1),
            hits: 1,
            sites: Vec::new(),
            held_bytes,
            balloon: Some(balloon),
        }];
    }
    sample
}
