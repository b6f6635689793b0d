//! Reads `extensions: [{name: ebbpool, …}]`: what Chaos Toolkit lacks.

use super::{Arm, Recovery, Scenario, StopIf};
use crate::broken::Broken;
use crate::expr::{Check, Kind};
use crate::units;
use pool_controller::config::{At, Problem};
use std::time::Duration;

const EXTENSION: &str = "ebbpool";
/// Requests a second that one generator on one machine can offer in earnest.
const RPS_MAX: u64 = 100_000;

/// Finds our extension and puts it into the scenario; those of others are left alone.
pub(super) fn extensions(at: &At<'_>, scenario: &mut Scenario) -> Result<(), Problem> {
    let mut ours = None;
    for extension in at.list("extensions")? {
        let entries = extension.entries("a map with a name")?;
        let Some((_, name)) = entries.iter().find(|(key, _)| *key == "name") else {
            return Err(extension.wrong("the key name is missing; allowed: an extension with a name"));
        };
        if name.text("a name")? != EXTENSION {
            continue;
        }
        if ours.replace(extension.clone()).is_some() {
            return Err(name.wrong(format!("a second extension {EXTENSION:?}; allowed: one")));
        }
    }
    let ours =
        ours.ok_or_else(|| at.wrong(format!("no extension is ours; allowed: one with name: {EXTENSION}")))?;
    let fields = ours.fields(&[
        "name",
        "seed",
        "load",
        "requires",
        "arm",
        "always",
        "stop_if",
        "recovery",
        "must_fail_with",
    ])?;
    scenario.seed = fields.need("seed")?.whole("a seed, a whole number of 0 or more")?;
    scenario.rps = load(&fields.need("load")?)?;
    if let Some(requires) = fields.get("requires") {
        let limit = requires.fields(&["memory_limit_max"])?.need("memory_limit_max")?;
        scenario.limit_max_bytes = Some(sized(&limit)?);
    }
    scenario.arm = arm(&fields.need("arm")?)?;
    let during = [Kind::Level, Kind::PoolLevel, Kind::Sites, Kind::Rate];
    scenario.always = checks(&fields.need("always")?, &during)?;
    scenario.stop_if = fields.get("stop_if").map(|at| stop_if(&at, &during)).transpose()?;
    scenario.recovery = recovery(&fields.need("recovery")?)?;
    if let Some(broken) = fields.get("must_fail_with") {
        for name in broken.list("broken builds")? {
            scenario.must_fail_with.push(name.word(&Broken::ALL.map(|b| (b.as_str(), b)))?);
        }
    }
    Ok(())
}

fn load(at: &At<'_>) -> Result<u32, Problem> {
    let fields = at.fields(&["rps", "open_loop"])?;
    let rps = fields.need("rps")?;
    let what = format!("requests a second, a whole number from 1 to {RPS_MAX}");
    let number = rps.whole(&what)?;
    if !(1..=RPS_MAX).contains(&number) {
        return Err(rps.wrong(format!("{number} is out of range; allowed: {what}")));
    }
    let open_loop = fields.need("open_loop")?;
    if open_loop.boolean() != Some(true) {
        return Err(open_loop.wrong("only an open loop is offered, in which late is late; allowed: true"));
    }
    u32::try_from(number).map_err(|_| rps.wrong(format!("{number} is out of range; allowed: {what}")))
}

fn arm(at: &At<'_>) -> Result<Arm, Problem> {
    let fields = at.fields(&["min_hits", "min_ratio", "min_time_at", "else"])?;
    fields.need("else")?.word(&[("inconclusive", ())])?;
    let arm = Arm {
        hits_min: fields.get("min_hits").map(|h| h.whole("hits, a whole number")).transpose()?,
        ratio_min: fields.get("min_ratio").map(|r| r.number("a share, 0 to 1", 0.0..=1.0)).transpose()?,
        time_at_ratio_min: fields.get("min_time_at").map_or(Ok(Duration::ZERO), |at| time(&at))?,
    };
    if arm.ratio_min.is_some() != fields.get("min_time_at").is_some() {
        return Err(fields.at().wrong("min_ratio and min_time_at belong together; allowed: both or neither"));
    }
    if arm.hits_min.is_none() && arm.ratio_min.is_none() {
        let problem = "a fault that never fired would pass; allowed: min_hits, or min_ratio and min_time_at";
        return Err(fields.at().wrong(problem));
    }
    Ok(arm)
}

fn stop_if(at: &At<'_>, kinds: &[Kind]) -> Result<StopIf, Problem> {
    let fields = at.fields(&["expr", "for"])?;
    Ok(StopIf { check: check(&fields.need("expr")?, kinds)?, lasting: time(&fields.need("for")?)? })
}

fn recovery(at: &At<'_>) -> Result<Recovery, Problem> {
    let fields = at.fields(&["within", "hold", "expect"])?;
    let all = [Kind::Level, Kind::PoolLevel, Kind::Sites, Kind::Rate, Kind::SinceDisarm];
    let (within, hold) = (time(&fields.need("within")?)?, time(&fields.need("hold")?)?);
    Ok(Recovery { within, hold, expect: checks(&fields.need("expect")?, &all)? })
}

fn checks(at: &At<'_>, kinds: &[Kind]) -> Result<Vec<Check>, Problem> {
    let checks: Vec<Check> = at.list("checks")?.iter().map(|c| check(c, kinds)).collect::<Result<_, _>>()?;
    if checks.is_empty() {
        Err(at.wrong("nothing is checked; allowed: at least one check"))
    } else {
        Ok(checks)
    }
}

fn check(at: &At<'_>, kinds: &[Kind]) -> Result<Check, Problem> {
    let text = at.text("a check")?;
    let check = Check::parse(text).map_err(|e| at.wrong(format!("in {text:?}: {}", e.what())))?;
    match check.measures().iter().find(|m| !kinds.contains(&m.kind())) {
        None => Ok(check),
        Some(measure) => {
            let name = measure.as_str();
            Err(at.wrong(format!(
                "in {text:?}: {name} is known only after the fault; allowed: in recovery.expect"
            )))
        }
    }
}

fn time(at: &At<'_>) -> Result<Duration, Problem> {
    units::duration("", at.text("a duration")?).map_err(|e| at.refused(&e))
}

fn sized(at: &At<'_>) -> Result<u64, Problem> {
    units::bytes("", at.text("a size")?).map_err(|e| at.refused(&e))
}
