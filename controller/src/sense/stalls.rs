//! What the kernel says this process waits for: memory (PSI), pages to be read (major faults), and processors that
//! it may not have (throttling) beside the time that it has had them.
//!
//! Stalls are those of our own group; the machine's only where no group tells its own: what neighbours wait for
//! is no reason for anything here. All figures are totals since some start; [`Recent`] makes shares of them.

use super::file::{KernelFile, Root};
use super::locate;
use super::reading::{Reading, Why};
use std::collections::VecDeque;
use std::time::Duration;

/// Totals of one moment. Each rises, or is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StallSample {
    /// Time for which some task waited for memory, µs.
    pub psi_some_us: Reading<u64>,
    /// Whether that is of our own group, and not of the whole machine.
    pub psi_is_own: bool,
    /// Periods in which the group had used up its share of the processors.
    pub throttled_total: Reading<u64>,
    /// Processor time that this process has had, µs.
    pub cpu_us: Reading<u64>,
    /// Faults for which a page had to be read.
    pub major_faults: Reading<u64>,
}

/// The files, kept open. A sample costs some 10 µs.
#[derive(Debug)]
pub struct StallSensor {
    psi: KernelFile,
    psi_is_own: bool,
    cpu_stat: Option<KernelFile>,
    stat: KernelFile,
    supported: bool,
}

/// The kernel counts processor time in ticks of 10 ms for every program, whatever it does inside (`USER_HZ`).
const TICK_US: u64 = 10_000;

impl StallSensor {
    /// A sensor for this process.
    #[must_use]
    pub fn open() -> Self {
        let mut sensor = Self::open_at(std::path::Path::new("/"));
        sensor.supported = cfg!(target_os = "linux");
        sensor
    }

    /// A sensor for a tree that holds copies of `/proc` and `/sys/fs/cgroup`.
    #[must_use]
    pub fn open_at(root: &std::path::Path) -> Self {
        let root = Root::new(root);
        // Without groups that can be read, the machine and the process remain.
        let own = locate::own_groups(&root).unwrap_or_default();
        let of_group = own.unified.map(|dir| root.file(dir.join("memory.pressure")));
        let of_group = of_group.filter(KernelFile::exists);
        let psi_is_own = of_group.is_some();
        Self {
            psi: of_group.unwrap_or_else(|| root.file("/proc/pressure/memory")),
            psi_is_own,
            cpu_stat: own.cpu.map(|dir| root.file(dir.join("cpu.stat"))),
            stat: root.file("/proc/self/stat"),
            supported: true,
        }
    }

    /// Reads everything once.
    pub fn sample(&mut self) -> StallSample {
        if !self.supported {
            let none = || Reading::Invalid(Why::Unsupported);
            let (psi_some_us, throttled_total, cpu_us, major_faults) = (none(), none(), none(), none());
            return StallSample { psi_some_us, psi_is_own: false, throttled_total, cpu_us, major_faults };
        }
        let (cpu_us, major_faults) = match self.process() {
            Ok((cpu_us, major_faults)) => (Reading::Valid(cpu_us), Reading::Valid(major_faults)),
            Err(why) => (Reading::Invalid(why.clone()), Reading::Invalid(why)),
        };
        let throttled_total = self.throttled_total().into();
        StallSample {
            psi_some_us: self.psi_some_us().into(),
            psi_is_own: self.psi_is_own,
            throttled_total,
            cpu_us,
            major_faults,
        }
    }

    fn psi_some_us(&mut self) -> Result<u64, Why> {
        let text = self.psi.read()?;
        let line = text.lines().find_map(|line| line.strip_prefix("some "));
        let total = line.and_then(|line| line.split(' ').find_map(|field| field.strip_prefix("total=")));
        match total.map(str::parse) {
            Some(Ok(total)) => Ok(total),
            Some(Err(_)) => Err(self.psi.unparsable("total= of some")),
            None => Err(self.psi.lacks("some … total=")),
        }
    }

    /// A group without a share to use up has no such line, and is never throttled.
    fn throttled_total(&mut self) -> Result<u64, Why> {
        let Some(file) = &mut self.cpu_stat else { return Ok(0) };
        let [throttled] = file.keyed(["nr_throttled"])?;
        Ok(throttled.unwrap_or(0))
    }

    /// Processor time and major faults. The name of the process, in parentheses, may hold anything.
    fn process(&mut self) -> Result<(u64, u64), Why> {
        let text = self.stat.read()?;
        let fields = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let number = |n: usize| fields.split(' ').nth(n).and_then(|field| field.parse::<u64>().ok());
        // Numbers 12, 14 and 15 of the line; the first behind the name is number 3.
        match (number(9), number(11), number(12)) {
            (Some(major_faults), Some(user), Some(system)) => Ok(((user + system) * TICK_US, major_faults)),
            _ => Err(self.stat.unparsable("majflt, utime or stime")),
        }
    }
}

/// What a total has risen by in the last `window`, from samples at any times.
#[derive(Clone, Debug)]
pub(crate) struct Recent {
    window: Duration,
    samples: VecDeque<(Duration, u64)>,
}

/// Samples that are kept at most: what comes closer together than the window has room for is passed over.
const SAMPLES_MAX: u32 = 64;

