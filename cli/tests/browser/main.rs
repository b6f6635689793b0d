//! The live page as a person sees it: in headless Chromium, fed by a running demo.
//!
//! The feature `browser` builds it, `cargo xtask test` runs it. On a machine without Chromium it fails and says
//! what to install; `EBBPOOL_WITHOUT_SUITE=browser` leaves it out.
#![forbid(unsafe_code)]

mod by_hand;
mod demo;
mod driver;
mod http;
#[path = "../support/served.rs"]
mod served;

use demo::Demo;
use driver::Browser;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A browser and a loaded service are enough for two cores: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// `None`: this machine is said to do without.
fn turn() -> Option<MutexGuard<'static, ()>> {
    let without = std::env::var("EBBPOOL_WITHOUT_SUITE").unwrap_or_default();
    if without.split(',').any(|suite| suite.trim() == "browser") {
        eprintln!("left out: EBBPOOL_WITHOUT_SUITE={without}");
        return None;
    }
    // A test that failed before us has left nothing that matters here.
    Some(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Asks again until there is an answer.
fn eventually<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + within;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "not within {} s: {what}", within.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// On a machine that has time; a busy one may take longer, and what never comes still fails.
const SOON: Duration = Duration::from_secs(120);

/// The page shows ticks at all.
fn wait_for_ticks(browser: &Browser) {
    eventually("a first tick on the page", SOON, || {
        (browser.run("return document.body.dataset.connection") == "live").then_some(())
    });
}

/// Keeps the figures of every tick that the page shows from now on, by tick, in `window.seen`. The page writes the
/// tick's number last, so whoever reads at that moment reads one tick.
const RECORD: &str = r#"
    const value = (id) => document.querySelector(`[data-testid="${id}"]`).dataset.value;
    const ids = ["usage-bytes", "limit-bytes", "idle-bytes", "lent-bytes", "rss-bytes", "peak-bytes", "other-bytes",
                 "oom-kills", "decisions-total", "state"];
    window.seen = {};
    const record = () => { window.seen[value("tick")] = Object.fromEntries(ids.map((id) => [id, value(id)])); };
    record();
    new MutationObserver(record).observe(document.querySelector('[data-testid="tick"]'),
                                         { attributes: true, attributeFilter: ["data-value"] });
"#;

/// What `/v1/memory` says, in the page's names.
fn as_on_page(memory: &Value) -> Value {
    let names = [
        ("usage-bytes", "usage_bytes"),
        ("limit-bytes", "limit_bytes"),
        ("idle-bytes", "pools_idle_bytes"),
        ("lent-bytes", "pools_lent_bytes"),
        ("rss-bytes", "rss_bytes"),
        ("peak-bytes", "peak_bytes"),
        ("other-bytes", "other_bytes"),
        ("oom-kills", "oom_kills"),
        ("decisions-total", "decisions_total"),
        ("state", "state"),
    ];
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    names.into_iter().map(|(id, field)| (id.to_owned(), json!(text(&memory[field])))).collect()
}

#[test]
fn the_numbers_move_and_agree_with_the_service() {
    let Some(_turn) = turn() else { return };
    let browser = Browser::start();
    let demo = Demo::start();
    browser.open(&demo.page());
    wait_for_ticks(&browser);
    browser.run(RECORD);

    // Whatever tick the service answers with, the page shows the same figures for it.
    let mut compared = BTreeSet::new();
    let mut usages = BTreeSet::new();
    let mut names = Vec::new();
    eventually("twelve ticks compared, with usage moving", SOON, || {
        let memory = demo.get("/v1/memory");
        let tick = memory["tick"].as_u64().expect("a tick has a number");
        let first = browser.run("return Number(Object.keys(window.seen)[0])").as_u64().expect("a number");
        if tick >= first && !compared.contains(&tick) {
            let on_page = eventually("the page gets to that tick", SOON, || {
                let shown = "Number(document.querySelector('[data-testid=tick]').dataset.value)";
                let seen = browser.run(&format!("return [window.seen[{tick}] ?? null, {shown} > {tick}]"));
                (!seen[0].is_null() || seen[1] == true).then(|| seen[0].clone())
            });
            // Of two ticks in quick succession a stream may tell the second alone.
            if !on_page.is_null() {
                assert_eq!(on_page, as_on_page(&memory), "tick {tick}");
                assert_ne!(on_page["usage-bytes"], "", "no usage in tick {tick}: {memory}");
                usages.insert(on_page["usage-bytes"].to_string());
                compared.insert(tick);
            }
        }
        if names.is_empty() {
            let pools = demo.get("/v1/pools");
            names = pools["pools"].as_object().expect("pools by name").keys().cloned().collect();
        }
        (compared.len() >= 12 && usages.len() >= 3).then_some(())
    });

    // Each pool has its row, its figures and its areas in the chart.
    for name in names {
        let pool = browser.run(&format!(
            r#"const row = document.querySelector('[data-pool="{name}"]');
               const cell = (id) => row.querySelector(`[data-testid="${{id}}"]`).dataset.value;
               return {{ idle: cell("pool-idle-bytes"), lent: cell("pool-lent-bytes"), capacity: cell("pool-capacity-bytes"),
                         areas: document.querySelectorAll('[data-area$=" {name}"]').length }};"#
        ));
        for figure in ["idle", "lent", "capacity"] {
            let bytes = pool[figure].as_str().and_then(|bytes| bytes.parse::<u64>().ok());
            assert!(bytes.is_some(), "{name} has no {figure}: {pool}");
        }
        assert_eq!(pool["areas"], 2, "{name} is lent and idle in the chart: {pool}");
    }

    let words = "return [...document.querySelectorAll('[data-testid=limit-note], [data-testid=limit-kind]')]
                         .map((e) => e.textContent).join('|')";
    let note = "simulated limit: nothing will be killed";
    assert_eq!(browser.run(words), format!("{note}|{note}"));
    assert_eq!(browser.complaints(), Vec::<String>::new(), "in the browser's console");
}

#[test]
fn the_chart_grows_and_fits_a_narrow_screen() {
    let Some(_turn) = turn() else { return };
    let browser = Browser::start();
    let demo = Demo::start();
    browser.resize(360, 800);
    browser.open(&demo.page());
    wait_for_ticks(&browser);

    let points = || {
        let chart = browser.run(
            r#"const d = document.querySelector('[data-testid="usage-line"]')?.getAttribute("d") ?? "";
               return { stated: Number(document.querySelector('[data-testid="chart"]').dataset.points),
                        drawn: d.split(/[ML]/).length - 1, numbers: !/NaN|Infinity|undefined/.test(d) };"#,
        );
        assert_eq!(chart["numbers"], true, "{chart}");
        assert_eq!(chart["stated"], chart["drawn"], "{chart}");
        chart["drawn"].as_u64().unwrap_or_default()
    };
    let before = eventually("a line of two points", SOON, || Some(points()).filter(|n| *n >= 2));
    eventually("eight points more", SOON, || (points() >= before + 8).then_some(()));

    // The line is really on the screen, within its box, and the page within its width.
    let fits = browser.run(
        r#"const box = document.querySelector('[data-testid="chart"]').getBoundingClientRect();
           const line = document.querySelector('[data-testid="usage-line"]').getBoundingClientRect();
           return line.width > 1 && line.left >= box.left && line.right <= box.right
               && line.top >= box.top && line.bottom <= box.bottom
               && document.documentElement.scrollWidth <= innerWidth;"#,
    );
    assert_eq!(fits, true);
    let text = browser.run(r#"return document.querySelector('[data-testid="chart-text"]').textContent"#);
    assert!(
        text.as_str().is_some_and(|text| text.contains("Usage ") && text.contains("of a limit of")),
        "{text}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new(), "in the browser's console");
}

#[test]
fn a_lost_service_is_shown_and_a_new_one_is_found() {
    let Some(_turn) = turn() else { return };
    let browser = Browser::start();
    let demo = Demo::start();
    let address = demo.address();
    browser.open(&demo.page());
    wait_for_ticks(&browser);

    demo.kill();
    let notice = eventually("the page says that the connection is lost", SOON, || {
        let lost = browser.run(
            "const notice = document.querySelector('[role=alert]');
             return document.body.dataset.connection === 'lost' && !notice.hidden ? notice.textContent : null",
        );
        lost.as_str().map(str::to_owned)
    });
    assert!(notice.starts_with("Connection lost since "), "{notice}");
    let opacity = "return Number(getComputedStyle(document.querySelector('main')).opacity)";
    eventually("the figures are dimmed", SOON, || browser.run(opacity).as_f64().filter(|o| *o < 0.6));

    // Another process at the same address has another past: its ticks begin anew.
    let _next = Demo::start_at(address);
    wait_for_ticks(&browser);
    // The chart is drawn a little after its tick has come, so it may show the old past for a moment.
    eventually("a chart of the new process's ticks alone", SOON, || {
        let shown = browser.run(
            "const shown = (id) => document.querySelector(`[data-testid=${id}]`).dataset;
             return { tick: Number(shown('tick').value), points: Number(shown('chart').points) };",
        );
        let (tick, points) = shown["tick"].as_u64().zip(shown["points"].as_u64())?;
        (1..=tick + 1).contains(&points).then_some(())
    });
}
