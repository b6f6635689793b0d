//! Reads a record.

use super::figures::{FIGURES, Figure, POOL_FIGURES};
use super::{Cell, Context, FORMAT, Header, VERSION, cells_of};
use pool_controller::Moment;
use pool_controller::decide::PoolInputs;
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

/// A record that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Who wrote it.
    pub program: String,
    /// What held at its end.
    pub context: Context,
    /// The moments, oldest first.
    pub moments: Vec<Moment>,
    /// What a reader should know of how it was read: that it ends in the middle of a line, that only its end is used.
    pub notes: Vec<String>,
}

/// Why a file could not be read as a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError(String);

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RecordError {}

impl Record {
    /// Moments times pools that are kept, at most: of a longer record the end. With three pools that is four and a half
    /// hours, with a hundred it is eight minutes.
    pub const CELLS_MAX: usize = 200_000;

    /// Reads a file.
    ///
    /// # Errors
    /// [`RecordError`] with the file's name if it cannot be read, is no record, is of another version, has a line that
    /// is none, or no moment at all. A last line that is not whole is no error: see [`notes`](Self::notes).
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let name = path.display();
        let file = File::open(path).map_err(|e| RecordError(format!("{name}: {e}")))?;
        Self::from_lines(BufReader::new(file))
            .map_err(|RecordError(problem)| RecordError(format!("{name}: {problem}")))
    }

    /// Reads what is in a file.
    ///
    /// # Errors
    /// As [`read`](Self::read), without the name.
    pub fn parse(text: &[u8]) -> Result<Self, RecordError> {
        Self::from_lines(text)
    }

    /// Line by line: a record of weeks is longer than there is memory, and of it only the end is kept.
    fn from_lines(mut input: impl BufRead) -> Result<Self, RecordError> {
        let mut line = Vec::new();
        if !next_line(&mut input, &mut line)? {
            return Err(RecordError("is empty: a record begins with its header".into()));
        }
        let mut reader = Reader::begin(&line)?;
        let mut notes = Vec::new();
        let mut n = 1_usize;
        while next_line(&mut input, &mut line)? {
            n += 1;
            let Some(line) = line.strip_suffix(b"\n") else {
                if line.len() == LINE_BYTES_MAX {
                    return Err(RecordError(format!(
                        "line {n}: it is longer than {} MiB",
                        LINE_BYTES_MAX >> 20
                    )));
                }
                notes.push(format!("it ends in the middle of line {n}, which is left out"));
                break;
            };
            let line = std::str::from_utf8(line).map_err(|e| e.to_string());
            let read = line.and_then(|line| reader.line(line));
            read.map_err(|problem| RecordError(format!("line {n}: {problem}")))?;
        }
        if reader.left_out > 0 {
            let (out, kept) = (reader.left_out, reader.moments.len());
            notes.push(format!(
                "it is longer than what is looked at: the first {out} moments are left out, {kept} used"
            ));
        }
        if reader.moments.is_empty() {
            return Err(RecordError("has a header and no moment".into()));
        }
        let Reader { program, context, moments, .. } = reader;
        Ok(Self { program, context, moments: moments.into(), notes })
    }

    /// From the first moment to the last, ms.
    #[must_use]
    pub fn lasts_ms(&self) -> u64 {
        let at = |moment: Option<&Moment>| moment.map_or(0, |moment| moment.at_ms);
        at(self.moments.last()).saturating_sub(at(self.moments.first()))
    }

    /// The highest usage of its moments, bytes; `None` if it could never be read.
    #[must_use]
    pub fn peak_bytes(&self) -> Option<u64> {
        self.moments.iter().filter_map(|moment| moment.inputs.usage_bytes).max()
    }
}

/// No name is nearly as long; each moment has a copy of it.
const TEXT_BYTES_MAX: usize = 4096;
/// No line is nearly as long.
const LINE_BYTES_MAX: usize = 64 << 20;

/// Reads the next line with its end, as far as it goes; whether there is one.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, RecordError> {
    line.clear();
    let read = input.take(LINE_BYTES_MAX as u64).read_until(b'\n', line);
    read.map(|bytes| bytes > 0).map_err(|e| RecordError(e.to_string()))
}

/// Where a figure of this build stands in the file's lines; those that it does not know are passed over.
type Places<T> = Vec<Option<&'static Figure<T>>>;

/// Reads line by line.
struct Reader {
    program: String,
    context: Context,
    places: Places<Moment>,
    pool_places: Places<PoolInputs>,
    process: Vec<Cell>,
    /// Of each pool of the context.
    pools: Vec<Vec<Cell>>,
    now: Moment,
    moments: VecDeque<Moment>,
    cells: usize,
    left_out: usize,
}

