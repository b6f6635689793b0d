//! The terminal: one status that is redrawn in place, and lines above it that stay.
//!
//! [`frame`] says what is shown and knows no terminal; here it gets onto one. Where stdout is no terminal, there
//! is a plain line per second instead; with `--json` there is nothing but the summary.

pub(crate) mod frame;

use frame::Status;
use std::io::{IsTerminal as _, Write as _};

/// Where the status goes.
#[derive(Debug)]
pub(crate) struct Screen {
    kind: Kind,
    /// Lines of the status that stand on the terminal.
    drawn: usize,
    /// Nobody reads any more.
    closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Redrawn in place.
    Terminal,
    /// A line per second.
    Plain,
    /// Nothing.
    Silent,
}

/// Columns and rows of a terminal that does not say.
const SIZE_DEFAULT: (usize, usize) = (100, 24);

impl Screen {
    /// For stdout as it is; `silent` shows nothing but what is asked for at the end.
    pub(crate) fn new(silent: bool) -> Self {
        let kind = match (silent, std::io::stdout().is_terminal()) {
            (true, _) => Kind::Silent,
            (false, true) => Kind::Terminal,
            (false, false) => Kind::Plain,
        };
        Self { kind, drawn: 0, closed: false }
    }

    /// Whether stdout has been closed by whoever read it.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Shows the status as it is now. Where it cannot be redrawn, it is shown at `whole_second`s only.
    pub(crate) fn draw(&mut self, status: &Status<'_>, whole_second: bool) {
        match self.kind {
            Kind::Silent => {}
            Kind::Plain if !whole_second => {}
            Kind::Plain => self.write(&format!("{}\n", frame::line(status))),
            Kind::Terminal => {
                let (columns, rows) = size();
                let lines = frame::block(status, columns);
                // What has scrolled away cannot be taken back.
                let lines = &lines[..lines.len().min(rows - 1)];
                let mut text = self.erase();
                for line in lines {
                    text += line;
                    text.push('\n');
                }
                self.drawn = lines.len();
                self.write(&text);
            }
        }
    }

    /// Says where the page is, where the status does not show it all the time.
    pub(crate) fn introduce(&mut self, page: &str) {
        if self.kind == Kind::Plain {
            self.say(&format!("live page: {page}"));
        }
    }

    /// A line that stays. Silent screens let it go.
    pub(crate) fn say(&mut self, line: &str) {
        if self.kind != Kind::Silent {
            let text = format!("{}{line}\n", self.erase());
            self.drawn = 0;
            self.write(&text);
        }
    }

    /// Text at the end of the run, on every screen; the last status stays above it.
    pub(crate) fn finish(&mut self, text: &str) {
        self.drawn = 0;
        self.write(&format!("{}\n", text.trim_end()));
    }

    /// Takes the status off the terminal; what is written next stands in its place.
    fn erase(&self) -> String {
        if self.drawn == 0 { String::new() } else { format!("\x1b[{}A\r\x1b[J", self.drawn) }
    }

    fn write(&mut self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            self.closed = true;
        }
    }
}

/// Columns and rows of the terminal on stdout; both are 1 at least.
fn size() -> (usize, usize) {
    let known =
        rustix::termios::tcgetwinsize(std::io::stdout()).ok().filter(|s| s.ws_col > 0 && s.ws_row > 0);
    known.map_or(SIZE_DEFAULT, |size| (usize::from(size.ws_col), usize::from(size.ws_row)))
}
