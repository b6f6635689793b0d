//! What people set by hand, and a canary beside its pool, on the page.

use super::driver::Browser;
use super::served::Served;
use super::{SOON, eventually, turn, wait_for_ticks};
use std::time::Duration;

#[test]
fn what_is_set_by_hand_is_shown_with_its_time_until_it_is_taken_back() {
    let Some(_turn) = turn() else { return };
    let (browser, served) = (Browser::start(), Served::start());
    browser.open(&served.url);
    wait_for_ticks(&browser);
    let hidden = "return document.getElementById('overrides-card').hidden";
    assert_eq!(browser.run(hidden), true);

    let fields = [("capacity.bytes".to_owned(), "1MiB".to_owned())];
    let set =
        served.handle.override_knobs("http body", &fields, Duration::from_secs(3000), "ann: <b>a look</b>");
    set.expect("allowed");
    let row = r#"const row = document.querySelector('[data-override="http body capacity"]');
                 return row && [row.textContent, Number(row.dataset.leftS)]"#;
    let shown = eventually("the override is on the page", SOON, || {
        Some(browser.run(row)).filter(|row| !row.is_null())
    });
    let (text, left) = (shown[0].as_str().expect("a text"), shown[1].as_u64().expect("a time"));
    assert!(text.contains("capacity.bytes 1MiB") && text.contains("min left"), "{text}");
    assert!(text.contains("ann: <b>a look</b>"), "a text is a text: {text}");
    assert!((1..=3000).contains(&left), "{left}");

    assert_eq!(served.handle.withdraw_override("http body", "capacity"), Ok(true));
    eventually("it is gone from the page", SOON, || (browser.run(hidden) == true).then_some(()));
    assert_eq!(browser.complaints(), Vec::<String>::new(), "in the browser's console");
}

#[test]
fn a_canary_stands_beside_its_pool_with_its_share_and_verdict() {
    let Some(_turn) = turn() else { return };
    let (browser, served) = (Browser::start(), Served::start());
    drop(served.pool.get());
    browser.resize(360, 800);
    browser.open(&served.url);
    wait_for_ticks(&browser);
    served.handle.override_share("http body", 30.0, Duration::from_secs(60), "a look").expect("allowed");
    let card = r#"const card = document.querySelector('[data-canary="http body"]');
                  return card && [card.dataset.percent, card.dataset.verdict, card.textContent]"#;
    let shown = eventually("the share is on the page", SOON, || {
        Some(browser.run(card)).filter(|card| card[0] == "30")
    });
    assert_eq!(shown[1], "too_little_data");
    let text = shown[2].as_str().expect("a text");
    let needed = format!("{} are needed", served.handle.status().canaries[0].rounds_needed);
    for part in ["too little data", &needed, "Share by person: a look", "Stable", "Canary", "Hit rate"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let sides = browser.run(
        r#"const value = (side) => document.querySelector(`[data-testid="canary-${side}-gets"]`).dataset.value;
           return [value("stable"), value("canary"), document.documentElement.scrollWidth <= innerWidth]"#,
    );
    assert_eq!(sides, serde_json::json!(["0", "0", true]), "no round has ended, and it fits a narrow screen");
    assert_eq!(browser.complaints(), Vec::<String>::new(), "in the browser's console");
}