impl Reader {
    fn begin(line: &[u8]) -> Result<Self, RecordError> {
        let none = |why: &str| RecordError(format!("is no record of `ebbpool record`: {why}"));
        let json: serde_json::Value =
            serde_json::from_slice(line).map_err(|_| none("its first line is no header"))?;
        if json["format"] != FORMAT {
            return Err(none(&format!("its first line does not say \"format\":\"{FORMAT}\"")));
        }
        if json["version"] != VERSION {
            let problem = format!("is of version {}; this build reads version {VERSION}", json["version"]);
            return Err(RecordError(problem + ", and a build as new as its writer reads this one"));
        }
        let header: Header = serde_json::from_value(json)
            .map_err(|e| RecordError(format!("has a header that lacks something: {e}")))?;
        let places = places_of(&header.figures, KNOWN);
        let pool_places = places_of(&header.pool_figures, KNOWN_OF_POOLS);
        let process = vec![Cell::default(); places.len()];
        let mut reader = Self {
            program: header.program,
            context: Context::default(),
            places,
            pool_places,
            process,
            pools: Vec::new(),
            now: Moment::default(),
            moments: VecDeque::new(),
            cells: 0,
            left_out: 0,
        };
        reader.change(header.context).map_err(|problem| RecordError(format!("line 1: {problem}")))?;
        Ok(reader)
    }

    fn change(&mut self, context: Context) -> Result<(), String> {
        let said = [&context.policy, &context.mode, &context.source, &context.limit_kind, &context.level];
        if said.into_iter().chain(&context.pools).any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(format!("a name of more than {TEXT_BYTES_MAX} bytes"));
        }
        let pool = |name: &String| PoolInputs { name: name.into(), ..PoolInputs::default() };
        self.now.policy.clone_from(&context.policy);
        self.now.mode.clone_from(&context.mode);
        self.now.source.clone_from(&context.source);
        self.now.limit_kind.clone_from(&context.limit_kind);
        self.now.inputs.level.clone_from(&context.level);
        self.now.inputs.pools = context.pools.iter().map(pool).collect();
        let fresh = || vec![Cell::default(); self.pool_places.len()];
        self.pools = cells_of(&context, &self.context, std::mem::take(&mut self.pools), fresh);
        self.context = context;
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.starts_with('{') {
            let context = serde_json::from_str(line).map_err(|e| format!("not what has changed: {e}"))?;
            return self.change(context);
        }
        let mut parts = line.split(';');
        update(&mut self.process, parts.next().unwrap_or(""))?;
        take(&self.process, &self.places, &mut self.now);
        let mut next = 0;
        for part in parts {
            let (number, figures) = part.split_once(':').unwrap_or(("", part));
            let at = match number {
                "" => next,
                number => number.parse().map_err(|_| format!("{number:?} is no number of a pool"))?,
            };
            let known = self.pools.len();
            update(self.pools.get_mut(at).ok_or_else(|| format!("pool {at} of {known}"))?, figures)?;
            next = at + 1;
        }
        for (pool, cells) in self.now.inputs.pools.iter_mut().zip(&self.pools) {
            take(cells, &self.pool_places, pool);
        }
        self.keep();
        Ok(())
    }

    /// Keeps the moment, and forgets the oldest ones if there are too many.
    fn keep(&mut self) {
        let cells = |moment: &Moment| moment.inputs.pools.len().max(1);
        self.cells += cells(&self.now);
        self.moments.push_back(self.now.clone());
        while self.cells > Record::CELLS_MAX {
            let Some(oldest) = self.moments.pop_front() else { break };
            self.cells -= cells(&oldest);
            self.left_out += 1;
        }
    }
}

static KNOWN: &[Figure<Moment>] = &FIGURES;
static KNOWN_OF_POOLS: &[Figure<PoolInputs>] = &POOL_FIGURES;

fn places_of<T>(names: &[String], figures: &'static [Figure<T>]) -> Places<T> {
    names.iter().map(|name| figures.iter().find(|figure| figure.name == name.as_str())).collect()
}

/// Adds the differences of a line.
fn update(cells: &mut [Cell], figures: &str) -> Result<(), String> {
    for (n, figure) in figures.split(',').enumerate().filter(|(_, figure)| !figure.is_empty()) {
        let count = cells.len();
        let cell = cells.get_mut(n).ok_or_else(|| format!("figure {} of {count}", n + 1))?;
        if figure == "?" {
            cell.is_known = false;
            continue;
        }
        let difference: i64 = figure.parse().map_err(|_| format!("{figure:?} is no difference"))?;
        *cell = Cell { number: cell.number.wrapping_add(difference), is_known: true };
    }
    Ok(())
}

/// Puts the figures where they belong.
fn take<T>(cells: &[Cell], places: &Places<T>, to: &mut T) {
    for (cell, place) in cells.iter().zip(places) {
        if let Some(figure) = place {
            (figure.set)(to, cell.is_known.then_some(cell.number));
        }
    }
}
