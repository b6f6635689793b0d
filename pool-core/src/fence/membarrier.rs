//! The system call.
//!
//! Rule for the `unsafe` here: **F1** the call passes integers only and touches no memory of ours.
#![allow(unsafe_code)]

/// `MEMBARRIER_CMD_PRIVATE_EXPEDITED`
const FENCE: libc::c_int = 1 << 3;
/// `MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED`
const REGISTER: libc::c_int = 1 << 4;

pub(super) fn register() -> bool {
    call(REGISTER)
}

/// False if the kernel refuses although it allowed registration (a seccomp filter set later): then no
/// slot may be visited. A forked child inherits its parent's registration; asking again is harmless.
pub(super) fn everywhere() -> bool {
    call(FENCE) || (call(REGISTER) && call(FENCE))
}

fn call(command: libc::c_int) -> bool {
    // SAFETY: F1.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}
