//! The stream of inputs: everything that each decision is made of, for who records it.
//!
//! A tick has its inputs anyway, and nothing else is done for this while nobody listens. (In mode off each look collects
//! them.) A listener that is slow misses moments, and no demand: what is counted there is cumulative.

use super::Admin;
use super::events::{Permitted, refused};
use crate::mode::Mode;
use crate::moment::moment_json;
use crate::status::Status;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use tokio::time::interval;
use tokio_stream::wrappers::{BroadcastStream, IntervalStream};
use tokio_stream::{Stream, StreamExt as _};

pub(super) async fn inputs(State(admin): State<Admin>) -> Response {
    let Some(permit) = admin.events.permit() else { return refused() };
    let ticks: Pin<Box<dyn Stream<Item = Arc<Status>> + Send>> = match admin.handle.mode() {
        // Nothing ticks: it is read as long as somebody looks.
        Mode::Off => Box::pin(IntervalStream::new(interval(crate::TICK)).map(move |_| admin.handle.status())),
        Mode::Observe | Mode::Enforce | Mode::Frozen => match admin.events.each() {
            Some(each) => Box::pin(BroadcastStream::new(each).filter_map(Result::ok)),
            None => Box::pin(tokio_stream::empty()),
        },
    };
    let events = ticks.filter_map(|status| moment_json(&status));
    let events = events.map(|json| Ok::<_, Infallible>(Event::default().event("inputs").data(json)));
    Sse::new(Permitted::new(events, permit)).into_response()
}

#[cfg(test)]
mod tests {
    use super::super::events::Events;
    use super::*;
    use crate::Controller;

    #[tokio::test]
    async fn streams_that_come_and_go_leave_no_listener_behind() {
        let builder = Controller::builder().registry(&pool_core::Registry::new()).environment(None);
        let handle = builder.build().expect("a controller").spawn().expect("threads");
        let admin = Admin { handle: handle.clone(), events: Events::of(&handle) };
        for _ in 0..100 {
            drop(inputs(State(admin.clone())).await);
        }
        assert_eq!(handle.shared().listening(), 1, "the one of all streams");
    }
}
