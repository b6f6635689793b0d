use super::*;
use crate::fake::FakePool;
use crate::{Builder, Controller, LimitSource, Mode};
use pool_core::Registry;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);

fn spawned(mode: Mode, built: impl FnOnce(Builder) -> Builder) -> (Registry, Arc<FakePool>, Handle) {
    let (registry, pool) = (Registry::new(), FakePool::new("a"));
    registry.register(Arc::clone(&pool) as Arc<dyn Managed>).expect("a new name");
    let builder = Controller::builder().registry(&registry).environment(None).mode(mode);
    let builder = built(builder.limit(LimitSource::Simulated(1 << 40)));
    let handle = builder.build().expect("a controller").spawn().expect("threads");
    (registry, pool, handle)
}

fn set(handle: &Handle, field: &str, value: &str) -> Result<(), Refused> {
    handle.override_knobs("a", &[(field.into(), value.into())], Override::TIME_MAX, "a test")
}

#[test]
fn what_is_read_stays_until_it_is_set() {
    // Nothing but overrides reads knobs.
    let (_registry, pool, handle) = spawned(Mode::Off, |builder| builder);
    let (shared, readings) = (Arc::clone(handle.shared()), Arc::new([AtomicU32::new(0), AtomicU32::new(0)]));
    let counted = Arc::clone(&readings);
    pool.on_reading(move || _ = counted[usize::from(shared.person.has_turn())].fetch_add(1, Relaxed));
    assert_eq!(set(&handle, "weight", "7"), Ok(()));
    assert_eq!(handle.withdraw_override("a", "weight"), Ok(true));
    let [alone, in_turn] = readings.each_ref().map(|count| count.load(Relaxed));
    assert!(alone == 0 && in_turn >= 2, "{alone} and {in_turn}");
    assert!(!handle.shared().person.has_turn(), "who is done lets others");
}

#[test]
fn who_sets_a_knob_does_not_wait_for_a_pass_that_the_loop_hangs_in() {
    let short = Duration::from_millis(500);
    let (registry, pool, handle) = spawned(Mode::Enforce, |builder| builder.lease(short));
    let (begins, begun) = channel();
    let (end, until_end) = channel::<()>();
    let passing = std::thread::spawn(move || {
        let job = |_: &Arc<dyn Managed>| {
            begins.send(()).expect("somebody waits");
            let _ = until_end.recv();
            None
        };
        registry.pass_over(job, |_, _| ());
    });
    begun.recv().expect("it begins");
    let deadline = Instant::now() + PATIENCE;
    while !handle.is_stalled() {
        assert!(Instant::now() < deadline, "the loop goes on");
        std::thread::yield_now();
    }
    let (done, is_done) = channel();
    let one = handle.clone();
    std::thread::spawn(move || done.send(set(&one, "capacity.bytes", "64KiB")));
    assert_eq!(is_done.recv_timeout(PATIENCE), Ok(Ok(())), "it waits for the pass");
    assert_eq!(pool.capacity().value.bytes_max(), 64 << 10);
    drop(end);
    passing.join().expect("the pass ends");
}
