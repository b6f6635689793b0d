//! Sends the plan: each request at its time whether or not earlier ones are answered.

use super::client::Client;
use super::data::Data;
use super::ledger::{Ledger, Outcome};
use super::plan::{Arrival, Kind, Plan};
use super::random::Random;
use crate::demo::paced::Paced;
use crate::demo::workload::{EXPORT_PAGES, EXPORT_TIME, TIMEOUT, UPLOAD_TIME};
use hyper::StatusCode;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

/// A running load.
#[derive(Debug)]
pub(crate) struct Load {
    ledger: Arc<Ledger>,
    /// When it was stopped, once it was.
    stop: watch::Sender<Option<Instant>>,
    offering: tokio::task::JoinHandle<JoinSet<()>>,
}

impl Load {
    /// Offers `plan`, which begins at `began`, to the service at `address`.
    pub(crate) fn start(address: SocketAddr, began: Instant, plan: Plan, data: Data) -> Self {
        let ledger = Arc::new(Ledger::new());
        let (stop, stopped) = watch::channel(None);
        let client = Arc::new(Client::new(address));
        let offering = tokio::spawn(offer(client, began, plan, data, ledger.clone(), stopped));
        Self { ledger, stop, offering }
    }

    /// Has `clients` send requests to the service at `address`, each of them one after the other without pauses: three large
    /// ingests in one piece, then an export of a page. What waits for a pace would not show how fast the service is.
    pub(crate) fn saturate(address: SocketAddr, clients: usize, seed: u64, data: Data) -> Self {
        let ledger = Arc::new(Ledger::new());
        let (stop, stopped) = watch::channel(None);
        let client = Arc::new(Client::new(address));
        let (entries, data) = (ledger.clone(), Arc::new(data));
        let offering = tokio::spawn(async move {
            let mut under_way = JoinSet::new();
            for number in 0..clients {
                let random = Random::new(seed.wrapping_add(number as u64));
                let stopped = stopped.clone();
                under_way.spawn(one_by_one(client.clone(), entries.clone(), data.clone(), random, stopped));
            }
            under_way
        });
        Self { ledger, stop, offering }
    }

    /// The counts so far.
    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Offers what was due before `at`, however late the machine comes to it, and nothing more; waits until what is
    /// under way has ended, [`TIMEOUT`] at most. How much is offered in all depends on the plan and on `at` alone.
    pub(crate) async fn finish(self, at: Instant) {
        self.stop.send_replace(Some(at));
        if let Ok(mut under_way) = self.offering.await {
            while under_way.join_next().await.is_some() {}
        }
    }

    /// Offers nothing more; what is under way ends as an error.
    pub(crate) async fn abandon(self) {
        drop(self.stop);
        if let Ok(mut under_way) = self.offering.await {
            under_way.shutdown().await;
        }
    }
}

async fn offer(
    client: Arc<Client>,
    began: Instant,
    plan: Plan,
    data: Data,
    ledger: Arc<Ledger>,
    mut stopped: watch::Receiver<Option<Instant>>,
) -> JoinSet<()> {
    let mut under_way = JoinSet::new();
    for arrival in plan {
        let due = began + arrival.at;
        let stop = tokio::select! {
            biased;
            stopped = stopped.wait_for(Option::is_some) => match stopped {
                Ok(stop) => *stop,
                Err(_abandoned) => break,
            },
            () = sleep_until(due) => None,
        };
        if stop.is_some_and(|at| due >= at) {
            break;
        }
        ledger.offer();
        let (path, upload) = request(&data, &arrival);
        let request = send(client.clone(), ledger.clone(), path, upload, planned(arrival.kind), due);
        under_way.spawn(async {
            // The ledger has it.
            let _ = request.await;
        });
        while under_way.try_join_next().is_some() {}
    }
    under_way
}

/// One client of [`Load::saturate`], until it is stopped or the service fails it.
async fn one_by_one(
    client: Arc<Client>,
    ledger: Arc<Ledger>,
    data: Arc<Data>,
    mut random: Random,
    stopped: watch::Receiver<Option<Instant>>,
) {
    for number in 0_u64.. {
        let content = random.next();
        let (path, upload) = match number % 4 {
            3 => (format!("/export?from={}&pages=1", content % 1_000_000), Paced::none()),
            _ => ("/ingest".to_owned(), Paced::whole(data.large(content).concat().into())),
        };
        if stopped.has_changed().is_err() || stopped.borrow().is_some() {
            return;
        }
        ledger.offer();
        let due = Instant::now();
        let outcome = send(client.clone(), ledger.clone(), path, upload, Duration::ZERO, due).await;
        if outcome == Outcome::Error {
            return;
        }
    }
}

fn request(data: &Data, arrival: &Arrival) -> (String, Paced) {
    match arrival.kind {
        Kind::SmallIngest => ("/ingest".to_owned(), Paced::whole(data.small(arrival.content))),
        Kind::LargeIngest => {
            ("/ingest".to_owned(), Paced::over_time(data.large(arrival.content), UPLOAD_TIME))
        }
        Kind::Export => {
            let from = arrival.content % 1_000_000;
            (format!("/export?from={from}&pages={EXPORT_PAGES}"), Paced::none())
        }
    }
}

