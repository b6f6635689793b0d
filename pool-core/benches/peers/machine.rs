//! The machine that the figures come from. Where the system does not tell, it says "unknown".

use crate::rows::{go, versions};
use std::process::{Command, Stdio};

pub(crate) struct Machine {
    /// In the order in which they are shown.
    pub(crate) facts: Vec<(&'static str, String)>,
}

impl Machine {
    /// Before the measurement.
    pub(crate) fn look() -> Self {
        let cores = std::thread::available_parallelism().map_or_else(|_| unknown(), |n| n.to_string());
        let mut facts = vec![
            ("cpu", cpu_model(&read("/proc/cpuinfo")).unwrap_or_else(unknown)),
            ("cores", cores),
            ("kernel", trimmed(&read("/proc/sys/kernel/osrelease"))),
            ("rustc", rustc()),
            ("go", go::version().unwrap_or_else(|| "none".to_owned())),
        ];
        facts.extend(versions());
        facts.push(("load_at_start", load()));
        Self { facts }
    }

    /// After it: a machine that had other things to do shows it here.
    pub(crate) fn look_again(&mut self) {
        self.facts.push(("load_at_end", load()));
    }
}

/// Runnable threads on average of the last minute, five minutes and fifteen.
fn load() -> String {
    let text = read("/proc/loadavg");
    let averages: Vec<_> = text.split_whitespace().take(3).collect();
    trimmed(&averages.join(" "))
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").stdin(Stdio::null()).output();
    output.map_or_else(|_| unknown(), |output| trimmed(&String::from_utf8_lossy(&output.stdout)))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn trimmed(text: &str) -> String {
    if text.trim().is_empty() { unknown() } else { text.trim().to_owned() }
}

fn unknown() -> String {
    "unknown".to_owned()
}
