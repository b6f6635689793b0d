//! What this process holds resident, and what the machine has. Knows nothing of cgroups.

use super::file::{KernelFile, Root};
use super::reading::{Why, at_most, nonzero};

/// The three files, kept open. `statm` costs about 1 µs a read, `meminfo` and `status` about 10 µs.
#[derive(Debug)]
pub(super) struct ProcessFiles {
    statm: KernelFile,
    status: KernelFile,
    meminfo: KernelFile,
    page_bytes: u64,
}

/// The machine's memory.
#[derive(Clone, Debug)]
#[allow(clippy::struct_field_names, reason = "a unit is the end of a name")]
pub(super) struct Machine {
    pub(super) total_bytes: Result<u64, Why>,
    pub(super) available_bytes: Result<u64, Why>,
    /// None, unless it is told.
    pub(super) swap_bytes: u64,
}

impl Machine {
    /// What can be in use at most: of memory, or of memory and swap together. `None` if that is not known.
    pub(super) fn reach_bytes(&self, with_swap: bool) -> Option<u64> {
        let total = *self.total_bytes.as_ref().ok()?;
        Some(if with_swap { total.saturating_add(self.swap_bytes) } else { total })
    }
}

impl ProcessFiles {
    pub(super) fn new(root: &Root, page_bytes: u64) -> Self {
        Self {
            statm: root.file("/proc/self/statm"),
            status: root.file("/proc/self/status"),
            meminfo: root.file("/proc/meminfo"),
            page_bytes,
        }
    }

    /// Resident bytes of this process. Zero and more than the machine has are refused.
    pub(super) fn rss_bytes(&mut self, machine: &Machine) -> Result<u64, Why> {
        let text = self.statm.read()?.trim().to_owned();
        let pages = text.split_ascii_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
        let bytes = pages.and_then(|pages| pages.checked_mul(self.page_bytes));
        let bytes = nonzero(bytes.ok_or_else(|| self.statm.unparsable(&text))?)?;
        machine.total_bytes.as_ref().map_or(Ok(bytes), |total| at_most(bytes, "above MemTotal,", *total))
    }

    /// The most that was ever resident, as the kernel saw it.
    pub(super) fn rss_peak_bytes(&mut self) -> Option<u64> {
        let [peak] = self.status.keyed(["VmHWM"]).ok()?;
        peak?.checked_mul(1024).filter(|bytes| *bytes > 0)
    }

    /// `MemTotal`, `MemAvailable` and `SwapTotal`.
    pub(super) fn machine(&mut self) -> Machine {
        match self.meminfo.keyed(["MemTotal", "MemAvailable", "SwapTotal"]) {
            Err(why) => Machine { total_bytes: Err(why.clone()), available_bytes: Err(why), swap_bytes: 0 },
            Ok([total, available, swap]) => {
                let bytes = |kib: Option<u64>, key| {
                    let bytes = kib.ok_or_else(|| self.meminfo.lacks(key))?.checked_mul(1024);
                    bytes.ok_or_else(|| self.meminfo.unparsable(key))
                };
                let total_bytes = bytes(total, "MemTotal").and_then(nonzero);
                let available_bytes = bytes(available, "MemAvailable").and_then(|available| {
                    let Ok(total) = total_bytes else { return Ok(available) };
                    at_most(available, "above MemTotal,", total)
                });
                let swap_bytes = swap.unwrap_or(0).saturating_mul(1024);
                Machine { total_bytes, available_bytes, swap_bytes }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense::scratch::Scratch;

    fn read(statm: &str, meminfo: &str) -> (Result<u64, Why>, Machine) {
        let tree = Scratch::new();
        tree.write("/proc/self/statm", statm);
        tree.write("/proc/meminfo", meminfo);
        let mut files = ProcessFiles::new(&Root::new(tree.path()), 4096);
        let machine = files.machine();
        (files.rss_bytes(&machine), machine)
    }

    const MEMINFO: &str = "MemTotal:  4096 kB\nMemFree: 1 kB\nMemAvailable: 1024 kB\nSwapTotal: 2048 kB\n";

    #[test]
    fn pages_and_kibibytes_become_bytes() {
        let (rss, machine) = read("765 418 390 5 0 123 0\n", MEMINFO);
        assert_eq!(rss, Ok(418 * 4096));
        assert_eq!(
            [false, true].map(|with_swap| machine.reach_bytes(with_swap)),
            [Some(4 << 20), Some(6 << 20)]
        );
        assert_eq!((machine.total_bytes, machine.available_bytes), (Ok(4 << 20), Ok(1 << 20)));
    }

    #[test]
    fn zero_and_more_than_the_machine_has_are_refused() {
        assert_eq!(read("765 0 0", MEMINFO).0, Err(Why::Zero));
        let too_much = Err(Why::Implausible { value: 2000 * 4096, rule: "above MemTotal,", bound: 4 << 20 });
        assert_eq!(read("9999 2000 0", MEMINFO).0, too_much);
        assert!(matches!(read("765", MEMINFO).0, Err(Why::Unparsable { text, .. }) if text == "765"));
    }

    #[test]
    fn a_machine_that_contradicts_itself_is_refused() {
        let (_, machine) = read("7 7", "MemTotal: 4 kB\nMemAvailable: 5 kB\n");
        assert!(matches!(machine.available_bytes, Err(Why::Implausible { value: 5120, bound: 4096, .. })));
        let (rss, machine) = read("7 7", "MemTotal: 0 kB\n");
        assert_eq!((rss, machine.total_bytes), (Ok(7 * 4096), Err(Why::Zero)));
        let lacks = Why::Unparsable { path: "/proc/meminfo".into(), text: "no line MemAvailable".into() };
        assert_eq!(machine.available_bytes, Err(lacks));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn reads_this_process() {
        let mut files = ProcessFiles::new(&Root::new("/".as_ref()), crate::sys::page_bytes());
        let machine = files.machine();
        let rss = files.rss_bytes(&machine).expect("a running process has memory");
        // Figures of one process that are taken at different moments, and a counter kept per processor.
        assert!(files.rss_peak_bytes().expect("a peak") + (8 << 20) > rss);
        assert!(machine.available_bytes.expect("Linux") < machine.total_bytes.expect("Linux"));
    }
}
