//! The page and other texts that never change.

use super::OPENAPI_JSON;
use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

/// The files of the page belong together: after an update none of them may come from a cache.
const NOT_STORED: &str = "no-cache";

/// Every file of the page at its path.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    pool_dashboards::ASSETS.into_iter().fold(Router::new(), |router, asset| {
        router.route(asset.path, get(async move || text(asset.content_type, asset.body)))
    })
}

pub(super) async fn openapi() -> impl IntoResponse {
    text("application/json", OPENAPI_JSON)
}

fn text(content_type: &'static str, body: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, NOT_STORED)], body)
}
