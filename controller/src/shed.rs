//! Sheds load as a tower layer: 503 and when to come again, while there is no room for more work.
//!
//! It asks [`Admission`] before each request and remembers nothing, so it recovers by itself: as soon as creates have
//! room again, requests go through. Knows HTTP, and nothing of pools.

use crate::admission::Admission;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_layer::Layer;
use tower_service::Service;

/// Puts [`Shed`] in front of a service. Made by [`Admission::layer`].
#[derive(Clone, Debug)]
pub struct ShedLayer {
    admission: Admission,
    retry_after: HeaderValue,
}

/// Answers 503 with `Retry-After` instead of the service behind it while there is no room for more work. Each such answer
/// is counted (`ebbpool_controller_admission_refused_total`).
#[derive(Clone, Debug)]
pub struct Shed<S> {
    inner: S,
    layer: ShedLayer,
}

impl Admission {
    /// A layer that asks before each request; who is refused may come again after a second.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// # use pool_controller::Controller;
    /// # let registry = pool_core::Registry::new();
    /// # let handle = Controller::builder().registry(&registry).build()?.spawn()?;
    /// let app: Router = Router::new().route("/", get(async || "hello")).layer(handle.admission().layer());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn layer(&self) -> ShedLayer {
        self.layer_with(Duration::from_secs(1))
    }

    /// The same with another time to come again, in whole seconds, rounded up, a second at least.
    #[must_use]
    pub fn layer_with(&self, retry_after: Duration) -> ShedLayer {
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        ShedLayer { admission: self.clone(), retry_after: HeaderValue::from(seconds.max(1)) }
    }
}

impl<S> Layer<S> for ShedLayer {
    type Service = Shed<S>;

    fn layer(&self, inner: S) -> Shed<S> {
        Shed { inner, layer: self.clone() }
    }
}

impl<S, B, R> Service<Request<B>> for Shed<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ShedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.layer.admission.admits() {
            ShedFuture { inner: Some(self.inner.call(request)), retry_after: None }
        } else {
            ShedFuture { inner: None, retry_after: Some(self.layer.retry_after.clone()) }
        }
    }
}

pin_project! {
    /// What [`Shed`] answers.
    #[derive(Debug)]
    pub struct ShedFuture<F> {
        // `None`: it was refused.
        #[pin]
        inner: Option<F>,
        retry_after: Option<HeaderValue>,
    }
}

impl<F, R, E> Future for ShedFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(inner) = this.inner.as_pin_mut() {
            return inner.poll(context);
        }
        let mut response = Response::new(R::default());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let retry_after = this.retry_after.take().unwrap_or(HeaderValue::from_static("1"));
        response.headers_mut().insert(RETRY_AFTER, retry_after);
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Controller, LimitSource, Mode};
    use std::convert::Infallible;

    /// A service that answers at once.
    #[derive(Clone)]
    struct Hello;

    impl Service<Request<()>> for Hello {
        type Response = Response<&'static str>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            std::future::ready(Ok(Response::new("hello")))
        }
    }

    #[test]
    fn it_refuses_while_there_is_no_room_and_recovers_by_itself() {
        let registry = pool_core::Registry::new();
        let builder = Controller::builder().registry(&registry).environment(None).mode(Mode::Enforce);
        let mut controller = builder.limit(LimitSource::Simulated(1 << 40)).build().expect("a controller");
        controller.tick(std::time::Instant::now());
        let admission = Admission::of(controller.shared());
        let mut service = admission.layer_with(Duration::from_millis(1500)).layer(Hello);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut asked = || {
            let answer = runtime.block_on(service.call(Request::new(()))).expect("infallible");
            let again =
                answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
            (answer.status().as_u16(), *answer.body(), again)
        };
        assert_eq!(asked(), (200, "hello", None));
        registry.grant().set(Some(0));
        controller.shared().valve.forbid_overdraft();
        assert_eq!(asked(), (503, "", Some("2".to_owned())));
        assert_eq!(controller.shared().valve.refused_total(), 1);
        registry.grant().set(Some(1 << 20));
        assert_eq!(asked(), (200, "hello", None));
    }
}
