//! The guard in front of every admin route.
//!
//! The routes listen on loopback, but a browser on the same machine runs pages of strangers. So: the `Host` must
//! be a name of loopback (a page that rebinds its own name to 127.0.0.1 is refused); a change needs the header
//! `X-Ebbpool: 1`, which a foreign page cannot send without a preflight that nobody answers, and must not come
//! from another site; bodies are small; answers forbid framing, sniffing and foreign content.

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;

/// The longest body of a request.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Puts the routes of `router` behind the guard. Routes that are merged later are not behind it.
pub fn secure(router: Router) -> Router {
    let router = router.method_not_allowed_fallback(not_allowed);
    router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).layer(from_fn(guard))
}

async fn not_allowed(method: Method, uri: Uri) -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, &format!("{} cannot be {method}", uri.path()))
}

async fn guard(request: Request, next: Next) -> Response {
    let refused = check(request.method(), request.headers(), request.uri());
    let mut answer = match refused {
        Some(refused) => refused,
        None => next.run(request).await,
    };
    let headers = answer.headers_mut();
    headers
        .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(pool_dashboards::CONTENT_SECURITY_POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("x-frame-options", HeaderValue::from_static("DENY"));
    answer
}

/// The refusal, if there is one.
fn check(method: &Method, headers: &HeaderMap, uri: &Uri) -> Option<Response> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("(not text)"));
    let host = text(HOST.as_str()).or_else(|| uri.authority().map(axum::http::uri::Authority::as_str));
    if !host.is_some_and(is_loopback_name) {
        let host = host.unwrap_or("none");
        let problem =
            format!("Host {host:?} is refused, allowed are localhost, 127.0.0.1 and [::1] with any port");
        return Some(refusal(StatusCode::MISDIRECTED_REQUEST, &problem));
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    if text("x-ebbpool") != Some("1") {
        return Some(refusal(StatusCode::FORBIDDEN, "a change needs the header X-Ebbpool: 1"));
    }
    let same_site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let own_origin = text(ORIGIN.as_str())
        .is_none_or(|origin| Some(origin) == host.map(|h| format!("http://{h}")).as_deref());
    if !same_site || !own_origin {
        return Some(refusal(StatusCode::FORBIDDEN, "a change must not come from another site"));
    }
    None
}

/// `localhost`, `127.0.0.1` or `[::1]`, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let known = ["localhost", "127.0.0.1", "[::1]"];
    known.iter().any(|k| name.eq_ignore_ascii_case(k)) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

fn refusal(status: StatusCode, problem: &str) -> Response {
    (status, Json(json!({"error": problem}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &Method, headers: &[(&'static str, &'static str)]) -> Option<u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        check(method, &map, &Uri::from_static("/v1/memory")).map(|answer| answer.status().as_u16())
    }

    #[test]
    fn only_names_of_loopback_are_answered() {
        for host in ["localhost", "LOCALHOST:9901", "127.0.0.1:1", "[::1]", "[::1]:9901"] {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "127.0.0.2",
            "localhost:x",
            "::1",
            "10.0.0.1:9901",
            "localhost:99999",
        ] {
            assert!(!is_loopback_name(host), "{host}");
        }
        assert_eq!(status(&Method::GET, &[]), Some(421));
        assert_eq!(status(&Method::GET, &[("host", "evil.example")]), Some(421));
        assert_eq!(status(&Method::GET, &[("host", "localhost:9901")]), None);
    }

    #[test]
    fn a_change_needs_its_header_and_its_own_site() {
        const HOST: (&str, &str) = ("host", "localhost:9901");
        const MARK: (&str, &str) = ("x-ebbpool", "1");
        for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            assert_eq!(status(&method, &[HOST]), Some(403), "{method}");
            assert_eq!(status(&method, &[HOST, ("x-ebbpool", "0")]), Some(403), "{method}");
            assert_eq!(status(&method, &[HOST, MARK]), None, "{method}");
        }
        let put = |header| status(&Method::PUT, &[HOST, MARK, header]);
        assert_eq!(put(("origin", "http://localhost:9901")), None);
        assert_eq!(put(("sec-fetch-site", "same-origin")), None);
        for foreign in [
            ("origin", "http://evil.example"),
            ("origin", "http://localhost:9902"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(put(foreign), Some(403), "{foreign:?}");
        }
    }
}
