//! Journeys in steps: what is refused in them, and that the valid one is not.

use crate::{Folder, SCENARIO, SYSTEM};

/// Of `shorten`, the journey that writes, in the valid system.
const ONE_REQUEST: &str = r#"request = { method = "POST", path = "/your-url", form = { code = "{fresh.code}", url = "{fresh.url}" } }
answer = { status = 200 }
"#;

/// The same journey in steps.
const STEPS: &str = r#"
[[journey.step]]
request = { path = "/form" }
answer = { status = "2xx", header_present = ["set-cookie"] }
capture = { token = { regex = "token=([a-z]+)" }, sid = { cookie = "sid" } }

[[journey.step]]
request = { method = "POST", path = "/your-url", json = { code = "{fresh.code}", deep = [{ token = "{capture.token}" }] } }
answer = { status = [200, "201-204"], json = { "/a~1b/0" = "{capture.token}" } }
capture = { id = { json = "/id" } }

[[journey.step]]
request = { path = "/{capture.id}" }
answer = { status = 200, body_matches = "^[{]" }
capture = { late = { header = "etag" } }
"#;

#[test]
fn a_journey_in_steps_is_checked_in_all_its_parts() {
    assert!(SYSTEM.contains(ONE_REQUEST));
    let valid = SYSTEM.replacen(ONE_REQUEST, STEPS, 1).replacen(
        "path = \"{link}\"",
        "path = \"{link}?{capture.id}\"",
        1,
    );
    assert_eq!(Folder::new(SCENARIO, &valid).codes(), [""; 0]);
    let cases = [
        (
            "\"{capture.token}\" }]",
            "\"{capture.tokn}\" }]",
            "unknown-capture",
        ),
        // In the request of the step that captures it, and of the one before.
        (
            "path = \"/form\"",
            "path = \"/form/{capture.token}\"",
            "unknown-capture",
        ),
        ("\"{capture.token}\" }]", "\"{capture.id}\" }]", "unknown-capture"),
        // Captured after the write that is read back.
        ("{link}?{capture.id}", "{link}?{capture.late}", "unknown-capture"),
        ("\"/id\"", "\"id\"", "bad-pointer"),
        ("/a~1b/0", "/a~b/0", "bad-pointer"),
        ("([a-z]+)", "([a-z]+", "bad-pattern"),
        ("([a-z]+)", "[a-z]+", "bad-pattern"),
        ("^[{]", "^[{", "bad-pattern"),
        ("\"2xx\"", "\"1xx\"", "bad-status"),
        ("[200, \"201-204\"]", "[]", "bad-status"),
        ("[200, \"201-204\"]", "[200, \"204-201\"]", "bad-status"),
        ("[\"set-cookie\"]", "[\"set cookie\"]", "bad-header-name"),
        (
            "{ header = \"etag\" }",
            "{ header = \"e tag\" }",
            "bad-header-name",
        ),
        ("token = { regex", "\"to ken\" = { regex", "bad-name"),
        ("{fresh.code}\", deep", "{fresh.cod}\", deep", "unknown-field"),
        ("{fresh.code}\", deep", "{\", deep", "lone-brace"),
        ("json = { code", "body = \"x\", json = { code", "form-and-body"),
        (
            "\n[[journey.step]]",
            "request = { path = \"/\" }\n[[journey.step]]",
            "not-exactly-one",
        ),
        (
            "\n[[journey.step]]",
            "answer = { status = 200 }\n[[journey.step]]",
            "not-exactly-one",
        ),
        (
            "code = \"{fresh.code}\", deep",
            "code = 1979-05-27, deep",
            "wrong-type",
        ),
    ];
    for (part, broken, code) in cases {
        assert!(valid.contains(part), "{part}");
        let mut codes = Folder::new(SCENARIO, &valid.replacen(part, broken, 1)).codes();
        // A value whose name is broken is missing where it is used.
        codes.retain(|found| code != "bad-name" || *found != "unknown-capture");
        assert_eq!(codes, [code], "{broken}");
    }
}

#[test]
fn a_journey_has_one_request_with_an_answer_or_steps() {
    let answer = "answer = { status = 200 }\n";
    let without = |text: &str| SYSTEM.replacen(ONE_REQUEST, text, 1);
    let request = ONE_REQUEST.replace(answer, "");
    assert_eq!(Folder::new(SCENARIO, &without("")).codes(), ["not-exactly-one"]);
    assert_eq!(Folder::new(SCENARIO, &without(&request)).codes(), ["missing-key"]);
    assert_eq!(
        Folder::new(SCENARIO, &without(answer)).codes(),
        ["not-exactly-one"]
    );
    let reserved = SYSTEM
        .replace("records.fresh", "records.capture")
        .replace("fresh.", "capture.");
    assert!(Folder::new(SCENARIO, &reserved).codes().contains(&"bad-name"));
}
