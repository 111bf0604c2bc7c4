//! Alerts of the real binary.

use serde_json::Value;
use wiremock::MockServer;

use crate::common::{Edge, answer, bodies, config, slot, until};

/// Every kind of receiver with a JSON body: its settings, and a pointer to the id of an alert.
const KINDS: [(&str, &str, &str); 5] = [
    ("json", "", "/id"),
    ("datadog", "", "/aggregation_key"),
    ("alertmanager", "", "/alerts/0/fingerprint"),
    ("pagerduty", "routing_key = \"key\"", "/dedup_key"),
    ("webhook-trigger", "token = \"key\"", "/id"),
];

fn receivers(sink: &MockServer) -> String {
    let receiver = |(kind, more, _): &(&str, &str, &str)| {
        format!(
            "[[alert.receiver]]\nkind = {kind:?}\nurl = \"{}/{kind}\"\n{more}\n",
            sink.uri()
        )
    };
    KINDS.iter().map(receiver).collect()
}

/// The ids of the alerts that a receiver got, in order.
async fn ids(sink: &MockServer, kind: &str, pointer: &str) -> Vec<Value> {
    let path = match kind {
        "webhook-trigger" => "/webhook-trigger/generic-webhook-trigger/invoke".to_owned(),
        kind => format!("/{kind}"),
    };
    let bodies = bodies(sink, &path).await;
    bodies
        .iter()
        .map(|body| body.pointer(pointer).unwrap().clone())
        .collect()
}

/// The id of the last alert at each receiver, once each has got this many different ones.
async fn last_ids(sink: &MockServer, different: usize) -> Vec<Value> {
    until("an alert at every receiver", async || {
        let mut last = Vec::new();
        for (kind, _, pointer) in KINDS {
            let mut ids = ids(sink, kind, pointer).await;
            ids.dedup();
            last.extend((ids.len() == different).then(|| ids.pop()).flatten());
        }
        (last.len() == KINDS.len()).then_some(last)
    })
    .await
}

#[tokio::test]
async fn a_pending_alert_is_sent_with_the_same_id_after_a_kill_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (blue, green, sink) = (
        slot("v1", 200).await,
        slot("v2", 500).await,
        MockServer::start().await,
    );
    let config = config(folder.path(), &blue, &green, &receivers(&sink));

    answer(&sink, 503).await;
    let mut edge = Edge::start(&config).await;
    edge.deploy().await;
    edge.write_until_rolled_back().await;
    let sent = last_ids(&sink, 1).await;
    edge.kill();

    answer(&sink, 200).await;
    let mut edge = Edge::start(&config).await;
    assert_eq!(last_ids(&sink, 1).await, sent);
    let path = folder.path().join("state/delivery-cursors.json");
    until("the cursor of every receiver on disk", async || {
        let content = std::fs::read(&path).ok()?;
        let numbers: serde_json::Map<String, Value> = serde_json::from_slice(&content).ok()?;
        (numbers.len() == KINDS.len() && numbers.values().all(|number| number.as_u64() > Some(0)))
            .then_some(())
    })
    .await;
    edge.kill();

    // An accepted alert is not sent again: what arrives next is the next alert.
    answer(&sink, 200).await;
    let edge = Edge::start(&config).await;
    edge.deploy().await;
    edge.write_until_rolled_back().await;
    let next = last_ids(&sink, 1).await;
    assert!(
        next.iter().zip(&sent).all(|(next, sent)| next != sent),
        "{next:?}"
    );
}

#[tokio::test]
async fn an_alert_contains_the_changed_source_files_and_the_errors_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (blue, green, sink) = (
        slot("v1", 200).await,
        slot("v2", 500).await,
        MockServer::start().await,
    );
    for (release, call) in [("v1", "load"), ("v2", "loads")] {
        let source = folder.path().join(release).join("app");
        std::fs::create_dir_all(&source).unwrap();
        let text = format!("with open('urls.json') as urls_file:\n    urls = json.{call}(urls_file)\n");
        std::fs::write(source.join("routes.py"), text).unwrap();
    }
    let log = "INFO v2 listens\nERROR POST /path failed: the JSON object must be str, bytes or bytearray, not TextIOWrapper (the admin token is open sesame)\n";
    std::fs::write(folder.path().join("v2.log"), log).unwrap();
    let sources = ["v1", "v2"].map(|release| {
        let source = folder.path().join(release);
        format!("[alert.release.{release}]\nsource = {source:?}\nconfiguration = {{ API_TOKEN = \"hunter2 of {release}\" }}\n")
    });
    let more = format!(
        "[alert]\nlogs = {:?}\n{}{}",
        folder.path(),
        sources.concat(),
        receivers(&sink)
    );
    let config = config(folder.path(), &blue, &green, &more);

    answer(&sink, 200).await;
    let edge = Edge::start(&config).await;
    edge.deploy().await;
    edge.write_until_rolled_back().await;
    last_ids(&sink, 1).await;
    for (kind, place) in [
        ("json", "/text"),
        ("pagerduty", "/payload/custom_details/difference"),
        ("datadog", "/body"),
    ] {
        let bodies = bodies(&sink, &format!("/{kind}")).await;
        let shown = bodies[0].pointer(place).unwrap().as_str().unwrap();
        for part in [
            "version: v1 -> v2",
            "+++ app/routes.py",
            "-    urls = json.load(urls_file)\n",
            "+    urls = json.loads(urls_file)\n",
            "API_TOKEN: [redacted] -> [redacted]",
        ] {
            assert!(shown.contains(part), "{kind}: {part}: {shown}");
        }
    }
    let bodies = bodies(&sink, "/json").await;
    let text = bodies[0]["text"].as_str().unwrap();
    assert!(
        text.contains("the parser was given the file object, not its text"),
        "{text}"
    );
    assert!(text.contains("  2:ERROR POST /path failed"), "{text}");
    assert!(text.contains("(the admin token is [redacted])"), "{text}");
}
