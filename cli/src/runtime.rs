//! Where a command that waits for others runs.

use crate::failure::Failure;
use tokio::runtime::Builder;

/// Does `work` to its end. What it has begun beside itself is given up then.
///
/// # Errors
/// [`Failure::Usage`] if there can be no threads.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Failure::usage(format!("cannot start threads: {e}")))?;
    let done = runtime.block_on(work);
    // A name that is still being looked up, or a second Ctrl-C, is not waited for.
    runtime.shutdown_background();
    Ok(done)
}
