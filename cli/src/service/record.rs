//! Writes down what a service sees, moment by moment, until somebody or something ends it.

use super::stream::Events;
use super::{Client, Service};
use crate::failure::Failure;
use crate::interruption::Interruption;
use anyhow::{Context as _, anyhow};
use pool_chaos::record::Recorder;
use pool_controller::Moment;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// A service that says nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What is recorded, and where it goes.
#[derive(Clone, Debug)]
pub(crate) struct RecordOptions {
    pub(crate) service: Service,
    /// For how long; `None`: until it is interrupted.
    pub(crate) time: Option<Duration>,
    /// A file that is not there yet, or `-` for stdout.
    pub(crate) out: PathBuf,
}

/// Records.
///
/// # Errors
/// [`Failure::Usage`] if nothing was recorded, [`Failure::Run`] if it ended before its time.
pub(crate) async fn record(options: &RecordOptions) -> Result<(), Failure> {
    let mut interruption = Interruption::new().map_err(|e| Failure::Usage(e.into()))?;
    // Before anybody is asked; it is made when there is something to write.
    if !is_stdout(&options.out) && options.out.exists() {
        return Err(Failure::Usage(there_already(&options.out)));
    }
    let start = Instant::now();
    let first = async {
        let mut events = Client::new(options.service.clone()).events("/v1/inputs").await?;
        let first = next(&mut events).await?;
        anyhow::Ok((events, first))
    };
    let (mut events, first) = tokio::select! {
        first = first => first.map_err(Failure::Usage)?,
        () = interruption.comes() => return Err(Failure::usage("interrupted before the first moment")),
    };
    let mut output = Output::create(&options.out).map_err(Failure::Usage)?;
    eprintln!("recording {} to {}; Ctrl-C ends it", options.service, output.name);
    output.write(&first).map_err(Failure::Run)?;
    let end = options.time.map(|time| start + time);
    let ended = loop {
        let moment = tokio::select! {
            moment = next(&mut events) => moment,
            () = interruption.comes() => break Ok(()),
            () = sleep_until(end.unwrap_or(start)), if end.is_some() => break Ok(()),
        };
        let written = moment.and_then(|moment| output.write(&moment));
        match written {
            Ok(Written::Yes) => {}
            Ok(Written::NobodyReads) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let synced = output.end();
    eprintln!("{}", output.summary());
    ended.and(synced).map_err(Failure::Run)
}

/// The next moment; an end is an error, since nobody asked the service to end.
async fn next(events: &mut Events) -> anyhow::Result<Moment> {
    let gone = "the service went away";
    let data = timeout(SILENCE_MAX, events.next()).await;
    let data = data.map_err(|_| anyhow!("the service said nothing for {} s", SILENCE_MAX.as_secs()))?;
    let data = data.context(gone)?.ok_or_else(|| anyhow!(gone))?;
    serde_json::from_str(&data).context("what the service says is not what was expected")
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn there_already(path: &Path) -> anyhow::Error {
    anyhow!("{} is there already, and nothing is written over: --out FILE takes another name", path.display())
}

/// Whether a moment could be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Yes,
    /// Whoever read stdout has gone.
    NobodyReads,
}

/// Where the record goes, and what has gone there.
struct Output {
    name: String,
    recorder: Recorder<Sink>,
    moments: u64,
    bytes: usize,
    /// Of the first and the last moment, ms.
    span: Option<(u64, u64)>,
    pools: usize,
}

/// A file or stdout.
enum Sink {
    File(File),
    Stdout(io::Stdout),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

impl Output {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let (name, sink) = if is_stdout(path) {
            ("stdout".to_owned(), Sink::Stdout(io::stdout()))
        } else {
            let file = File::create_new(path).map_err(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => there_already(path),
                _ => anyhow!("{} cannot be made: {e}", path.display()),
            });
            (path.display().to_string(), Sink::File(file?))
        };
        let recorder = Recorder::new(sink, concat!("ebbpool ", env!("CARGO_PKG_VERSION")));
        Ok(Self { name, recorder, moments: 0, bytes: 0, span: None, pools: 0 })
    }

    fn write(&mut self, moment: &Moment) -> anyhow::Result<Written> {
        match self.recorder.write(moment) {
            Ok(bytes) => self.bytes += bytes,
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(Written::NobodyReads),
            Err(e) => return Err(anyhow!("{}: {e}; the moments until then are in it", self.name)),
        }
        self.moments += 1;
        self.span = Some((self.span.map_or(moment.at_ms, |(first, _)| first), moment.at_ms));
        self.pools = moment.inputs.pools.len();
        Ok(Written::Yes)
    }

    /// Some disks say only now that they are full.
    fn end(&mut self) -> anyhow::Result<()> {
        match self.recorder.get_ref() {
            Sink::File(file) => {
                file.sync_all().with_context(|| format!("{}: the end may be missing", self.name))
            }
            Sink::Stdout(_) => Ok(()),
        }
    }

    fn summary(&self) -> String {
        let seconds = self.span.map_or(0.0, |(first, last)| last.saturating_sub(first) as f64 / 1000.0);
        let per_second = self.bytes as f64 / seconds.max(0.25);
        format!(
            "{}: {} moments in {seconds:.1} s, pools: {}, {} bytes ({per_second:.0} a second)",
            self.name, self.moments, self.pools, self.bytes
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at_ms: u64) -> Moment {
        Moment { at_ms, ..Moment::default() }
    }

    #[test]
    fn a_file_is_never_written_over() {
        let path = std::env::temp_dir().join(format!("ebbpool-record-{}", std::process::id()));
        let mut output = Output::create(&path).unwrap();
        output.write(&moment(500)).unwrap();
        output.write(&moment(2500)).unwrap();
        let error = Output::create(&path).map(|_| ()).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains("is there already") && error.contains("--out"), "{error}");
        assert!(output.summary().contains("2 moments in 2.0 s"), "{}", output.summary());
    }

    /// `/dev/full` is a disk without room.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_with_the_files_name() {
        let full = Sink::File(File::options().write(true).open("/dev/full").unwrap());
        let recorder = Recorder::new(full, "test");
        let mut output = Output { name: "x".into(), recorder, moments: 0, bytes: 0, span: None, pools: 0 };
        let error = output.write(&moment(0)).unwrap_err().to_string();
        assert!(error.starts_with("x: No space left") && error.contains("until then are in it"), "{error}");
    }
}
