//! Tokio tasks: a guard may be held across an await and comes back on whichever thread the task ends.
//!
//! `cargo run -p pool-core --example tokio_tasks`

use pool_core::{LeaseLevel, Pool, Pooled};
use std::time::Duration;
use tokio::task::JoinSet;

async fn handle(mut body: Pooled<Vec<u8>>, request: usize) -> usize {
    body.extend_from_slice(format!("request {request}: ").as_bytes());
    tokio::task::yield_now().await; // perhaps to another thread, with the buffer
    body.extend_from_slice(&[b'.'; 100]);
    body.len()
} // the buffer goes back here

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bodies = Pool::builder("http.body").lease_level(LeaseLevel::All).build_with(Vec::new)?;
    let mut bytes = 0;
    for round in 0..100 {
        let mut tasks = JoinSet::new();
        for request in 0..50 {
            tasks.spawn(handle(bodies.get(), round * 50 + request));
        }
        while let Some(len) = tasks.join_next().await {
            bytes += len?;
        }
    }

    // A task that is cancelled drops its future, and with it the guard: that is a return like any other.
    let stuck = tokio::spawn({
        let body = bodies.get();
        async move {
            std::future::pending::<()>().await;
            drop(body);
        }
    });
    tokio::task::yield_now().await;
    let suspects = bodies.managed().suspects(Duration::ZERO);
    println!("held by a task that waits for ever: {} lease from {}", suspects[0].count, suspects[0].site);
    stuck.abort();
    let _ = stuck.await;

    let stats = bodies.stats();
    println!("{bytes} bytes in {} leases, {} buffers were made", stats.gets.total(), stats.created);
    assert_eq!(stats.lent_objects, 0);
    Ok(())
}
