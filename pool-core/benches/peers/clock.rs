//! CPU time. With more threads than cores, wall time measures the scheduler.

/// The CPU time that this thread has used, nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes for the length of the call, which keeps no pointer to it.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0, "this system has no clock of a thread's CPU time");
    let unsigned = |n: i64| u64::try_from(n).expect("CPU time is positive");
    unsigned(time.tv_sec) * 1_000_000_000 + unsigned(time.tv_nsec)
}
