//! From a document to a [`Config`], along the table of fields. All problems of a file are told at once.

use super::cursor::{At, Problem};
use super::fields::{CONTROLLER, FIELDS, Field, POOL, SECTIONS, knob_fields, knob_keys};
use super::node::Node;
use super::staged::Says;
use super::value::{Kind, Value};
use super::{Config, ConfigError, Document, FileError, Set, Values};
use pool_core::Side;
use std::io::Read as _;
use std::path::Path;

/// A file for a thousand pools has 100 KiB.
pub(super) const BYTES_MAX: u64 = 256 << 10;
/// Each one that is told costs a reading of the file.
const PROBLEMS_MAX: usize = 20;

/// The text of a file. Does not wait for what is no plain file.
pub(super) fn text_of(path: &Path) -> Result<String, FileError> {
    let error = |problem: String| FileError {
        file: path.display().to_string(),
        position: None,
        path: String::new(),
        problem,
    };
    let cannot = |e: std::io::Error| error(format!("cannot be read: {e}"));
    let meta = std::fs::metadata(path).map_err(cannot)?;
    if !meta.is_file() {
        return Err(error("cannot be read: it is no plain file".to_owned()));
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(error(format!("is too long; allowed: at most {BYTES_MAX} bytes")));
    }
    Ok(text)
}

pub(super) fn config(file: &str, text: &str) -> Result<Config, ConfigError> {
    let document = Document::parse(file, text).map_err(|error| ConfigError(vec![error]))?;
    let mut problems = Vec::new();
    let mut config = read(&document.root(), &mut problems);
    config.file = Some(file.to_owned());
    if problems.is_empty() {
        return Ok(config);
    }
    let more = problems.len().saturating_sub(PROBLEMS_MAX);
    let mut errors: Vec<_> = problems.iter().take(PROBLEMS_MAX).map(|p| document.error(p)).collect();
    errors.sort_by_key(|error| error.position);
    if more > 0 {
        let problem = format!("{more} more; correct these first");
        errors.push(FileError { file: file.to_owned(), position: None, path: String::new(), problem });
    }
    Err(ConfigError(errors))
}

fn read(root: &At<'_>, problems: &mut Vec<Problem>) -> Config {
    let mut config = Config::default();
    if let Err(problem) = version(root) {
        // Of another version nothing else can be said.
        problems.push(problem);
        return config;
    }
    let keys: Vec<&str> = ["version"].into_iter().chain(SECTIONS.map(|(name, _)| name)).collect();
    for (key, at) in root.known(&keys, problems) {
        match key {
            "controller" => group(&at, CONTROLLER, "", &mut config.controller, problems),
            "pools" => {
                for (name, at) in at.entries_or("a map from names of pools to knobs", problems) {
                    let says = pool(&at, problems);
                    config.pools.insert(name.to_owned(), says);
                }
            }
            _ => {}
        }
    }
    config
}

fn version(root: &At<'_>) -> Result<(), Problem> {
    let version = &FIELDS[0];
    let mut ignored = Vec::new();
    let entries = root.entries_or("a map with the key version", &mut ignored);
    let Some((_, at)) = entries.into_iter().find(|(key, _)| *key == version.path) else {
        let Node::Map(_) = root.node() else {
            return Err(ignored.swap_remove(0));
        };
        let allowed = version.kind.allowed();
        return Err(root.wrong(format!(
            "the key version is missing; allowed: {allowed}; begin with `version: {allowed}`"
        )));
    };
    version.kind.read(at.node()).map(drop).map_err(|problem| at.wrong(problem))
}

/// Reads the fields that begin with `prefix` and `group`.
fn group(at: &At<'_>, prefix: &'static str, group_path: &str, out: &mut Values, problems: &mut Vec<Problem>) {
    let start = format!("{prefix}{group_path}");
    let below: Vec<(&str, &Field)> =
        FIELDS.iter().filter_map(|field| Some((field.path.strip_prefix(&start)?, field))).collect();
    let mut keys: Vec<&str> =
        below.iter().map(|(rest, _)| rest.split('.').next().unwrap_or_default()).collect();
    keys.dedup();
    for (key, at) in at.known(&keys, problems) {
        match below.iter().find(|(rest, _)| *rest == key) {
            None => group(&at, prefix, &format!("{group_path}{key}."), out, problems),
            Some((_, field)) => put(field, &at, out, problems),
        }
    }
}

fn put(field: &Field, at: &At<'_>, out: &mut Values, problems: &mut Vec<Problem>) {
    if matches!(field.kind, Kind::Knobs) {
        return; // a map of its own, which is read after the pool's own
    }
    match field.kind.read(at.node()) {
        Ok(value) => out.put(field.path, Set { value, line: Some(at.line()) }),
        Err(problem) => problems.push(at.wrong(problem)),
    }
}

fn pool(at: &At<'_>, problems: &mut Vec<Problem>) -> Says {
    let mut says = Says::default();
    group(at, POOL, "", &mut says.own, problems);
    floor_below_objects(at, &says.own, problems);
    for side in [Side::Stable, Side::Canary] {
        let Some(staged) = at.entry("staged").and_then(|staged| staged.entry(side.as_str())) else {
            continue;
        };
        knobs(&staged, says.side_mut(side), problems);
        if says.own.floor_problem().is_none() {
            floor_below_objects(&staged, &says.on(side), problems);
        }
    }
    says
}

/// Reads the knobs of one side of a stage.
fn knobs(at: &At<'_>, out: &mut Values, problems: &mut Vec<Problem>) {
    for (key, at) in at.known(&knob_keys(), problems) {
        match knob_fields().find(|(rest, _)| *rest == key) {
            None => group(&at, POOL, &format!("{key}."), out, problems),
            Some((_, field)) => put(field, &at, out, problems),
        }
    }
}

fn floor_below_objects(pool: &At<'_>, values: &Values, problems: &mut Vec<Problem>) {
    if let Some(problem) = values.floor_problem() {
        let mut ignored = Vec::new();
        let capacity = pool.entries_or("", &mut ignored).into_iter().find(|(key, _)| *key == "capacity");
        let floor = capacity.map(|(_, at)| at.entries_or("", &mut ignored)).into_iter().flatten();
        let floor = floor.into_iter().find(|(key, _)| *key == "floor");
        problems.push(floor.map_or_else(|| pool.wrong(&*problem), |(_, at)| at.wrong(&*problem)));
    }
}

impl Values {
    /// What is wrong with a floor that is told beside the objects.
    pub(super) fn floor_problem(&self) -> Option<String> {
        let (objects, floor) = (self.get("pools.*.capacity.objects")?, self.get("pools.*.capacity.floor")?);
        let (Value::Whole(objects), Value::Whole(floor)) = (objects, floor) else { return None };
        (floor > objects).then(|| format!("the number {floor} is above objects; allowed: 0 to {objects}"))
    }
}
