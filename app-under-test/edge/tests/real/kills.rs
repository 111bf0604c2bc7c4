//! The edge is killed during promotions, rollbacks and gates, at many instants, and restarted.

use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use wiremock::MockServer;

use crate::common::{Edge, answer, ask, bodies, config, slot, until, wait};

/// When the edge is killed, relative to the request that causes the switch.
#[derive(Debug, Clone, Copy)]
enum When {
    /// After this many microseconds.
    After(u64),
    /// When its log contains the event.
    Logged,
    /// When its state on disk contains the event.
    OnDisk,
    /// When the request has been answered.
    Answered,
}

/// From before the first step to after the last one.
const INSTANTS: [When; 14] = [
    When::After(0),
    When::After(300),
    When::After(600),
    When::After(1000),
    When::After(1500),
    When::After(2500),
    When::After(4000),
    When::After(6000),
    When::After(10_000),
    When::After(16_000),
    When::OnDisk,
    When::OnDisk,
    When::Logged,
    When::Answered,
];

/// Sends a request and kills the edge at an instant after it; whether the request succeeded.
async fn kill_during(
    edge: &mut Edge,
    folder: &Path,
    when: When,
    kind: &str,
    request: impl Future<Output = Option<(StatusCode, String, bytes::Bytes)>> + Send + 'static,
) -> bool {
    let asked = tokio::spawn(request);
    let (event, state) = (format!("\"kind\":\"{kind}\""), folder.join("state/state.json"));
    match when {
        When::After(micros) => wait(Duration::from_micros(micros)).await,
        When::Logged => until(kind, async || edge.has_logged(&event).then_some(())).await,
        When::OnDisk => {
            while !std::fs::read_to_string(&state).is_ok_and(|text| text.contains(&event)) {
                tokio::task::yield_now().await;
            }
        }
        When::Answered => until("an answer", async || asked.is_finished().then_some(())).await,
    }
    edge.kill();
    asked
        .await
        .unwrap()
        .is_some_and(|(status, ..)| status.is_success())
}

/// Asserts that the restarted edge knows every event in the log of the killed one.
async fn assert_no_event_is_lost(edge: &Edge, logged: &[Value], when: When) {
    let (_, events) = edge.administer("GET", "/events", "").await;
    let events = events.as_array().unwrap();
    for event in logged {
        assert!(events.contains(event), "{when:?}: {event} is not in {events:?}");
    }
    let numbers: Vec<u64> = events
        .iter()
        .map(|event| event["number"].as_u64().unwrap())
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{when:?}: {numbers:?}"
    );
}

fn contains(events: &[Value], kind: &str) -> bool {
    events.iter().any(|event| event["kind"] == kind)
}

#[tokio::test]
async fn an_edge_killed_during_a_promotion_continues_with_its_last_decision() {
    let (blue, green) = (slot("v1", 200).await, slot("v2", 200).await);
    for when in INSTANTS {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), &blue, &green, "");
        let mut edge = Edge::start(&config).await;
        edge.register().await;
        let admin = edge.admin;
        let promote = async move { ask(admin, "POST", "/releases/v2/promote", "").await };
        let answered = kill_during(&mut edge, folder.path(), when, "promoted", promote).await;
        let decided = answered || contains(&edge.logged(), "promoted");

        let logged = edge.logged();
        let edge = Edge::start(&config).await;
        assert_no_event_is_lost(&edge, &logged, when).await;
        let (_, status) = edge.administer("GET", "/status", "").await;
        let live = status["live"]["release"].as_str().unwrap();
        assert!(live == "v2" || !decided, "{when:?}: {status}");
        assert_eq!(
            edge.ask("GET").await,
            (StatusCode::OK, live.to_owned()),
            "{when:?}"
        );
        if live == "v2" {
            // The release is still watched and can be rolled back.
            assert!(!status["watched_since"].is_null(), "{when:?}: {status}");
            assert_eq!(status["standby"]["release"], "v1", "{when:?}: {status}");
        } else {
            let (again, said) = edge.administer("POST", "/releases/v2/promote", "").await;
            assert_eq!(again, StatusCode::OK, "{when:?}: {said}");
        }
        assert_eq!(edge.ask("GET").await, (StatusCode::OK, "v2".into()), "{when:?}");
    }
}

