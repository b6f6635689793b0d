//! The child as its parent sees it: started, greeted, and ended on every path.

use super::process::ServiceOptions;
use super::wire::{Hello, START};
use crate::allocator;
use crate::failure::Failure;
use crate::limit::Launcher;
use anyhow::{Context as _, anyhow};
use clap::ValueEnum as _;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child as Process, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A child that does not serve after this does not start at all.
const START_TIME_MAX: Duration = Duration::from_secs(20);
/// From the end of its stdin to its own end.
const END_TIME_MAX: Duration = Duration::from_secs(5);

/// A running service. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Child {
    process: Process,
    stdin: Option<ChildStdin>,
    /// Where the service listens.
    pub(crate) service: SocketAddr,
    /// Where the admin routes are.
    pub(crate) admin: SocketAddr,
    /// What it says on stderr, line by line.
    pub(crate) said: mpsc::UnboundedReceiver<String>,
}

/// How a child ended that was not asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fall {
    /// By SIGKILL.
    Sigkill,
    /// By another signal.
    Signal(i32),
    /// By itself, with this status.
    Exit(i32),
}

impl Child {
    /// Starts the service, under the launcher's limit if there is one.
    ///
    /// # Errors
    /// [`Failure::Usage`] with what the child says against it, or if it does not begin to serve.
    pub(crate) async fn start(
        launcher: Option<&Launcher>,
        options: &ServiceOptions,
    ) -> Result<Self, Failure> {
        Self::try_start(launcher, options).await.map_err(Failure::Usage)
    }

    async fn try_start(launcher: Option<&Launcher>, options: &ServiceOptions) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = launcher
            .map_or_else(|| std::process::Command::new(&program), |launcher| launcher.command(&program));
        if !options.allocator_defaults {
            // What somebody has set is what they want to see.
            let unset = |(name, _): &(&str, &str)| std::env::var_os(name).is_none();
            command.envs(allocator::GIVE_BACK_AT_ONCE.into_iter().filter(unset));
        }
        command.args(arguments(options)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C in a terminal is for the parent, which ends the child in its own time.
        command.process_group(0);
        let mut process =
            Command::from(command).kill_on_drop(true).spawn().context("cannot start the service")?;
        let mut stdin = process.stdin.take().ok_or_else(|| anyhow!("the service has no stdin"))?;
        let stdout = process.stdout.take().ok_or_else(|| anyhow!("the service has no stdout"))?;
        let stderr = process.stderr.take().ok_or_else(|| anyhow!("the service has no stderr"))?;
        let (say, mut said) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        // If it is gone already, the missing hello says so better.
        let _ = stdin.write_all(format!("{START}\n").as_bytes()).await;
        let mut hello = String::new();
        let greeted = timeout(START_TIME_MAX, BufReader::new(stdout).read_line(&mut hello)).await;
        if !matches!(greeted, Ok(Ok(bytes)) if bytes > 0) {
            let _ = process.start_kill();
            let status =
                process.wait().await.context("the service did not start and cannot be waited for")?;
            let mut words = String::new();
            while let Ok(line) = said.try_recv() {
                words = words + "; " + &line;
            }
            anyhow::bail!("the service did not start ({status}){words}");
        }
        match serde_json::from_str(&hello).with_context(|| format!("the service said {hello:?}"))? {
            Hello::Ready { service, admin } => Ok(Self { process, stdin: Some(stdin), service, admin, said }),
            Hello::Refused(why) => {
                drop(stdin);
                let _ = timeout(END_TIME_MAX, process.wait()).await;
                anyhow::bail!(why)
            }
        }
    }

    /// Waits until the child ends although nobody asked it to.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub(crate) async fn fall(&mut self) -> std::io::Result<Fall> {
        self.process.wait().await.map(fall)
    }

    /// How the child has ended, if it has.
    pub(crate) fn fallen(&mut self) -> Option<Fall> {
        self.process.try_wait().ok().flatten().map(fall)
    }

    /// Asks the child to end and waits until it has; one that does not is killed.
    ///
    /// # Errors
    /// If it had to be killed, or ended badly.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        drop(self.stdin.take());
        let Ok(status) = timeout(END_TIME_MAX, self.process.wait()).await else {
            self.process.kill().await.context("cannot kill the service")?;
            anyhow::bail!("the service did not end within {} s and was killed", END_TIME_MAX.as_secs());
        };
        let status = status.context("cannot wait for the service")?;
        anyhow::ensure!(status.success(), "the service ended with {status}");
        Ok(())
    }
}

fn fall(status: ExitStatus) -> Fall {
    const SIGKILL: i32 = 9;
    match (status.signal(), status.code()) {
        (Some(SIGKILL), _) => Fall::Sigkill,
        (Some(signal), _) => Fall::Signal(signal),
        (None, code) => Fall::Exit(code.unwrap_or_default()),
    }
}

/// The command line of the hidden subcommand.
fn arguments(options: &ServiceOptions) -> Vec<OsString> {
    let ServiceOptions {
        pools,
        fixed_percent,
        allocator_defaults,
        admin,
        simulated_limit_bytes,
        faults,
        broken,
        postmortem,
    } = options;
    let pools = pools.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut arguments: Vec<OsString> = vec![
        "demo-service".into(),
        format!("--pools={pools}").into(),
        format!("--fixed-percent={fixed_percent}").into(),
        format!("--admin={admin}").into(),
    ];
    arguments.extend(simulated_limit_bytes.map(|bytes| format!("--simulated-limit={bytes}").into()));
    arguments.extend(allocator_defaults.then(|| "--allocator-defaults".into()));
    arguments.extend(faults.then(|| "--faults".into()));
    arguments.extend(postmortem.iter().flat_map(|file| ["--postmortem".into(), file.into()]));
    arguments.extend(broken.map(|broken| format!("--broken={}", broken.as_str()).into()));
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_says_how_it_came() {
        assert_eq!(fall(ExitStatus::from_raw(9)), Fall::Sigkill);
        assert_eq!(fall(ExitStatus::from_raw(15)), Fall::Signal(15));
        assert_eq!(fall(ExitStatus::from_raw(3 << 8)), Fall::Exit(3));
    }
}
