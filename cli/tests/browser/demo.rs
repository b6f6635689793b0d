//! The demo as a child of the test: started on a free port, gone when the test is.

use crate::http;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// A demo that has not said its address by then has not started, however slow the machine.
const START_TIME_MAX: Duration = Duration::from_secs(120);

/// A running demo under a simulated limit. Dropping it kills it; its service ends with it.
pub(crate) struct Demo {
    process: Child,
    address: SocketAddr,
}

impl Demo {
    /// On any free port.
    pub(crate) fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// On this address; port 0 is any free one. One that was given up a moment ago may be in use a little longer,
    /// by the connections of a page that asks for it all the time.
    pub(crate) fn start_at(address: SocketAddr) -> Self {
        super::eventually("the demo starts", START_TIME_MAX, || match Self::try_start(address) {
            Ok(demo) => Some(demo),
            Err(said) => {
                assert!(said.iter().any(|line| line.contains("cannot listen on")), "{said:#?}");
                eprintln!("started again, because it said {said:#?}");
                None
            }
        })
    }

    /// If it does not start: what it said.
    fn try_start(address: SocketAddr) -> Result<Self, Vec<String>> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ebbpool"))
            // Longer than any test; it is killed when the test ends.
            .args(["demo", "--for", "900s", "--admin", &address.to_string()])
            // What the caller's environment says of controllers and faults is not for this test.
            .env_remove("EBBPOOL_CONTROLLER")
            .env_remove("FAILPOINTS")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the demo can be started");
        let (say, lines) = channel();
        listen(process.stdout.take(), say.clone());
        listen(process.stderr.take(), say);
        // From here on a panic kills the process.
        let mut demo = Self { process, address };
        demo.address = address_of_page(&lines)?;
        Ok(demo)
    }

    /// Where the admin routes are.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The page's URL.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Asks the admin routes.
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, answer) = http::call(self.address, "GET", path, None).expect("the service answers");
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Kills it and waits until its service has let go of the port.
    pub(crate) fn kill(mut self) {
        let address = self.address;
        self.end();
        super::eventually("the service is gone", START_TIME_MAX, || {
            http::call(address, "GET", "/healthz", None).is_err().then_some(())
        });
    }

    fn end(&mut self) {
        // It may have ended by itself; waiting takes it off the process table in either case.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.end();
    }
}

/// Passes on what the demo says, until it says no more, so that it never waits for a reader.
fn listen(stream: Option<impl Read + Send + 'static>, say: Sender<String>) {
    let stream = stream.expect("the stream is a pipe");
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = say.send(line);
        }
    });
}

/// The first URL that the demo says is its page's; else all that it said.
fn address_of_page(lines: &Receiver<String>) -> Result<SocketAddr, Vec<String>> {
    let until = Instant::now() + START_TIME_MAX;
    let mut said = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(line) = lines.recv_timeout(left) else { return Err(said) };
        let url = line.split("http://").nth(1).map(|rest| {
            rest.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').next().unwrap_or_default()
        });
        if let Some(address) = url.and_then(|address| address.parse().ok()) {
            return Ok(address);
        }
        said.push(line);
    }
}