#[tokio::test]
async fn an_edge_killed_during_a_rollback_completes_it_and_sends_the_alert() {
    let (blue, green, sink) = (
        slot("v1", 200).await,
        slot("v2", 500).await,
        MockServer::start().await,
    );
    for when in INSTANTS {
        answer(&sink, 200).await;
        let folder = tempfile::tempdir().unwrap();
        let receiver = format!("[[alert.receiver]]\nkind = \"json\"\nurl = \"{}/\"\n", sink.uri());
        let config = config(folder.path(), &blue, &green, &receiver);
        let mut edge = Edge::start(&config).await;
        edge.deploy().await;
        for _ in 0..2 {
            assert_eq!(edge.ask("POST").await, (StatusCode::OK, "v1".into()));
        }
        let users = edge.users;
        let third = async move { ask(users, "POST", "/path", "").await };
        kill_during(&mut edge, folder.path(), when, "rolled-back", third).await;
        let decided = contains(&edge.logged(), "rolled-back");

        let logged = edge.logged();
        let edge = Edge::start(&config).await;
        assert_no_event_is_lost(&edge, &logged, when).await;
        assert!(edge.live().await == "v1" || !decided, "{when:?}");
        edge.write_until_rolled_back().await;
        until("the alert of the rollback", async || {
            let bodies = bodies(&sink, "/").await;
            bodies
                .iter()
                .any(|body| body["kind"] == "rolled-back")
                .then_some(())
        })
        .await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_restarted_edge_cleans_up_a_staging_gate_that_was_killed() {
    let (blue, green) = (slot("v1", 200).await, slot("v2", 200).await);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("store")).unwrap();
    std::fs::write(
        folder.path().join("store/urls.json"),
        r#"{"go": {"url": "http://go.example"}}"#,
    )
    .unwrap();
    let staging = format!(
        "[staging]\ncommand = [\"/bin/sh\", \"-c\", \"echo $$ > {{store}}/pid && exec sleep 600\"]\n\
         store = {:?}\nwithin = \"60s\"\nknown = {{ file = \"urls.json\", target = \"/url\" }}\n\
         [[staging.journey]]\nname = \"resolve\"\nover = \"known\"\npath = \"/{{key}}\"\nstatus = 302\n",
        folder.path().join("store"),
    );
    let config = config(folder.path(), &blue, &green, &staging);
    let mut edge = Edge::start(&config).await;
    let (admin, new) = (edge.admin, r#"{"release": "v2", "slot": "green"}"#);
    let registered = tokio::spawn(async move { ask(admin, "POST", "/releases", new).await });
    let stage = folder.path().join("state/staging");
    let candidate = until("the candidate", async || {
        let pid = std::fs::read_to_string(stage.join("store/pid")).ok()?;
        pid.trim().parse::<u32>().ok()
    })
    .await;
    assert!(runs(candidate));

    edge.kill();
    assert!(registered.await.unwrap().is_none());
    until("the end of the candidate", async || {
        (!runs(candidate)).then_some(())
    })
    .await;
    assert!(stage.exists(), "the killed edge could not remove the copy");

    let edge = Edge::start(&config).await;
    assert!(!stage.exists());
    let (_, status) = edge.administer("GET", "/status", "").await;
    assert_eq!(status["releases"]["v2"]["stage"], "rejected", "{status}");
    assert_eq!(edge.ask("GET").await, (StatusCode::OK, "v1".into()));
}

/// Whether a process is running; a zombie is not.
#[cfg(target_os = "linux")]
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| &rest[..1]);
    !matches!(state, "" | "Z" | "X")
}
