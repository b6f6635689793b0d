//! A process that is killed leaves its last minutes behind. The process is this test binary, run again with a variable.

use pool_controller::postmortem::PostMortem;
use pool_controller::{Controller, LimitSource, Mode};
use pool_core::{Pool, Registry};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const VARIABLE: &str = "EBBPOOL_TEST_RING";
/// For what must come to pass, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Victim {
    child: Child,
    folder: PathBuf,
}

impl Victim {
    fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("ebbpool-postmortem-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "the_victim", "--nocapture"]).env(VARIABLE, folder.join("ring"));
        let child = command
            .env_remove("EBBPOOL_CONTROLLER")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    fn ring(&self) -> PathBuf {
        self.folder.join("ring")
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What is killed: a service with a pool that lends and a controller that writes. A test like others without the
/// variable, which then has nothing to do.
#[test]
fn the_victim() {
    let Some(ring) = std::env::var_os(VARIABLE) else { return };
    let registry = Registry::new();
    let pool = Pool::builder("http.body").registry(&registry).build_with(|| vec![1_u8; 1 << 20]).unwrap();
    let builder = Controller::builder().registry(&registry).mode(Mode::Enforce).postmortem(Path::new(&ring));
    let handle = builder.limit(LimitSource::Simulated(1 << 40)).build().unwrap().spawn().unwrap();
    let _lent: Vec<_> = (0..3).map(|_| pool.get()).collect();
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let tick = handle.status().memory.tick;
        let _ = handle.wait_newer(tick, PATIENCE);
    }
}

#[test]
fn a_killed_process_leaves_its_last_ticks() {
    let mut victim = Victim::start();
    let deadline = Instant::now() + PATIENCE;
    // The file is made before it is written to.
    let lent = |read: &PostMortem| read.records.last().is_some_and(|record| record.lent_bytes >= 3 << 20);
    while !PostMortem::read(&victim.ring()).is_ok_and(|read| lent(&read) && read.records.len() >= 3) {
        assert!(Instant::now() < deadline, "it does not write");
        std::thread::sleep(Duration::from_millis(20));
    }
    victim.child.kill().unwrap();
    let status = victim.child.wait().unwrap();
    assert!(!status.success());
    let read = PostMortem::read(&victim.ring()).unwrap();
    assert_eq!(read.pid, victim.child.id());
    let last = read.records.last().unwrap();
    assert_eq!((last.mode.as_str(), last.limit_bytes), ("enforce", Some(1 << 40)));
    assert_eq!((last.pools[0].name.as_str(), last.pools[0].lent_bytes >= 3 << 20), ("http.body", true));
    assert!(read.records.windows(2).all(|pair| pair[0].tick < pair[1].tick));
    let text = read.to_string();
    assert!(text.contains("pools at the end") && text.contains("http.body"), "{text}");
}
