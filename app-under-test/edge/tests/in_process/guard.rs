//! What users get while a release goes live, and what the edge decides; without sockets.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Behaviour, Edge, behaviour, edge, edge_in, release};
use edge::event::Event;

fn good(new: Behaviour) -> Edge {
    edge(
        release("old", behaviour(Behaviour::Answers(200))),
        release("new", behaviour(new)),
        "",
    )
}

fn old() -> (u16, String) {
    (200, "old".into())
}

fn new() -> (u16, String) {
    (200, "new".into())
}

#[tokio::test]
async fn users_notice_no_release_that_answers_500_and_it_is_rolled_back_after_three() {
    let edge = good(Behaviour::Answers(500));
    edge.deploy().await;
    for _ in 0..2 {
        assert_eq!(edge.ask("POST").await, old());
        assert_eq!(edge.live(), "new");
    }
    assert_eq!(edge.ask("POST").await, old());
    assert_eq!(edge.live(), "old");
    let event = edge
        .events
        .wait_for(|event| matches!(event, Event::RolledBack { .. }))
        .await;
    let Event::RolledBack { to, pairs, .. } = event else {
        unreachable!()
    };
    assert_eq!(
        (
            to.as_str(),
            pairs.len(),
            pairs[0].request.as_str(),
            pairs[0].new.as_str()
        ),
        ("old", 3, "POST /path", "500 Internal Server Error")
    );
}

#[tokio::test]
async fn users_notice_no_release_that_breaks_connections_and_it_is_rolled_back() {
    let edge = good(Behaviour::Breaks);
    edge.deploy().await;
    for _ in 0..3 {
        assert_eq!(edge.ask("GET").await, old());
    }
    assert_eq!(edge.live(), "old");
}

#[tokio::test]
async fn users_notice_no_release_that_hangs_or_is_slow_and_it_is_rolled_back() {
    for what in [Behaviour::Hangs, Behaviour::AnswersAfter(1000)] {
        let edge = edge(
            release("old", behaviour(Behaviour::Answers(200))),
            release("new", behaviour(what)),
            "proxy.deadline = \"40ms\"",
        );
        edge.deploy().await;
        // A request during a stall of the machine does not count, so three may not be enough.
        for _ in 0..30 {
            if edge.live() == "new" {
                assert_eq!(edge.ask("GET").await, old());
            }
        }
        assert_eq!(edge.live(), "old", "{what:?}");
    }
}

#[tokio::test]
async fn answers_that_are_late_at_the_same_time_cause_no_rollback() {
    let edge = edge(
        release("old", behaviour(Behaviour::Answers(200))),
        release("new", behaviour(Behaviour::Hangs)),
        "proxy.deadline = \"40ms\"",
    );
    edge.deploy().await;
    let answers = futures::future::join_all((0..50).map(|_| edge.ask("GET"))).await;
    assert!(answers.iter().all(|answer| *answer == old()));
    assert_eq!(edge.live(), "new");
}

#[tokio::test]
async fn there_is_no_rollback_when_both_releases_fail() {
    let edge = edge(
        release("old", behaviour(Behaviour::Breaks)),
        release("new", behaviour(Behaviour::Answers(500))),
        "",
    );
    edge.deploy().await;
    for _ in 0..20 {
        assert_eq!(edge.ask("GET").await, (500, "new".into()));
    }
    edge.events
        .wait_for(|event| matches!(event, Event::SharedCause { .. }))
        .await;
    assert_eq!(edge.live(), "new");
    let shared = edge
        .events
        .kinds()
        .iter()
        .filter(|kind| **kind == "shared-cause")
        .count();
    assert_eq!(shared, 1, "one alert, not one per request");
}

#[tokio::test]
async fn client_errors_cause_no_rollback() {
    for status in [400, 404, 409, 429] {
        let edge = good(Behaviour::Answers(status));
        edge.deploy().await;
        for _ in 0..20 {
            assert_eq!(edge.ask("POST").await, (status, "new".into()));
        }
        assert_eq!(edge.live(), "new");
    }
}

