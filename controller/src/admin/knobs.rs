//! Knobs of one pool, and overrides of them by a person. Input is read by the reader of configuration files, and what is
//! wrong with it is told as there.

use super::{Admin, say};
use crate::config::by_hand::{self, KINDS, Told};
use crate::config::{Document, Problem, Refused, RefusedKind, units};
use crate::overrides::{InForce, Override, seconds};
use crate::runner::Handle;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use pool_core::Managed;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Serialize)]
struct PoolKnobs {
    pool: String,
    generation: u64,
    knobs: BTreeMap<&'static str, KnobFigures>,
}

#[derive(Serialize)]
struct KnobFigures {
    fields: Told,
    built: Told,
    author: &'static str,
    reason: String,
    generation: u64,
    left_s: Option<u64>,
}

pub(super) async fn overrides(State(admin): State<Admin>) -> Response {
    Json(json!({"overrides": admin.handle.overrides()})).into_response()
}

pub(super) async fn knobs(State(admin): State<Admin>, Path(pool): Path<String>) -> Response {
    answer(&admin.handle, &pool)
}

pub(super) async fn set(State(admin): State<Admin>, Path(pool): Path<String>, body: String) -> Response {
    let asked = match read(&body) {
        Ok(asked) => asked,
        Err(refused) => return refusal(&refused),
    };
    let handle = admin.handle;
    // A cut makes room, which drops values: not on a thread that serves requests.
    let done = tokio::task::spawn_blocking(move || {
        handle.override_knobs(&pool, &asked.fields, asked.terms.time, &asked.terms.reason).map(|()| {
            say(format_args!("{pool} by hand: {}", asked.shown()));
            answer(&handle, &pool)
        })
    });
    match done.await {
        Ok(done) => done.unwrap_or_else(|refused| refusal(&refused)),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

pub(super) async fn clear(
    State(admin): State<Admin>,
    Path(pool): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let Some(knob) = asked.get("knob").filter(|_| asked.len() == 1) else {
        let names: Vec<_> = KINDS.iter().map(|kind| by_hand::name_of(*kind)).collect();
        return refusal(&Refused::invalid(
            "knob",
            "",
            "expected ?knob=NAME and nothing else",
            names.join(", "),
        ));
    };
    match admin.handle.withdraw_override(&pool, knob) {
        Ok(true) => {
            say(format_args!("{pool}: what was set by hand on {knob:?} is taken back"));
            answer(&admin.handle, &pool)
        }
        Ok(false) => {
            let problem = "nobody has set it by hand, or its time is over";
            let all = admin.handle.overrides();
            let there: Vec<_> = all.iter().filter(|o| o.pool == pool).map(|o| o.knob).collect();
            let allowed = if there.is_empty() { "none is in force".to_owned() } else { there.join(", ") };
            refusal(&Refused::invalid("knob", knob, problem, allowed).of_kind(RefusedKind::Unknown))
        }
        Err(refused) => refusal(&refused),
    }
}

fn answer(handle: &Handle, pool: &str) -> Response {
    match handle.pool_named(pool) {
        Ok(pool) => Json(figures(pool.as_ref())).into_response(),
        Err(refused) => refusal(&refused),
    }
}

fn figures(pool: &dyn Managed) -> PoolKnobs {
    let knobs = pool.knobs();
    let one = |kind| {
        let knob = InForce::of(&knobs, kind);
        let figures = KnobFigures {
            fields: by_hand::told(knob.setting),
            built: by_hand::told(knob.built),
            author: knob.author.as_str(),
            reason: knob.reason.to_owned(),
            generation: knob.generation,
            left_s: knob.expires_in.map(seconds),
        };
        (by_hand::name_of(kind), figures)
    };
    PoolKnobs {
        pool: pool.name().to_owned(),
        generation: knobs.generation,
        knobs: KINDS.into_iter().map(one).collect(),
    }
}

/// The answer to what was refused.
pub(super) fn refusal(refused: &Refused) -> Response {
    let status = match refused.kind {
        RefusedKind::Unknown => StatusCode::NOT_FOUND,
        RefusedKind::Invalid => StatusCode::BAD_REQUEST,
        RefusedKind::Unable => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(json!({"error": refused}))).into_response()
}

/// What is asked for.
#[derive(Debug)]
struct Asked {
    fields: Vec<(String, String)>,
    terms: Terms,
}

/// For how long and why a person changes something.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) time: Duration,
    /// With who it is, if that was told.
    pub(super) reason: String,
}

impl Asked {
    /// One line, whatever the values are.
    fn shown(&self) -> String {
        let fields: Vec<_> = self.fields.iter().map(|(field, value)| format!("{field} {value:?}")).collect();
        format!("{} for {:?}: {:?}", fields.join(", "), self.terms.time, self.terms.reason)
    }
}

fn read(body: &str) -> Result<Asked, Refused> {
    let document = parse(body)?;
    let fields =
        document.root().fields(&["set", "for", "reason", "by"]).map_err(|p| refused_at(&document, &p))?;
    let set = fields.need("set").and_then(|at| at.entries("a map from fields to values"));
    let set = set.map_err(|problem| refused_at(&document, &problem))?;
    let scalar = |(field, at): (&str, crate::config::At<'_>)| match at.json() {
        Value::String(text) => Ok((field.to_owned(), text)),
        value @ (Value::Number(_) | Value::Bool(_)) => Ok((field.to_owned(), value.to_string())),
        _ => {
            let problem = at.wrong("expected a value; allowed: a text, a number, true or false");
            Err(refused_at(&document, &problem))
        }
    };
    let set = set.into_iter().map(scalar).collect::<Result<_, _>>()?;
    Ok(Asked { fields: set, terms: terms(&document, &fields)? })
}

/// A body, which is JSON.
pub(super) fn parse(body: &str) -> Result<Document, Refused> {
    Document::parse("body", body).map_err(|error| refused(&error.path, &error.problem))
}

/// The fields that each change by a person has.
pub(super) fn terms(document: &Document, fields: &crate::config::Fields<'_>) -> Result<Terms, Refused> {
    let refused = |problem: Problem| refused_at(document, &problem);
    let time = match fields.get("for") {
        None => Override::TIME_DEFAULT,
        Some(at) => units::duration("for", at.text("a duration such as 10m").map_err(refused)?)?,
    };
    let reason = fields.need("reason").and_then(|at| at.text("why, in one line")).map_err(refused)?;
    let by = fields.get("by").map(|at| at.text("who")).transpose().map_err(refused)?;
    let reason = by.map_or_else(|| reason.to_owned(), |by| format!("{by}: {reason}"));
    Ok(Terms { time, reason })
}

/// The refusal of a body for what is wrong at a place in it.
pub(super) fn refused_at(document: &Document, problem: &Problem) -> Refused {
    let error = document.error(problem);
    refused(&error.path, &error.problem)
}

fn refused(path: &str, said: &str) -> Refused {
    let (problem, allowed) = said.split_once("; allowed: ").unwrap_or((said, "see GET /v1/openapi.json"));
    let path = if path.is_empty() { "body" } else { path };
    Refused::invalid(path, "", problem, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_in_one_line_whatever_its_values_are() {
        let body = json!({"set": {"capacity.bytes": "64MiB\n# anything"}, "reason": "a look"}).to_string();
        let shown = read(&body).expect("fields and a reason").shown();
        assert_eq!(shown, r#"capacity.bytes "64MiB\n# anything" for 900s: "a look""#);
    }
}