impl Recent {
    pub(crate) const fn new(window: Duration) -> Self {
        Self { window, samples: VecDeque::new() }
    }

    /// Takes a reading and returns the rise and the time that it took, once a whole window has been seen. An invalid
    /// reading, or a total that fell, begins anew.
    pub(crate) fn push(&mut self, at: Duration, total: Option<u64>) -> Option<(u64, Duration)> {
        let last = self.samples.back().copied();
        let Some(total) = total.filter(|total| last.is_none_or(|(_, before)| before <= *total)) else {
            self.samples.clear();
            return None;
        };
        if last.is_none_or(|(then, _)| at >= then + self.window / SAMPLES_MAX) {
            self.samples.push_back((at, total));
        }
        while self.samples.get(1).is_some_and(|(then, _)| *then + self.window <= at) {
            self.samples.pop_front();
        }
        let (then, before) = *self.samples.front()?;
        let took = at.saturating_sub(then);
        (took >= self.window).then(|| (total - before, took))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sense::scratch::Scratch;

    const STAT: &str = "4242 (a) b (c)) S 1 2 3 4 5 6 7 8 77 10 250 50 13 14";

    fn tree(cgroup: &str, mounts: &str) -> Scratch {
        let tree = Scratch::new();
        tree.write("/proc/self/cgroup", cgroup);
        tree.write("/proc/self/mountinfo", mounts);
        tree.write("/proc/self/stat", STAT);
        tree.write("/proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=999\n");
        tree
    }

    #[test]
    fn a_group_tells_its_own_stalls_and_the_machines_are_not_looked_at() {
        let tree = tree("0::/svc\n", "2 1 0:2 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        tree.write(
            "/sys/fs/cgroup/svc/memory.pressure",
            "some avg10=1.00 total=4711\nfull avg10=0 total=1\n",
        );
        tree.write("/sys/fs/cgroup/svc/cpu.stat", "usage_usec 5\nnr_periods 9\nnr_throttled 3\n");
        let sample = StallSensor::open_at(tree.path()).sample();
        assert_eq!((sample.psi_some_us.value(), sample.psi_is_own), (Some(4711), true));
        assert_eq!(sample.throttled_total.value(), Some(3));
        assert_eq!((sample.cpu_us.value(), sample.major_faults.value()), (Some(3_000_000), Some(77)));
    }

    #[test]
    fn hybrid_groups_are_looked_for_where_each_of_them_is() {
        let tree = tree(
            "3:cpu,cpuacct:/a\n2:memory:/b\n0::/c\n",
            "2 1 0:2 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n3 1 0:3 / /cg/unified rw - cgroup2 cgroup2 rw\n",
        );
        tree.write("/cg/cpu/a/cpu.stat", "nr_throttled 8\n");
        tree.write("/cg/unified/c/memory.pressure", "some avg10=1.00 total=12\n");
        let sample = StallSensor::open_at(tree.path()).sample();
        assert_eq!((sample.psi_some_us.value(), sample.throttled_total.value()), (Some(12), Some(8)));
    }

    #[test]
    fn without_a_group_that_tells_the_machine_does() {
        let tree = tree("2:memory:/b\n", "2 1 0:2 / /cg/memory rw - cgroup cgroup rw,memory\n");
        tree.dir("/cg/memory/b");
        let sample = StallSensor::open_at(tree.path()).sample();
        assert_eq!((sample.psi_some_us.value(), sample.psi_is_own), (Some(999), false));
        assert_eq!(sample.throttled_total.value(), Some(0), "nothing to use up");
    }

    #[test]
    fn what_makes_no_sense_is_invalid_and_says_why() {
        let tree = tree("0::/\n", "2 1 0:2 / /cg rw - cgroup2 cgroup2 rw\n");
        tree.write("/cg/memory.pressure", "some avg10=0.00 total=many\n");
        tree.write("/proc/self/stat", "4242 (a) S 1");
        let sample = StallSensor::open_at(tree.path()).sample();
        let said = [&sample.psi_some_us, &sample.cpu_us].map(ToString::to_string);
        assert_eq!(
            said,
            [
                "invalid: /cg/memory.pressure makes no sense: \"total= of some\"",
                "invalid: /proc/self/stat makes no sense: \"majflt, utime or stime\"",
            ]
        );
    }

    #[test]
    fn recent_is_a_whole_window_and_begins_anew_after_a_gap() {
        let s = Duration::from_secs;
        let mut recent = Recent::new(s(2));
        let seen = [
            (0, Some(10)),
            (1, Some(11)),
            (2, Some(15)),
            (3, Some(30)),
            (4, None),
            (5, Some(40)),
            (6, Some(39)),
        ]
        .map(|(at, total)| recent.push(s(at), total));
        assert_eq!(seen, [None, None, Some((5, s(2))), Some((19, s(2))), None, None, None]);
    }

    #[test]
    fn recent_stays_small_however_often_it_is_fed() {
        let mut recent = Recent::new(Duration::from_secs(2));
        for n in 0..100_000 {
            recent.push(Duration::from_micros(n * 100), Some(n));
        }
        assert!(recent.samples.len() <= 66);
    }
}
