//! The service over real HTTP, in each of its modes.

use super::*;
use crate::demo::load::client::Client;
use crate::demo::load::data::Data;
use crate::demo::paced::Paced;
use bytes::Bytes;
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

struct Running {
    client: Client,
    registry: Registry,
    app: Arc<App>,
}

async fn running(mode: PoolsMode) -> Running {
    let registry = Registry::new();
    let app = App::new(mode, 100, &registry).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, router(app.clone())).into_future());
    Running { client: Client::new(address), registry, app }
}

impl Running {
    fn stats(&self, pool: &str) -> pool_core::PoolStats {
        let pools = self.registry.pools();
        pools.iter().find(|p| p.name() == pool).unwrap().stats()
    }

    async fn post(&self, body: impl Into<Bytes>) -> StatusCode {
        self.client.send("/ingest", Paced::whole(body.into())).await.unwrap()
    }
}

#[tokio::test]
async fn each_mode_serves_both_endpoints() {
    let data = Data::new(1);
    for mode in [PoolsMode::None, PoolsMode::Fixed, PoolsMode::Adaptive] {
        let service = running(mode).await;
        assert_eq!(service.post(data.small(0)).await, StatusCode::OK);
        assert_eq!(service.post(data.large(0).concat()).await, StatusCode::OK);
        let started = Instant::now();
        assert_eq!(service.client.send("/export?pages=6", Paced::none()).await.unwrap(), StatusCode::OK);
        assert!(started.elapsed() >= Duration::from_millis(240), "egress is limited");
        let pools = if mode == PoolsMode::None { 0 } else { 3 };
        assert_eq!(service.registry.pools().len(), pools);
    }
}

#[tokio::test]
async fn every_request_takes_one_body_and_only_large_batches_a_compressor() {
    let (service, data) = (running(PoolsMode::Adaptive).await, Data::new(2));
    service.post(data.small(0)).await;
    assert_eq!(service.stats("http.body").gets.total(), 1);
    assert_eq!(service.stats("zstd.ctx").gets.total(), 0);
    service.post(data.large(0).concat()).await;
    service.client.send("/export?pages=1", Paced::none()).await.unwrap();
    assert_eq!(service.stats("http.body").gets.total(), 3);
    assert_eq!(service.stats("zstd.ctx").gets.total(), 1);
    assert_eq!(service.stats("export.body").gets.total(), 1);
}

/// For how long each of the three objects was seen to be lent without a break.
async fn seen_lent(lent: impl Fn() -> [u64; 3], under_way: &Cell<bool>) -> [Duration; 3] {
    let (mut since, mut longest) = ([None; 3], [Duration::ZERO; 3]);
    while under_way.get() {
        let now = Instant::now();
        for (i, lent) in lent().into_iter().enumerate() {
            since[i] = (lent > 0).then(|| since[i].unwrap_or(now));
            longest[i] = longest[i].max(since[i].map_or(Duration::ZERO, |since| now - since));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    longest
}

#[tokio::test]
async fn an_upload_holds_its_objects_until_its_last_byte_and_an_export_too() {
    let (service, data) = (running(PoolsMode::Adaptive).await, Data::new(3));
    let lent = || ["http.body", "zstd.ctx", "export.body"].map(|pool| service.stats(pool).lent_objects);
    // Who looks may be kept from it while objects are lent, and sees less then. Nobody sees more than there was.
    for attempt in 1.. {
        let under_way = Cell::new(true);
        let requests = async {
            let upload = Paced::over_time(data.large(0), Duration::from_millis(300));
            let upload = service.client.send("/ingest", upload);
            let export = service.client.send("/export?pages=12", Paced::none());
            let answers = tokio::join!(upload, export);
            under_way.set(false);
            answers
        };
        let ((uploaded, exported), seen) = tokio::join!(requests, seen_lent(lent, &under_way));
        assert_eq!((uploaded.unwrap(), exported.unwrap()), (StatusCode::OK, StatusCode::OK));
        let deadline = Instant::now() + Duration::from_secs(60);
        // The last byte reaches the client before the server lets go of it.
        while lent() != [0, 0, 0] {
            assert!(Instant::now() < deadline, "still lent: {:?}", lent());
            tokio::task::yield_now().await;
        }
        if seen.iter().all(|time| *time > Duration::from_millis(200)) {
            break;
        }
        assert!(attempt < 20, "lent for {seen:?}, of an upload of 300 ms and an export of 500 ms");
    }
    let overhead_bytes = service.stats("export.body").idle_bytes - EXPORT_BYTES as u64;
    assert!(overhead_bytes < 1 << 10, "the response did not outgrow its buffer: {overhead_bytes}");
}

#[tokio::test]
async fn bad_requests_are_refused_and_hold_nothing() {
    let service = running(PoolsMode::Adaptive).await;
    assert_eq!(service.post("{\"ts\":1}\n").await, StatusCode::BAD_REQUEST);
    assert_eq!(service.post("not json\n").await, StatusCode::BAD_REQUEST);
    assert_eq!(service.post(vec![b' '; (1 << 20) + 1]).await, StatusCode::PAYLOAD_TOO_LARGE);
    for query in ["pages=0", "pages=25", "pages=x", "page=1"] {
        let status = service.client.send(&format!("/export?{query}"), Paced::none()).await.unwrap();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
    }
    assert_eq!(service.stats("http.body").lent_objects, 0);
}

#[tokio::test]
async fn what_does_not_fit_is_shed_and_served_again_when_there_is_room() {
    let (service, data) = (running(PoolsMode::Adaptive).await, Data::new(4));
    let full = service.app.admit(IN_FLIGHT_BYTES_MAX - (1 << 10)).unwrap();
    assert_eq!(service.post(data.small(0)).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.client.send("/export", Paced::none()).await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    let upload = Paced::over_time(data.large(0), Duration::from_millis(100));
    let shed = service.client.send("/ingest", upload).await;
    assert_eq!(shed.unwrap(), StatusCode::SERVICE_UNAVAILABLE, "heard although the upload was under way");
    drop(full);
    assert_eq!(service.post(data.small(0)).await, StatusCode::OK);
}
