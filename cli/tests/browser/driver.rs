//! Chromium by ChromeDriver, in the few words of WebDriver that a page without forms needs.

use crate::http;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// ChromeDriver listens within this, or does not start, however slow the machine.
const START_TIME_MAX: Duration = Duration::from_secs(120);

/// What keeps Chromium from calling home, from needing a display, and from what a container does not grant.
const ARGUMENTS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one page. Dropping it ends browser and driver and removes the profile.
pub(crate) struct Browser {
    driver: Driver,
    session: String,
}

impl Browser {
    /// Starts driver and browser.
    ///
    /// # Panics
    /// If one of them is not on this machine, with what to install.
    pub(crate) fn start() -> Self {
        let chromium = program("chromium", "chromium");
        let driver = Driver::start();
        let arguments: Vec<_> = ARGUMENTS
            .into_iter()
            .map(str::to_owned)
            .chain([
                format!("--user-data-dir={}", driver.profile.display()),
                "--window-size=1180,1000".to_owned(),
            ])
            .collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
        }}});
        let session = driver.call("POST", "/session", Some(&wanted)).expect("Chromium starts");
        let id = session["sessionId"].as_str().expect("a session has an id").to_owned();
        Self { driver, session: format!("/session/{id}") }
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = (method == "POST").then_some(body);
        self.driver.call(method, &format!("{}{path}", self.session), body).expect("the browser obeys")
    }

    /// Loads a page.
    pub(crate) fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({"url": url}));
    }

    /// Gives the page another size, in CSS pixels; a headless window would not go below 500.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true});
        let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics});
        self.command("POST", "/goog/cdp/execute", &command);
    }

    /// Runs a function's body in the page and returns what it returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Warnings and errors in the console since the last call.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.command("POST", "/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().expect("the log is a list");
        let bad = entries.iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        bad.map(|entry| entry["message"].to_string()).collect()
    }
}

/// A running ChromeDriver and a profile for its browser.
struct Driver {
    process: Child,
    address: SocketAddr,
    profile: PathBuf,
}

impl Driver {
    fn start() -> Self {
        let mut process = Command::new(program("chromedriver", "chromium-driver"))
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("ChromeDriver can be started");
        let stdout = process.stdout.take().expect("the stream is a pipe");
        let nonce = process.id();
        let profile = std::env::temp_dir().join(format!("ebbpool-browser-{}-{nonce}", std::process::id()));
        // From here on a panic kills the process.
        let mut driver = Self { process, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), profile };
        let (found, port) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let words = line.strip_prefix("ChromeDriver was started successfully on port ");
                if let Some(port) = words.and_then(|rest| rest.trim_end_matches('.').parse::<u16>().ok()) {
                    let _ = found.send(port);
                }
            }
        });
        match port.recv_timeout(START_TIME_MAX) {
            Ok(port) => driver.address.set_port(port),
            Err(RecvTimeoutError::Timeout) => panic!("ChromeDriver did not say its port"),
            Err(RecvTimeoutError::Disconnected) => panic!("ChromeDriver ended: {:?}", driver.process.wait()),
        }
        std::fs::create_dir(&driver.profile).expect("a new folder in the temporary folder");
        driver
    }

    /// The answer's `value`.
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let (status, mut answer) = http::call(self.address, method, path, body)?;
        if status == 200 { Ok(answer["value"].take()) } else { Err(format!("{path}: {answer}")) }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Told to, it ends its browsers first. Killed, it would leave them behind, even one whose start it has not
        // reported yet.
        if let Err(e) = self.call("GET", "/shutdown", None) {
            eprintln!("a browser may be left behind: {e}");
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Where a program is.
///
/// # Panics
/// If it is nowhere, with what to install.
fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "{name} is not on this machine; it is in Debian's package {package}, which `cargo xtask test --install` \
             installs, and `cargo xtask test --without browser` does without"
        )
    })
}
