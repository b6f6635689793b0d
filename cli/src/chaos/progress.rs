//! What a chaos run shows while it runs: on stderr, so that stdout has the report alone.

use crate::units::mib;
use pool_chaos::broken::Broken;
use pool_chaos::runner::{Progress, Recording, Trace};
use std::io::{IsTerminal as _, Write as _};

/// One line that is redrawn on a terminal; elsewhere a line for each part of the run.
pub(super) struct Display {
    build: &'static str,
    phase: String,
    terminal: bool,
}

impl Display {
    pub(super) fn new(broken: Option<Broken>) -> Self {
        let build = broken.map_or("as it ships", Broken::as_str);
        Self { build, phase: String::new(), terminal: std::io::stderr().is_terminal() }
    }

    pub(super) fn show(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Phase(phase) => {
                (*phase).clone_into(&mut self.phase);
                if !self.terminal {
                    eprintln!("{}: {phase}", self.build);
                }
            }
            Progress::Look(recording) if self.terminal => {
                // Erases to the end of the line, for a longer one before it.
                eprint!("\r{}\x1b[K", self.line(recording));
                let _ = std::io::stderr().flush();
            }
            Progress::Look(_) => {}
        }
    }

    pub(super) fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }

    fn line(&self, recording: &Recording) -> String {
        let at = recording.subject.samples.last().map_or(0, |sample| sample.at.as_secs());
        let control = recording.control.as_ref().map_or(String::new(), |c| format!(", control {}", usage(c)));
        let hits: u64 = recording
            .subject
            .samples
            .last()
            .and_then(|sample| sample.faults.as_ref())
            .map_or(0, |faults| faults.hits_total.values().sum());
        format!(
            "{at:4} s  {}: {:12} usage {}{control}, {hits} hits",
            self.build,
            self.phase,
            usage(&recording.subject)
        )
    }
}

fn usage(trace: &Trace) -> String {
    let memory = trace.samples.last().and_then(|sample| sample.memory.as_ref());
    memory.and_then(|memory| memory.usage_bytes).map_or_else(|| "?".to_owned(), mib)
}
