//! From the tree to a [`Scenario`], key by key.

use super::read_call::{Variables, call};
use super::read_extension::extensions;
use super::{ADMIN_VARIABLE, Action, Arm, JsonPath, Probe, Recovery, Scenario, ScenarioError};
use pool_controller::config::{At, Document, Problem};
use std::time::Duration;

/// A scenario is a page, not a book.
pub(super) const BYTES_MAX: u64 = 1 << 20;

pub(super) fn read(
    file: &str,
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Scenario, ScenarioError> {
    let document = Document::parse(file, text)?;
    scenario(file, &document.root(), variable).map_err(|problem| document.error(&problem))
}

fn scenario(
    file: &str,
    root: &At<'_>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Scenario, Problem> {
    let fields = root.fields(&[
        "version",
        "title",
        "description",
        "tags",
        "configuration",
        "steady-state-hypothesis",
        "method",
        "rollbacks",
        "extensions",
    ])?;
    fields.need("version")?.word(&[("1.0.0", ())])?;
    if let Some(tags) = fields.get("tags") {
        for tag in tags.list("tags")? {
            tag.text("a tag")?;
        }
    }
    let (live_admin, variables) = configuration(&fields.need("configuration")?, variable)?;
    let read_all = |key: &str| match fields.get(key) {
        None => Ok(Vec::new()),
        Some(at) => at.list("actions")?.iter().map(|a| action(a, &variables)).collect(),
    };
    let method = fields.need("method")?;
    let actions: Vec<Action> = read_all("method")?;
    if actions.is_empty() {
        return Err(method.wrong("nothing is done; allowed: at least one action"));
    }
    let mut scenario = Scenario {
        file: file.to_owned(),
        title: fields.need("title")?.text("a title")?.to_owned(),
        description: fields.need("description")?.text("a description")?.to_owned(),
        live_admin,
        hypothesis: fields
            .get("steady-state-hypothesis")
            .map_or(Ok(Vec::new()), |h| hypothesis(&h, &variables))?,
        method: actions,
        rollbacks: read_all("rollbacks")?,
        seed: 0,
        rps: 0,
        limit_max_bytes: None,
        arm: Arm::default(),
        always: Vec::new(),
        stop_if: None,
        recovery: Recovery { within: Duration::ZERO, hold: Duration::ZERO, expect: Vec::new() },
        must_fail_with: Vec::new(),
    };
    extensions(&fields.need("extensions")?, &mut scenario)?;
    Ok(scenario)
}

/// Static values and environment variables with defaults; the admin address apart, since it is the target's.
fn configuration(
    at: &At<'_>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<(Option<String>, Variables), Problem> {
    let mut variables = Variables::new();
    let mut live_admin = None;
    let mut has_admin = false;
    for (name, value) in at.entries("a map of names to values")? {
        if name == "admin" {
            has_admin = true;
            let fields = value.fields(&["type", "key", "default"])?;
            fields.need("type")?.word(&[("env", ())])?;
            fields.need("key")?.word(&[(ADMIN_VARIABLE, ())])?;
            fields.need("default")?.text("an address such as http://127.0.0.1:9901")?;
            live_admin = variable(ADMIN_VARIABLE);
            continue;
        }
        let resolved = match value.text("a value") {
            Ok(text) => text.to_owned(),
            Err(_) => from_environment(&value, variable)?,
        };
        variables.insert(name.to_owned(), resolved);
    }
    if !has_admin {
        let example = format!("{{type: env, key: {ADMIN_VARIABLE}, default: \"http://127.0.0.1:9901\"}}");
        return Err(at.wrong(format!("the key admin is missing; allowed: admin: {example}")));
    }
    Ok((live_admin, variables))
}

fn from_environment(at: &At<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, Problem> {
    let fields = at.fields(&["type", "key", "default"])?;
    fields.need("type")?.word(&[("env", ())])?;
    let key = fields.need("key")?.text("a variable's name")?;
    if let Some(set) = variable(key) {
        return Ok(set);
    }
    let problem = || at.wrong(format!("the variable {key} is not set; allowed: set it, or give a default"));
    Ok(fields.get("default").ok_or_else(problem)?.text("a value")?.to_owned())
}

fn hypothesis(at: &At<'_>, variables: &Variables) -> Result<Vec<Probe>, Problem> {
    let fields = at.fields(&["title", "probes"])?;
    fields.need("title")?.text("a title")?;
    fields.need("probes")?.list("probes")?.iter().map(|p| probe(p, variables)).collect()
}

fn probe(at: &At<'_>, variables: &Variables) -> Result<Probe, Problem> {
    let fields = at.fields(&["type", "name", "tolerance", "provider"])?;
    fields.need("type")?.word(&[("probe", ())])?;
    let tolerance = fields.need("tolerance")?.fields(&["type", "path", "expect", "target"])?;
    tolerance.need("type")?.word(&[("jsonpath", ())])?;
    if let Some(target) = tolerance.get("target") {
        target.word(&[("body", ())])?;
    }
    let path = tolerance.need("path")?;
    let parsed = JsonPath::parse(path.text("a JSON path")?);
    let parsed =
        parsed.map_err(|problem| path.wrong(format!("{problem}; allowed: {}", JsonPath::ALLOWED)))?;
    let expect = tolerance.need("expect")?;
    let [expected] = &expect.list("one value")?[..] else {
        return Err(expect.wrong("a path to one place finds one value; allowed: a list of one value"));
    };
    Ok(Probe {
        name: fields.need("name")?.text("a name")?.to_owned(),
        call: call(&fields.need("provider")?, variables)?,
        path: parsed,
        expect: expected.json(),
    })
}

fn action(at: &At<'_>, variables: &Variables) -> Result<Action, Problem> {
    let fields = at.fields(&["type", "name", "provider", "pauses"])?;
    fields.need("type")?.word(&[("action", ())])?;
    let pauses = fields.get("pauses").map(|p| p.fields(&["before", "after"])).transpose()?;
    let pause = |key: &str| {
        let at = pauses.as_ref().and_then(|p| p.get(key));
        at.map_or(Ok(0.0), |at| at.number("seconds, 0 to 3600", 0.0..=3600.0)).map(Duration::from_secs_f64)
    };
    Ok(Action {
        name: fields.need("name")?.text("a name")?.to_owned(),
        call: call(&fields.need("provider")?, variables)?,
        pause_before: pause("before")?,
        pause_after: pause("after")?,
    })
}