#[tokio::test]
async fn a_closed_idle_connection_causes_no_rollback() {
    let edge = good(Behaviour::StaleOnce);
    edge.deploy().await;
    for _ in 0..20 {
        assert_eq!(edge.ask("POST").await, new());
    }
    assert_eq!(edge.live(), "new");
}

#[tokio::test]
async fn with_rollback_off_failures_reach_users_and_cause_an_alert() {
    let edge = edge(
        release("old", behaviour(Behaviour::Answers(200))),
        release("new", behaviour(Behaviour::Answers(500))),
        "watch.rollback = false",
    );
    edge.deploy().await;
    for _ in 0..5 {
        assert_eq!(edge.ask("GET").await, (500, "new".into()));
    }
    edge.events
        .wait_for(|event| matches!(event, Event::Failing { .. }))
        .await;
    assert_eq!(edge.live(), "new");
}

#[tokio::test]
async fn failures_of_a_settled_release_are_answered_by_the_standby_without_a_rollback() {
    let what = behaviour(Behaviour::Answers(200));
    let edge = edge(
        release("old", behaviour(Behaviour::Answers(200))),
        release("new", Arc::clone(&what)),
        "watch.settle = \"10ms\"",
    );
    edge.deploy().await;
    edge.events
        .wait_for(|event| matches!(event, Event::Settled { .. }))
        .await;
    *what.lock().unwrap() = Behaviour::Breaks;
    for _ in 0..20 {
        assert_eq!(edge.ask("GET").await, old());
    }
    edge.events
        .wait_for(|event| matches!(event, Event::StandbyAnswers { .. }))
        .await;
    assert_eq!(edge.live(), "new");
}

#[tokio::test]
async fn a_promotion_interrupts_no_request_in_flight() {
    let what = behaviour(Behaviour::AnswersAfter(300));
    let edge = edge(
        release("old", Arc::clone(&what)),
        release("new", behaviour(Behaviour::Answers(200))),
        "",
    );
    let in_flight = futures::future::join_all((0..50).map(|_| edge.ask("GET")));
    let deploy = async {
        crate::common::wait(Duration::from_millis(20)).await;
        edge.deploy().await;
        edge.ask("GET").await
    };
    let (answers, after) = futures::join!(in_flight, deploy);
    assert!(answers.iter().all(|answer| *answer == old()), "{answers:?}");
    assert_eq!(after, new());
}

#[tokio::test]
async fn a_rollback_interrupts_no_request_in_flight() {
    let what = behaviour(Behaviour::AnswersAfter(100));
    let edge = edge(
        release("old", behaviour(Behaviour::Answers(200))),
        release("new", Arc::clone(&what)),
        "proxy.deadline = \"1s\"",
    );
    edge.deploy().await;
    let in_flight = futures::future::join_all((0..50).map(|_| edge.ask("GET")));
    let back = async {
        crate::common::wait(Duration::from_millis(10)).await;
        edge.pipeline.roll_back().await.unwrap();
        edge.ask("GET").await
    };
    let (answers, after) = futures::join!(in_flight, back);
    assert!(answers.iter().all(|answer| *answer == new()), "{answers:?}");
    assert_eq!(after, old());
}

#[tokio::test]
async fn a_slot_that_runs_another_release_is_not_promoted() {
    let edge = edge(
        release("old", behaviour(Behaviour::Answers(200))),
        release("another", behaviour(Behaviour::Answers(200))),
        "",
    );
    let placed = edge::config::Placed {
        slot: "green".into(),
        release: "new".into(),
    };
    edge.pipeline.register(placed).await.unwrap();
    let refused = edge.pipeline.promote("new").await.unwrap_err();
    assert!(refused.to_string().contains("the slot runs another"), "{refused}");
    assert_eq!(edge.live(), "old");
    edge.events
        .wait_for(|event| matches!(event, Event::Rejected { .. }))
        .await;
}