/// What the load itself plans for a request on the wire; no service could answer sooner.
const fn planned(kind: Kind) -> Duration {
    match kind {
        Kind::SmallIngest => Duration::ZERO,
        Kind::LargeIngest => UPLOAD_TIME,
        Kind::Export => EXPORT_TIME,
    }
}

async fn send(
    client: Arc<Client>,
    ledger: Arc<Ledger>,
    path: String,
    upload: Paced,
    planned: Duration,
    due: Instant,
) -> Outcome {
    let mut unfinished = Unfinished { ledger: &ledger, outcome: Outcome::Error, delay: Duration::ZERO };
    unfinished.outcome = match timeout_at(due + TIMEOUT, client.send(&path, upload)).await {
        Err(_) => Outcome::Timeout,
        Ok(Ok(status)) if status.is_success() => Outcome::Completed,
        Ok(Ok(StatusCode::SERVICE_UNAVAILABLE)) => Outcome::Shed,
        Ok(Ok(status)) => {
            ledger.explain(&format_args!("{path} was answered with {status}"));
            Outcome::Error
        }
        Ok(Err(e)) => {
            ledger.explain(&format_args!("{path}: {e:#}"));
            Outcome::Error
        }
    };
    unfinished.delay = due.elapsed().saturating_sub(planned);
    unfinished.outcome
}

/// Enters the request into the ledger on every way out; one that is abandoned is an error.
struct Unfinished<'a> {
    ledger: &'a Ledger,
    outcome: Outcome,
    delay: Duration,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.ledger.end(self.outcome, self.delay);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::load::plan::Shape;
    use axum::Router;
    use axum::routing::{get, post};

    async fn serve(router: Router) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    async fn until_offered(load: &Load, offered: u64) {
        while load.ledger().totals().offered < offered {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn answers_are_counted_by_what_they_are() {
        let ingest = |body: bytes::Bytes| async move {
            if body.len() > 4096 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        };
        let router = Router::new().route("/ingest", post(ingest)).route("/export", get(|| async { "small" }));
        let began = Instant::now();
        let load = Load::start(serve(router).await, began, Plan::new(1, 500, Shape::Swap), Data::new(1));
        until_offered(&load, 300).await;
        let ledger = load.ledger().clone();
        load.finish(Instant::now()).await;
        let totals = ledger.totals();
        assert_eq!(totals.under_way(), 0);
        assert_eq!((totals.errors, totals.timeouts), (0, 0), "{:?}", ledger.first_error());
        assert!(totals.completed > 100 && totals.shed > 20, "{totals:?}");
    }

    #[tokio::test]
    async fn clients_ask_one_request_after_the_other_until_they_are_stopped() {
        let ingest = |body: bytes::Bytes| async move { assert!(body.len() > 60 << 10) };
        let router = Router::new().route("/ingest", post(ingest)).route("/export", get(|| async { "small" }));
        let load = Load::saturate(serve(router).await, 3, 1, Data::new(1));
        until_offered(&load, 50).await;
        let ledger = load.ledger().clone();
        let totals = ledger.totals();
        assert!(totals.under_way() <= 3, "{totals:?}");
        load.finish(Instant::now()).await;
        let totals = ledger.totals();
        assert_eq!((totals.under_way(), totals.completed), (0, totals.offered), "{:?}", ledger.first_error());
    }

    #[tokio::test]
    async fn what_is_abandoned_is_an_error() {
        let never = || async { std::future::pending::<&str>().await };
        let router = Router::new().route("/ingest", post(never)).route("/export", get(never));
        let began = Instant::now();
        let load = Load::start(serve(router).await, began, Plan::new(1, 500, Shape::Swap), Data::new(1));
        until_offered(&load, 50).await;
        let ledger = load.ledger().clone();
        load.abandon().await;
        let totals = ledger.totals();
        assert_eq!((totals.under_way(), totals.completed), (0, 0));
        assert_eq!(totals.errors, totals.offered);
    }

    #[tokio::test]
    async fn what_was_due_is_offered_however_late_the_machine_comes_to_it() {
        let router = Router::new().route("/ingest", post(|| async {})).route("/export", get(|| async {}));
        // Nothing of the first second was offered in time: it ended before the load was there.
        let now = Instant::now();
        let began = now.checked_sub(Duration::from_secs(1)).expect("the machine is up for a second");
        let load = Load::start(serve(router).await, began, Plan::new(1, 500, Shape::Swap), Data::new(1));
        let ledger = load.ledger().clone();
        load.finish(now).await;
        let due = Plan::new(1, 500, Shape::Swap).take_while(|arrival| began + arrival.at < now).count();
        assert_eq!(ledger.totals().offered, due as u64);
        assert_eq!(ledger.totals().under_way(), 0);
    }
}
