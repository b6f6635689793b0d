//! Pools with a canary beside them: how they stand, and the share as a person sets it for a time.

use super::knobs::{Terms, parse, refusal, refused_at, terms};
use super::{Admin, say};
use crate::canary::{CanaryShare, CanaryStatus};
use crate::config::{Refused, RefusedKind};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub(super) async fn canaries(State(admin): State<Admin>) -> Response {
    Json(json!({"canaries": admin.handle.status().canaries})).into_response()
}

pub(super) async fn canary(State(admin): State<Admin>, Path(pool): Path<String>) -> Response {
    let split = match admin.handle.split_named(&pool) {
        Ok(split) => split,
        Err(refused) => return refusal(&refused),
    };
    let status = admin.handle.status();
    let Some(seen) = status.canaries.iter().find(|canary| canary.share.pool == *pool) else {
        let problem = "it was built a moment ago and no tick has seen it";
        return refusal(&Refused::invalid("pool", pool, problem, "another try").of_kind(RefusedKind::Unable));
    };
    // As the last tick saw it, but with the share that is in force now.
    Json(CanaryStatus { share: CanaryShare::of(&split), ..seen.clone() }).into_response()
}

pub(super) async fn set(State(admin): State<Admin>, Path(pool): Path<String>, body: String) -> Response {
    let (percent, Terms { time, reason }) = match read(&body) {
        Ok(wanted) => wanted,
        Err(refused) => return refusal(&refused),
    };
    match admin.handle.override_share(&pool, percent, time, &reason) {
        Ok(()) => {
            say(format_args!("{pool} by hand: canary {percent} % for {time:?}: {reason:?}"));
            answer(&admin, &pool)
        }
        Err(refused) => refusal(&refused),
    }
}

pub(super) async fn clear(State(admin): State<Admin>, Path(pool): Path<String>) -> Response {
    match admin.handle.withdraw_share(&pool) {
        Ok(true) => {
            say(format_args!("{pool}: the share of the canary that was set by hand is taken back"));
            answer(&admin, &pool)
        }
        Ok(false) => {
            let problem = "nobody has set its share by hand, or the time is over";
            refusal(
                &Refused::invalid("pool", pool, problem, "none is in force").of_kind(RefusedKind::Unknown),
            )
        }
        Err(refused) => refusal(&refused),
    }
}

/// The share that is in force now. It waits for no tick: a change counts at once, even if the loop hangs.
fn answer(admin: &Admin, pool: &str) -> Response {
    match admin.handle.split_named(pool) {
        Ok(split) => Json(CanaryShare::of(&split)).into_response(),
        Err(refused) => refusal(&refused),
    }
}

fn read(body: &str) -> Result<(f64, Terms), Refused> {
    let document = parse(body)?;
    let problem = |problem| refused_at(&document, &problem);
    let fields = document.root().fields(&["percent", "for", "reason", "by"]).map_err(problem)?;
    let wanted = fields.need("percent").map_err(problem)?;
    let wanted =
        wanted.number("a percentage; allowed: a number from 0 to 100", 0.0..=100.0).map_err(problem)?;
    Ok((wanted, terms(&document, &fields)?))
}