#[tokio::test]
async fn slots_that_are_in_use_cannot_be_registered_for() {
    let edge = good(Behaviour::Answers(200));
    let placed = |slot: &str| edge::config::Placed {
        slot: slot.into(),
        release: "newer".into(),
    };
    assert!(edge.pipeline.register(placed("blue")).await.is_err());
    assert!(edge.pipeline.register(placed("red")).await.is_err());
    edge.deploy().await;
    assert!(edge.pipeline.register(placed("blue")).await.is_err(), "watched");
}

#[tokio::test]
async fn a_restarted_edge_continues_with_the_live_release_and_its_watch() {
    let made = || {
        (
            release("old", behaviour(Behaviour::Answers(200))),
            release("new", behaviour(Behaviour::Answers(500))),
        )
    };
    let (first, second) = made();
    let before = edge(first, second, "");
    before.deploy().await;
    assert_eq!(before.ask("GET").await, old());
    let folder = Arc::clone(&before.folder);
    drop(before);

    let (first, second) = made();
    let after = edge_in(Arc::clone(&folder), first, second, "");
    assert_eq!(after.live(), "new");
    for _ in 0..3 {
        assert_eq!(after.ask("GET").await, old());
    }
    assert_eq!(after.live(), "old");
    after
        .events
        .wait_for(|event| matches!(event, Event::RolledBack { .. }))
        .await;
    drop(after);

    let (first, second) = made();
    assert_eq!(edge_in(folder, first, second, "").live(), "old");
}

#[tokio::test]
async fn a_full_disk_does_not_prevent_a_rollback() {
    let edge = good(Behaviour::Answers(500));
    edge.deploy().await;
    std::fs::remove_dir_all(edge.folder.path().join("state")).unwrap();
    for _ in 0..3 {
        assert_eq!(edge.ask("GET").await, old());
    }
    assert_eq!(edge.live(), "old");
    edge.events
        .wait_for(|event| matches!(event, Event::RolledBack { .. }))
        .await;
}

#[tokio::test]
async fn a_promotion_that_cannot_be_stored_does_not_take_place() {
    let edge = good(Behaviour::Answers(200));
    let placed = edge::config::Placed {
        slot: "green".into(),
        release: "new".into(),
    };
    edge.pipeline.register(placed).await.unwrap();
    std::fs::remove_dir_all(edge.folder.path().join("state")).unwrap();
    assert!(edge.pipeline.promote("new").await.is_err());
    assert_eq!((edge.live(), edge.ask("GET").await), ("old".into(), old()));
}

#[tokio::test]
async fn a_request_that_must_not_be_repeated_is_sent_once_and_its_failure_reaches_the_user() {
    let edge = edge(
        release("old", behaviour(Behaviour::Answers(200))),
        release("new", behaviour(Behaviour::Answers(500))),
        "[[proxy.route]]\npath = \"/path\"\nreplay = false\n",
    );
    edge.deploy().await;
    for _ in 0..5 {
        assert_eq!(edge.ask("POST").await, (500, "new".into()));
    }
    assert_eq!(edge.live(), "new");
    edge.events
        .wait_for(|event| matches!(event, Event::Failing { .. }))
        .await;
    // A read can always be repeated.
    assert_eq!(edge.ask("GET").await, old());
}

#[tokio::test]
async fn a_damaged_state_is_reported_and_a_lost_decision_is_not_hidden() {
    let (blue, green) = (
        behaviour(Behaviour::Answers(200)),
        behaviour(Behaviour::Answers(200)),
    );
    let first = edge(
        release("old", Arc::clone(&blue)),
        release("new", Arc::clone(&green)),
        "",
    );
    first.deploy().await;
    let folder = Arc::clone(&first.folder);
    drop(first);
    std::fs::write(folder.path().join("state/state.json"), "damaged").unwrap();
    let edge = edge_in(folder, release("old", blue), release("new", green), "");
    edge.events
        .wait_for(|event| matches!(event, Event::StateDamaged { .. }))
        .await;
}
