//! A pool with a canary beside it: room for a fiftieth of the objects, tried on a tenth of the gets, and compared on the page.
//!
//! `cargo run -p pool-controller --example canary`, then the page at <http://127.0.0.1:9901>, and in another terminal
//!
//! ```sh
//! curl -X PUT -H 'X-Ebbpool: 1' 127.0.0.1:9901/v1/canaries/answers -d '{"percent": 30, "for": "10m", "reason": "a look"}'
//! curl 127.0.0.1:9901/v1/canaries/answers
//! ```
//!
//! The controller observes, so that what is compared is the two settings alone. The example makes its own load: 2,000
//! requests a second in bursts, without a network. Ctrl-C ends it.

use pool_controller::{Controller, Mode, admin};
use pool_core::{Capacity, Change, Pool, Registry, Share};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let room = Capacity::new(100, 64 << 20)?;
    let less = Capacity::new(2, 64 << 20)?;
    let answers = Pool::builder("answers")
        .registry(&registry)
        .capacity(room)
        .build_canary_with(Vec::<u8>::new, |canary| canary.capacity(less))?;
    answers
        .split()
        .set(Share::percent(10.0)?.salted("two objects"), Change::operator("room for two objects"));
    let controller = Controller::builder().registry(&registry).mode(Mode::Observe).build()?.spawn()?;
    let served = admin::serve(([127, 0, 0, 1], 9901).into(), controller.router(), |address| {
        println!("http://{address}/");
    });
    tokio::spawn(async { served.await.map_err(|error| eprintln!("{error}")) });
    let load = tokio::spawn(async move {
        // Not in step with the controller, which looks four times a second.
        let mut bursts = tokio::time::interval(Duration::from_millis(47));
        loop {
            bursts.tick().await;
            // A request that names a side in its header would use `get_by_header`, one of a tenant `get_for`.
            let mut burst: Vec<_> = (0..100).map(|_| answers.get()).collect();
            for answer in &mut burst {
                answer.resize(4096, 1);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    tokio::signal::ctrl_c().await?;
    load.abort();
    controller.shutdown();
    Ok(())
}
