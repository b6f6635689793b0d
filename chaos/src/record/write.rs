//! Writes a record, a line a moment.

use super::figures::{FIGURES, Figure, POOL_FIGURES};
use super::{Cell, Context, FORMAT, Header, VERSION, cells_of};
use pool_controller::Moment;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Writes moments to `W`, each in one write of whole lines as it comes. What is written stays good whatever happens to
/// the writer afterwards.
///
/// ```
/// use pool_chaos::record::{Record, Recorder};
/// use pool_controller::Moment;
/// let mut file = Vec::new();
/// let mut recorder = Recorder::new(&mut file, "example 1.0");
/// for at_ms in [0, 250, 500] {
///     recorder.write(&Moment { at_ms, ..Moment::default() })?;
/// }
/// let record = Record::parse(&file)?;
/// assert_eq!(record.moments.iter().map(|moment| moment.at_ms).collect::<Vec<_>>(), [0, 250, 500]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recorder<W> {
    out: W,
    program: String,
    context: Option<Context>,
    process: [Cell; FIGURES.len()],
    /// Of each pool of the context.
    pools: Vec<[Cell; POOL_FIGURES.len()]>,
}

impl<W: Write> Recorder<W> {
    /// A recorder; `program` is who writes, for the header. Nothing is written before the first moment.
    pub fn new(out: W, program: &str) -> Self {
        let (process, pools) = ([Cell::default(); FIGURES.len()], Vec::new());
        Self { out, program: program.to_owned(), context: None, process, pools }
    }

    /// Writes one moment; returns how many bytes that took.
    ///
    /// # Errors
    /// What the writer says. The line may be there in part; no further moment should be written.
    pub fn write(&mut self, moment: &Moment) -> io::Result<usize> {
        let mut text = self.context_line(moment)?;
        write_cells(&mut text, &mut self.process, &FIGURES, moment);
        let mut next = 0;
        for (n, (pool, cells)) in moment.inputs.pools.iter().zip(&mut self.pools).enumerate() {
            let mut figures = String::new();
            write_cells(&mut figures, cells, &POOL_FIGURES, pool);
            if figures.is_empty() {
                continue;
            }
            text.push(';');
            if n != next {
                // Writing to a string does not fail.
                let _ = write!(text, "{n}:");
            }
            text.push_str(&figures);
            next = n + 1;
        }
        text.push('\n');
        self.out.write_all(text.as_bytes())?;
        Ok(text.len())
    }

    /// What was written to.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// The line before a moment, if there has to be one.
    fn context_line(&mut self, moment: &Moment) -> io::Result<String> {
        if self.context.as_ref().is_some_and(|context| context.is_of(moment)) {
            return Ok(String::new());
        }
        let (is_first, before) = (self.context.is_none(), self.context.take().unwrap_or_default());
        let context = self.context.insert(Context::of(moment)).clone();
        let fresh = || [Cell::default(); POOL_FIGURES.len()];
        self.pools = cells_of(&context, &before, std::mem::take(&mut self.pools), fresh);
        let line = if is_first {
            serde_json::to_string(&Header {
                format: FORMAT.to_owned(),
                version: VERSION,
                program: self.program.clone(),
                context,
                figures: FIGURES.iter().map(|figure| figure.name.to_owned()).collect(),
                pool_figures: POOL_FIGURES.iter().map(|figure| figure.name.to_owned()).collect(),
            })
        } else {
            serde_json::to_string(&context)
        };
        Ok(line.map_err(io::Error::other)? + "\n")
    }
}

/// The differences of `now`, without those at the end that are none.
fn write_cells<T>(text: &mut String, cells: &mut [Cell], figures: &[Figure<T>], now: &T) {
    let mut commas = 0;
    for (n, (cell, figure)) in cells.iter_mut().zip(figures).enumerate() {
        commas += usize::from(n > 0);
        let number = (figure.get)(now);
        let is_same = match number {
            None => !cell.is_known,
            Some(number) => cell.is_known && number == cell.number,
        };
        if is_same {
            continue;
        }
        text.extend(std::iter::repeat_n(',', std::mem::take(&mut commas)));
        match number {
            None => text.push('?'),
            Some(number) => {
                // Writing to a string does not fail.
                let _ = write!(text, "{}", number.wrapping_sub(cell.number));
            }
        }
        *cell = Cell { number: number.unwrap_or(cell.number), is_known: number.is_some() };
    }
}
