//! A served controller and a client of a few lines: what goes over the wire is what is tested.

use pool_controller::{Builder, Controller, Handle, LimitSource, Mode, admin};
use pool_core::{CanaryPool, LeaseLevel, Pool, Registry};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// For what must come to pass, however slow the machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A controller with a pool, and its routes on a port of their own.
pub(super) struct Served {
    pub(super) registry: Registry,
    pub(super) pool: Pool<Vec<u8>>,
    /// Another pool, with a canary beside it.
    pub(super) lines: CanaryPool<String>,
    pub(super) handle: Handle,
    pub(super) address: SocketAddr,
    // Dropping it ends the server.
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    pub(super) fn start(mode: Mode) -> Self {
        Self::start_with(mode, LeaseLevel::DEFAULT, Builder::LEASE_SUSPECT_AFTER_DEFAULT)
    }

    pub(super) fn start_with(mode: Mode, level: LeaseLevel, suspect_after: Duration) -> Self {
        let registry = Registry::new();
        let builder = Pool::builder("http.body").registry(&registry).lease_level(level);
        let pool = builder.build_with(Vec::new).expect("a pool");
        let builder = Controller::builder().registry(&registry).mode(mode).lease_suspect_after(suspect_after);
        Self::start_built(registry, pool, builder)
    }

    /// With a file of configuration.
    pub(super) fn start_configured(mode: Mode, file: &Path) -> Self {
        let registry = Registry::new();
        let pool = Pool::builder("http.body").registry(&registry).build_with(Vec::new).expect("a pool");
        let builder = Controller::builder().registry(&registry).mode(mode).config_file(file);
        Self::start_built(registry, pool, builder)
    }

    fn start_built(registry: Registry, pool: Pool<Vec<u8>>, builder: Builder) -> Self {
        let lines = Pool::builder("lines").registry(&registry);
        let lines = lines.build_canary_with(String::new, |canary| canary).expect("new names");
        let controller = builder.limit(LimitSource::Simulated(4 << 30)).build().expect("a controller");
        let handle = controller.spawn().expect("threads");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (ready, address) = std::sync::mpsc::channel();
        let router = handle.router();
        runtime.spawn(async move {
            let any = "127.0.0.1:0".parse().expect("an address");
            admin::serve(any, router, |address| ready.send(address).expect("someone waits")).await
        });
        let address = address.recv().expect("it serves");
        Self { registry, pool, lines, handle, address, _runtime: runtime }
    }

    /// What has happened before is in the status after it.
    pub(super) fn wait_for_a_tick(&self) {
        let tick = self.handle.status().memory.tick;
        assert!(self.handle.wait_newer(tick + 1, PATIENCE).is_some());
    }

    /// A change, with its header.
    pub(super) fn change(&self, method: &str, path: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-Ebbpool: 1\r\nContent-Length: {length}"
        );
        self.request(&format!("{head}\r\nConnection: close\r\n\r\n{body}"))
    }

    pub(super) fn request(&self, text: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(text.as_bytes()).expect("sent");
        let mut all = String::new();
        stream.read_to_string(&mut all).expect("an answer");
        let (head, body) = all.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    pub(super) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).expect(path)
    }

    /// Opens the event stream and leaves it open.
    pub(super) fn events(&self) -> BufReader<TcpStream> {
        self.stream("/v1/events")
    }

    /// Opens a stream and leaves it open.
    pub(super) fn stream(&self, path: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        BufReader::new(stream)
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

/// The data of the next event; `None` at the stream's end. One that says nothing for long has not ended.
pub(super) fn next_event(stream: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).expect("an event or the end") == 0 {
            return None;
        }
        if let Some(data) = line.strip_prefix("data: ") {
            return Some(serde_json::from_str(data).expect("JSON"));
        }
    }
}
