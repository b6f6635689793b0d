//! Forks, signals, exits and filters, as tests need them: those of this folder, and those inside the crate.
//!
//! Rules for the `unsafe` here: **O1** system calls get integers, and pointers to values that outlive the call. **O2** a
//! forked child runs its closure and ends there: it neither returns into the test harness nor runs destructors of what
//! its parent owns. **O3** handlers are plain functions of the C calling convention that do not unwind.

use std::io::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};

/// A forked child that takes longer hangs: it is ended by a signal.
const CHILD_SECS_MAX: u32 = 60;

/// Runs `f` in a forked child, in which only this thread exists. The error says how it ended.
pub(crate) fn in_forked_child(f: impl FnOnce()) -> std::result::Result<(), String> {
    // SAFETY: O2.
    match unsafe { libc::fork() } {
        -1 => Err(format!("fork: {}", Error::last_os_error())),
        0 => {
            // SAFETY: O1. Nobody handles SIGALRM: it ends the child.
            unsafe { libc::alarm(CHILD_SECS_MAX) };
            let code = match catch_unwind(AssertUnwindSafe(f)) {
                Ok(()) => 0,
                Err(panic) => {
                    let said = panic.downcast_ref::<String>().map(String::as_str);
                    say(said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic"));
                    1
                }
            };
            // SAFETY: O2.
            unsafe { libc::_exit(code) }
        }
        child => ended(child),
    }
}

fn ended(child: libc::pid_t) -> std::result::Result<(), String> {
    let mut status = 0;
    // SAFETY: O1.
    while unsafe { libc::waitpid(child, &raw mut status, 0) } < 0 {
        let error = Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(format!("waitpid: {error}"));
        }
    }
    match (libc::WIFEXITED(status), libc::WEXITSTATUS(status), libc::WTERMSIG(status)) {
        (true, 0, _) => Ok(()),
        (true, code, _) => Err(format!("the child ended with {code}")),
        (false, _, libc::SIGALRM) => Err(format!("the child hung for {CHILD_SECS_MAX} s")),
        (false, _, signal) => Err(format!("the child was killed by signal {signal}")),
    }
}

/// Writes a line to stderr without a lock: another thread may have had it at a fork.
pub(crate) fn say(text: &str) {
    let line = format!("{text}\n");
    // SAFETY: O1. If nobody reads it, nobody needs it.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}

/// Runs one test of this binary again, alone in a process of its own, with `EBBPOOL_CHILD` set to `mode`.
pub(crate) fn rerun(test: &str, mode: &str) -> Output {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env("EBBPOOL_CHILD", mode);
    command.env_remove("EBBPOOL_FENCE"); // what the kernel grants is what is tested
    command.output().unwrap()
}

/// The mode in which this process was run again.
pub(crate) fn mode() -> Option<String> {
    std::env::var("EBBPOOL_CHILD").ok()
}

/// Runs the test again in that mode and expects it to pass.
pub(crate) fn passes_alone(test: &str, mode: &str) -> String {
    let output = rerun(test, mode);
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} as {mode}: {}\n{said}", output.status);
    assert!(said.contains("1 passed"), "no test is called {test}:\n{said}");
    said
}

/// Has `handler` run at each `signal`, without restarting the system calls that it interrupts.
pub(crate) fn on_signal(signal: i32, handler: extern "C" fn(libc::c_int)) -> Result<()> {
    // SAFETY: O1, O3. All zeroes are a valid sigaction.
    let failed = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut()) != 0
    };
    if failed { Err(Error::last_os_error()) } else { Ok(()) }
}

/// Interrupts this thread; its handler has run when this returns.
pub(crate) fn raise(signal: i32) {
    // SAFETY: O1.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

/// A thread that can be interrupted. It must not outlive what it names.
#[derive(Clone, Copy)]
pub(crate) struct Target(libc::pthread_t);

impl Target {
    pub(crate) fn this_thread() -> Self {
        // SAFETY: O1.
        Self(unsafe { libc::pthread_self() })
    }

    /// The caller has not joined the thread yet, so it exists.
    pub(crate) fn interrupt(self, signal: i32) {
        // SAFETY: O1, and the caller's word. A thread that has ended and was not joined is no error.
        unsafe { libc::pthread_kill(self.0, signal) };
    }
}

/// Has `handler` run when the process exits.
pub(crate) fn at_exit(handler: extern "C" fn()) {
    // SAFETY: O3.
    assert_eq!(unsafe { libc::atexit(handler) }, 0);
}

/// From now on the kernel refuses membarrier to this thread and to those that it starts.
#[allow(clippy::cast_possible_truncation, reason = "codes and numbers are small")]
pub(crate) fn refuse_membarrier() -> Result<()> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let skip_unless =
        |k: u32| libc::sock_filter { jf: 1, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k) };
    let number = libc::SYS_membarrier as u32;
    let mut program = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0), // the number of the system call
        skip_unless(number),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: O1.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) != 0
    };
    if refused { Err(Error::last_os_error()) } else { Ok(()) }
}

/// Whether the kernel answers this thread's membarrier calls.
pub(crate) fn has_membarrier() -> bool {
    // SAFETY: O1: the query, which does nothing.
    unsafe { libc::syscall(libc::SYS_membarrier, 0, 0, 0) >= 0 }
}
