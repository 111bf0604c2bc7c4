//! The page in a real browser: it loads nothing else, complains about nothing, is reached by keyboard, fits a phone, and
//! names its pictures. Needs Chromium: without it the tests are reported as ignored; with `CI=true` they fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod cdp;
#[path = "../stored_drills/mod.rs"]
mod stored_drills;

use std::path::{Path, PathBuf};

use base64::Engine;
use firedrill::report::{self, DrillOutcome};

use cdp::{Browser, installed};
use libtest_mimic::{Arguments, Trial};
use stored_drills::{drill_report, drills};

/// Set to store the screenshots in docs/ instead of looking at them in a temporary folder.
const UPDATE: &str = "FIREDRILL_UPDATE_SCREENSHOTS";

/// A test with a browser of its own.
type Test = fn(&mut Browser);

fn main() {
    let tests: [(&str, Test); 4] = [
        (
            "a_page_loads_nothing_else_and_complains_about_nothing",
            a_page_loads_nothing_else_and_complains_about_nothing,
        ),
        (
            "everything_is_reached_by_keyboard",
            everything_is_reached_by_keyboard,
        ),
        (
            "a_page_is_readable_by_those_who_cannot_see_it_and_on_a_phone",
            a_page_is_readable_by_those_who_cannot_see_it_and_on_a_phone,
        ),
        (
            "the_page_is_drawn_in_light_in_dark_and_on_a_phone",
            the_page_is_drawn_in_light_in_dark_and_on_a_phone,
        ),
    ];
    let installed = installed();
    // nextest takes from the list which tests are ignored: what is missing must be known by then.
    let ignored = installed.is_none() && !std::env::var("CI").is_ok_and(|ci| ci == "true");
    let trial = |(name, test): (&str, Test)| {
        let run = move || {
            let name = installed.ok_or("no Chromium: apt-get install chromium")?;
            test(&mut Browser::start(name));
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(ignored)
    };
    libtest_mimic::run(&Arguments::from_args(), tests.map(trial).into()).exit()
}

/// A page on disk.
fn page(folder: &Path, drills: &[DrillOutcome]) -> PathBuf {
    let path = folder.join("report.html");
    std::fs::write(&path, report::html(drills).unwrap()).unwrap();
    path
}

fn one() -> Vec<DrillOutcome> {
    vec![DrillOutcome::Judged(Box::new(drill_report(
        "wrong-loader-on-the-ladder",
    )))]
}

/// Whatever the page loaded besides itself, and whatever the browser complained about.
fn complaints(browser: &Browser) -> Vec<String> {
    let events = browser.events.iter().filter_map(|event| {
        let params = &event["params"];
        match event["method"].as_str()? {
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str()?;
                let page =
                    url.starts_with("file:") && url.ends_with("/report.html") || url.starts_with("data:");
                (!page).then(|| format!("loaded {url:.100}"))
            }
            "Runtime.exceptionThrown" => Some(params.to_string()),
            "Runtime.consoleAPICalled" | "Log.entryAdded" => Some(params.to_string()),
            _ => None,
        }
    });
    events.collect()
}

fn a_page_loads_nothing_else_and_complains_about_nothing(browser: &mut Browser) {
    let folder = tempfile::tempdir().unwrap();
    for drills in [one(), drills()] {
        let page = page(folder.path(), &drills);
        browser.open(&page);
        browser.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
        assert_eq!(complaints(browser), [""; 0]);
    }
}

fn everything_is_reached_by_keyboard(browser: &mut Browser) {
    let folder = tempfile::tempdir().unwrap();
    browser.open(&page(folder.path(), &one()));
    let all = "[...document.querySelectorAll('a[href], input, summary, [tabindex=\"0\"]')].filter((e) => e.checkVisibility())";
    let wanted = browser.eval(&format!("{all}.length")).as_u64().unwrap();
    assert!(wanted > 10, "{wanted}");
    browser.eval("window.reached = new Set(), 0");
    for _ in 0..wanted + 5 {
        browser.press("Tab", 9);
        let outlined = browser.eval(
            "(() => { const e = document.activeElement; if (e === document.body) return true; reached.add(e); \
             return getComputedStyle(e).outlineStyle !== 'none' })()",
        );
        assert_eq!(outlined, true, "what has the focus cannot be seen");
    }
    let missed = browser.eval(&format!(
        "{all}.filter((e) => !reached.has(e)).map((e) => e.outerHTML.slice(0, 80))"
    ));
    assert_eq!(missed, serde_json::json!([]));
    // The cursor of the timeline moves by the arrow keys, and says what it stands on.
    browser.eval("document.querySelector('.inspect input').focus()");
    let before = browser.eval("document.querySelector('.inspect output').textContent");
    assert!(before.as_str().unwrap().contains("DOWN"), "{before}");
    for _ in 0..300 {
        browser.press("ArrowLeft", 37);
    }
    let after = browser.eval("document.querySelector('.inspect output').textContent");
    assert!(
        after != before && after.as_str().unwrap().contains("up"),
        "{after}"
    );
}

fn a_page_is_readable_by_those_who_cannot_see_it_and_on_a_phone(browser: &mut Browser) {
    let folder = tempfile::tempdir().unwrap();
    browser.view(390, true, "light");
    browser.open(&page(folder.path(), &one()));
    let unnamed = browser.eval(
        "[...document.querySelectorAll('svg[role=img]')].filter((e) => !e.querySelector('title')?.textContent \
         || !e.querySelector('desc')?.textContent).map((e) => e.id)",
    );
    assert_eq!(unnamed, serde_json::json!([]));
    let pictures = browser.eval("document.querySelectorAll('svg[role=img]').length");
    assert!(pictures.as_u64().unwrap() >= 5, "{pictures}");
    let wide = browser.eval("document.documentElement.scrollWidth");
    assert_eq!(wide, 390, "the page is wider than the phone");
    let doubled = browser.eval(
        "(() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id); \
         return ids.filter((id, at) => ids.indexOf(id) !== at) })()",
    );
    assert_eq!(doubled, serde_json::json!([]));
    let tree = browser.call("Accessibility.getFullAXTree", serde_json::json!({}));
    let named = |role: &str, name: &str| {
        let nodes = tree["nodes"].as_array().unwrap();
        nodes.iter().any(|node| {
            node["role"]["value"] == role
                && node["name"]["value"]
                    .as_str()
                    .is_some_and(|text| text.contains(name))
        })
    };
    assert!(named("image", "Timeline") && named("slider", "instant") && named("heading", "Timeline"));
}

fn the_page_is_drawn_in_light_in_dark_and_on_a_phone(browser: &mut Browser) {
    let folder = tempfile::tempdir().unwrap();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let update = std::env::var_os(UPDATE).is_some();
    let to = if update { docs.as_path() } else { folder.path() };
    let page = page(folder.path(), &one());
    for (name, width, phone, scheme) in [
        ("report-light", 1200, false, "light"),
        ("report-dark", 1200, false, "dark"),
        ("report-narrow", 390, true, "light"),
    ] {
        browser.view(width, phone, scheme);
        browser.open(&page);
        let shot = browser.screenshot(width, if phone { 2600 } else { 2400 });
        let png = base64::engine::general_purpose::STANDARD.decode(shot).unwrap();
        assert!(png.len() > 20_000, "{name} is hardly drawn: {} bytes", png.len());
        std::fs::write(to.join(format!("{name}.png")), png).unwrap();
    }
}
