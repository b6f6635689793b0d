//! Plain threads: one pool of buffers for all of them, and a look at what became of it.
//!
//! `cargo run -p pool-core --example threads`

use pool_core::{BuildError, Capacity, Pool, Registry};
use std::thread;
use std::time::{Duration, Instant};

fn main() -> Result<(), BuildError> {
    let registry = Registry::new();
    let capacity = const {
        match Capacity::new(64, 1 << 20) {
            Ok(capacity) => capacity,
            Err(_) => panic!("in range"),
        }
    };
    let lines = Pool::builder("lines").registry(&registry).capacity(capacity).build_with(String::new)?;

    let total: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let lines = lines.clone(); // a handle, not another pool
                scope.spawn(move || {
                    let mut bytes = 0;
                    for i in 0..10_000 {
                        let mut line = lines.get();
                        line.push_str("worker ");
                        line.push_str(&worker.to_string());
                        line.push_str(" says ");
                        line.push_str(&i.to_string());
                        bytes += line.len();
                    } // the line goes back here, cleared, with the room that it has grown
                    bytes
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker panics")).sum()
    });

    let stats = lines.stats();
    let reused = stats.gets.hit_ratio().unwrap_or(0.0) * 100.0;
    println!("{total} bytes written in {} leases, {reused:.2} % of them reused a string", stats.gets.total());
    println!("idle: {} strings, {} bytes; created: {}", stats.idle_objects, stats.idle_bytes, stats.created);
    println!("does it pay? {}", stats.worth());

    // Nobody writes any more. Three cycles later nothing is held, although the workers' threads are gone.
    for cycle in 1..=3 {
        for (pool, report) in registry.cycle(Instant::now() + cycle * Duration::from_secs(10)) {
            println!("{} cycle {}: {} objects left", pool.name(), report.cycle, report.kept_objects);
        }
        registry.drop_condemned(Duration::from_millis(1), || false);
    }
    assert_eq!(lines.stats().idle_objects, 0);
    Ok(())
}
