//! A controller of this process, and its routes on a port of their own.

use pool_controller::{Controller, Handle, LimitSource, Mode, admin};
use pool_core::{CanaryPool, Pool, Registry};

/// A controller with a pool and its canary.
pub(crate) struct Served {
    /// Named `http body`.
    pub(crate) pool: CanaryPool<Vec<u8>>,
    /// Where the page is.
    pub(crate) url: String,
    pub(crate) handle: Handle,
    // Dropping it ends the server.
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    pub(crate) fn start() -> Self {
        let registry = Registry::new();
        let builder = Pool::builder("http body").registry(&registry);
        let pool = builder.build_canary_with(Vec::new, |canary| canary).expect("new names");
        let controller = Controller::builder().registry(&registry).mode(Mode::Observe);
        let controller = controller.limit(LimitSource::Simulated(4 << 30)).build().expect("a controller");
        let handle = controller.spawn().expect("threads");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (ready, address) = std::sync::mpsc::channel();
        let router = handle.router();
        runtime.spawn(async move {
            let any = ([127, 0, 0, 1], 0).into();
            admin::serve(any, router, |address| ready.send(address).expect("someone waits")).await
        });
        let url = format!("http://{}/", address.recv().expect("it serves"));
        Self { pool, url, handle, _runtime: runtime }
    }
}
