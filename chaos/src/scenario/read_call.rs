//! Reads the HTTP requests of a scenario, and checks now what the target would refuse only minutes later.

use super::call::FAULTS;
use super::{HttpCall, Method};
use crate::faults::{FaultName, FaultRequest};
use pool_controller::config::{At, Fields, Problem};
use std::collections::BTreeMap;
use std::time::Duration;

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// What `${name}` stands for.
pub(super) type Variables = BTreeMap<String, String>;

pub(super) fn call(at: &At<'_>, variables: &Variables) -> Result<HttpCall, Problem> {
    let fields = at.fields(&["type", "method", "url", "headers", "arguments", "timeout"])?;
    fields.need("type")?.word(&[("http", ())])?;
    let method =
        fields.get("method").map_or(Ok(Method::Get), |m| m.word(&Method::ALL.map(|m| (m.as_str(), m))))?;
    let url = fields.need("url")?;
    let path = path_after_admin(&url, variables)?;
    let headers = match fields.get("headers") {
        None => Vec::new(),
        Some(headers) => {
            let entry =
                |(name, at): (&str, At<'_>)| Ok((name.to_owned(), at.text("a header's value")?.to_owned()));
            headers.entries("a map of headers")?.into_iter().map(entry).collect::<Result<_, Problem>>()?
        }
    };
    let timeout = fields.get("timeout").map(|t| t.number("seconds, 0.1 to 60", 0.1..=60.0)).transpose()?;
    let call = HttpCall {
        method,
        path,
        headers,
        arguments: fields.get("arguments").map(|a| a.json()),
        timeout: timeout.map_or(TIMEOUT_DEFAULT, Duration::from_secs_f64),
    };
    check_fault(&call, &fields, &url)?;
    Ok(call)
}

/// `${admin}` must begin the URL; other variables may follow.
fn path_after_admin(at: &At<'_>, variables: &Variables) -> Result<String, Problem> {
    let allowed = "allowed: a URL that begins with ${admin}/";
    let text = at.text("a URL")?;
    let Some(mut rest) = text.strip_prefix("${admin}").filter(|rest| rest.starts_with('/')) else {
        return Err(at.wrong(format!("{text:?} is not an address of the target; {allowed}")));
    };
    let mut path = String::new();
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) =
            after.split_once('}').ok_or_else(|| at.wrong(format!("${{ is not closed; {allowed}")))?;
        let Some(value) = variables.get(name) else {
            let known: Vec<&str> = variables.keys().map(String::as_str).chain(["admin"]).collect();
            let known = known.join(", ");
            return Err(at.wrong(format!("${{{name}}} is not in the configuration; allowed: {known}")));
        };
        path.push_str(before);
        path.push_str(value);
        rest = after;
    }
    path.push_str(rest);
    if path.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(at.wrong(format!("{text:?} has white space; {allowed}")));
    }
    Ok(path)
}

/// What arms a fault is checked now: the target would refuse it only minutes later.
fn check_fault(call: &HttpCall, fields: &Fields<'_>, url: &At<'_>) -> Result<(), Problem> {
    let Some(name) = call.path.strip_prefix(FAULTS).and_then(|rest| rest.strip_prefix('/')) else {
        return Ok(());
    };
    let name = FaultName::parse("", name).map_err(|e| url.refused(&e))?;
    if call.method != Method::Put {
        return Ok(());
    }
    let arguments = fields.need("arguments")?;
    let known = arguments.entries("a map")?;
    FaultRequest::from_json(name, &arguments.json()).map(drop).map_err(|e| {
        let place = known.iter().find(|(key, _)| *key == e.path).map(|(_, at)| at);
        match place {
            Some(at) => at.refused(&e),
            None => arguments.wrong(format!("{}: {}", e.path, e.what())),
        }
    })
}
