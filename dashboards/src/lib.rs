//! The live watermark page of Ebbpool, as files that a server hands out as they are.
//!
//! This crate knows nothing of HTTP, of the controller or of where its numbers come from: it holds text. Whoever
//! serves it puts each of [`ASSETS`] at its path, sends [`CONTENT_SECURITY_POLICY`] with it, and streams ticks as
//! server-sent events at [`EVENTS_PATH`]. The crate's README names the fields that the page reads.

#![forbid(unsafe_code)]

/// The page itself.
pub const INDEX_HTML: &str = include_str!("../web/index.html");

/// The page's only script.
pub const APP_JS: &str = include_str!("../web/app.js");

/// The page's only style sheet.
pub const STYLE_CSS: &str = include_str!("../web/style.css");

/// The sign in the browser's tab.
pub const ICON_SVG: &str = include_str!("../web/icon.svg");

/// Where the page expects [`APP_JS`].
pub const APP_JS_PATH: &str = "/assets/app.js";

/// Where the page expects [`STYLE_CSS`].
pub const STYLE_CSS_PATH: &str = "/assets/style.css";

/// Where the page expects [`ICON_SVG`].
pub const ICON_SVG_PATH: &str = "/assets/icon.svg";

/// Where the page opens its event stream.
pub const EVENTS_PATH: &str = "/v1/events";

/// The policy that the page works under: nothing from elsewhere, nothing inline.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'";

/// One file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Where the page expects it.
    pub path: &'static str,
    /// For the header of that name.
    pub content_type: &'static str,
    /// What to send.
    pub body: &'static str,
}

/// Everything that the page needs besides its event stream; the page itself is the first.
pub const ASSETS: [Asset; 4] = [
    Asset { path: "/", content_type: "text/html; charset=utf-8", body: INDEX_HTML },
    Asset { path: APP_JS_PATH, content_type: "text/javascript; charset=utf-8", body: APP_JS },
    Asset { path: STYLE_CSS_PATH, content_type: "text/css; charset=utf-8", body: STYLE_CSS },
    Asset { path: ICON_SVG_PATH, content_type: "image/svg+xml", body: ICON_SVG },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of an attribute in the page, in order.
    fn attribute(name: &str) -> Vec<&'static str> {
        let start = format!(" {name}=\"");
        INDEX_HTML.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn the_page_asks_for_its_assets_and_nothing_else() {
        let mut asked: Vec<_> = [attribute("src"), attribute("href")].concat();
        // Links that a person may follow are not loaded.
        asked.retain(|path| !["/v1/memory", "/v1/pools", "/metrics", "/healthz", "#pools"].contains(path));
        asked.sort_unstable();
        let mut served: Vec<_> = ASSETS.iter().skip(1).map(|asset| asset.path).collect();
        served.sort_unstable();
        assert_eq!(asked, served);
        assert!(APP_JS.contains(&format!("new EventSource(\"{EVENTS_PATH}\")")));
    }

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        for tag in ["<style", "<script>", " style=", " onclick=", " onload=", "javascript:"] {
            assert!(!INDEX_HTML.contains(tag), "{tag} in the page is against its policy");
        }
        for Asset { path, body, .. } in ASSETS {
            let names_only = body.replace("http://www.w3.org/2000/svg", "");
            for elsewhere in ["http:", "https:", "//cdn", "@import", "data:", "blob:"] {
                assert!(!names_only.contains(elsewhere), "{path} refers to {elsewhere}");
            }
        }
        for trick in ["innerHTML", "eval(", "new Function", "setAttribute(\"style\"", "fetch("] {
            assert!(!APP_JS.contains(trick), "{trick} in the script");
        }
    }

    #[test]
    fn what_the_script_looks_up_is_on_the_page() {
        let ids = attribute("id");
        let looked_up: Vec<_> =
            APP_JS.split("byId(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(looked_up.len() > 10, "{looked_up:?}");
        for id in looked_up {
            assert_eq!(ids.iter().filter(|there| **there == id).count(), 1, "#{id}");
        }
        for described in [attribute("aria-labelledby"), attribute("aria-describedby")].concat() {
            assert!(ids.contains(&described), "#{described}");
        }
    }
}
