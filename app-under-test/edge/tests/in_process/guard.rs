//! What users get while a release goes live, and what the edge decides: driven in the process, without a socket.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Does, Edge, does, edge, edge_in, release};
use edge::event::Event;

fn good(edge_of: Does) -> Edge {
    edge(
        release("old", does(Does::Answers(200))),
        release("new", does(edge_of)),
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
async fn a_release_that_answers_500_costs_no_answer_and_is_rolled_back_after_three() {
    let edge = good(Does::Answers(500));
    edge.deploy().await;
    for _ in 0..2 {
        assert_eq!(edge.ask("POST").await, old());
        assert_eq!(edge.live(), "new");
    }
    assert_eq!(edge.ask("POST").await, old());
    assert_eq!(edge.live(), "old");
    let event = edge
        .ears
        .hear(|event| matches!(event, Event::RolledBack { .. }))
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
async fn a_release_that_breaks_connections_costs_no_answer_and_is_rolled_back() {
    let edge = good(Does::Breaks);
    edge.deploy().await;
    for _ in 0..3 {
        assert_eq!(edge.ask("GET").await, old());
    }
    assert_eq!(edge.live(), "old");
}

#[tokio::test]
async fn a_release_that_hangs_or_is_slow_costs_no_answer_and_is_rolled_back() {
    for what in [Does::Hangs, Does::AnswersAfter(1000)] {
        let edge = edge(
            release("old", does(Does::Answers(200))),
            release("new", does(what)),
            "proxy.deadline = \"40ms\"",
        );
        edge.deploy().await;
        // One that was held up by the machine does not count, so it may take more than three.
        for _ in 0..30 {
            if edge.live() == "new" {
                assert_eq!(edge.ask("GET").await, old());
            }
        }
        assert_eq!(edge.live(), "old", "{what:?}");
    }
}

#[tokio::test]
async fn many_answers_late_at_once_do_not_roll_back() {
    let edge = edge(
        release("old", does(Does::Answers(200))),
        release("new", does(Does::Hangs)),
        "proxy.deadline = \"40ms\"",
    );
    edge.deploy().await;
    let answers = futures::future::join_all((0..50).map(|_| edge.ask("GET"))).await;
    assert!(answers.iter().all(|answer| *answer == old()));
    assert_eq!(edge.live(), "new");
}

#[tokio::test]
async fn both_failing_is_a_shared_cause_and_rolls_nothing_back() {
    let edge = edge(
        release("old", does(Does::Breaks)),
        release("new", does(Does::Answers(500))),
        "",
    );
    edge.deploy().await;
    for _ in 0..20 {
        assert_eq!(edge.ask("GET").await, (500, "new".into()));
    }
    edge.ears
        .hear(|event| matches!(event, Event::SharedCause { .. }))
        .await;
    assert_eq!(edge.live(), "new");
    let shared = edge
        .ears
        .kinds()
        .iter()
        .filter(|kind| **kind == "shared-cause")
        .count();
    assert_eq!(shared, 1, "told once, not at every request");
}

#[tokio::test]
async fn a_refusal_never_counts() {
    for status in [400, 404, 409, 429] {
        let edge = good(Does::Answers(status));
        edge.deploy().await;
        for _ in 0..20 {
            assert_eq!(edge.ask("POST").await, (status, "new".into()));
        }
        assert_eq!(edge.live(), "new");
    }
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_says_nothing_about_a_release() {
    let edge = good(Does::StaleOnce);
    edge.deploy().await;
    for _ in 0..20 {
        assert_eq!(edge.ask("POST").await, new());
    }
    assert_eq!(edge.live(), "new");
}

#[tokio::test]
async fn with_rollback_off_failures_reach_users_and_are_told() {
    let edge = edge(
        release("old", does(Does::Answers(200))),
        release("new", does(Does::Answers(500))),
        "watch.rollback = false",
    );
    edge.deploy().await;
    for _ in 0..5 {
        assert_eq!(edge.ask("GET").await, (500, "new".into()));
    }
    edge.ears
        .hear(|event| matches!(event, Event::Failing { .. }))
        .await;
    assert_eq!(edge.live(), "new");
}

#[tokio::test]
async fn a_settled_release_is_helped_out_and_not_rolled_back() {
    let what = does(Does::Answers(200));
    let edge = edge(
        release("old", does(Does::Answers(200))),
        release("new", Arc::clone(&what)),
        "watch.settle = \"10ms\"",
    );
    edge.deploy().await;
    edge.ears
        .hear(|event| matches!(event, Event::Settled { .. }))
        .await;
    *what.lock().unwrap() = Does::Breaks;
    for _ in 0..20 {
        assert_eq!(edge.ask("GET").await, old());
    }
    edge.ears
        .hear(|event| matches!(event, Event::StandbyAnswers { .. }))
        .await;
    assert_eq!(edge.live(), "new");
}

#[tokio::test]
async fn a_switch_drops_and_fails_no_request_in_flight() {
    let what = does(Does::AnswersAfter(300));
    let edge = edge(
        release("old", Arc::clone(&what)),
        release("new", does(Does::Answers(200))),
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
async fn a_rollback_drops_and_fails_no_request_in_flight() {
    let what = does(Does::AnswersAfter(100));
    let edge = edge(
        release("old", does(Does::Answers(200))),
        release("new", Arc::clone(&what)),
        "proxy.deadline = \"1s\"",
    );
    edge.deploy().await;
    let in_flight = futures::future::join_all((0..50).map(|_| edge.ask("GET")));
    let back = async {
        crate::common::wait(Duration::from_millis(10)).await;
        edge.pipeline.go_back().await.unwrap();
        edge.ask("GET").await
    };
    let (answers, after) = futures::join!(in_flight, back);
    assert!(answers.iter().all(|answer| *answer == new()), "{answers:?}");
    assert_eq!(after, old());
}

#[tokio::test]
async fn a_release_that_is_not_what_it_claims_to_be_is_never_promoted() {
    let edge = edge(
        release("old", does(Does::Answers(200))),
        release("another", does(Does::Answers(200))),
        "",
    );
    let placed = edge::config::Placed {
        slot: "green".into(),
        release: "new".into(),
    };
    edge.pipeline.register(placed).await.unwrap();
    let refused = edge.pipeline.promote("new").await.unwrap_err();
    assert!(refused.to_string().contains("another runs there"), "{refused}");
    assert_eq!(edge.live(), "old");
    edge.ears
        .hear(|event| matches!(event, Event::Rejected { .. }))
        .await;
}

#[tokio::test]
async fn the_slots_of_the_live_and_of_the_last_working_release_are_left_alone() {
    let edge = good(Does::Answers(200));
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
async fn a_restarted_edge_serves_what_was_live_and_goes_on_watching() {
    let made = || {
        (
            release("old", does(Does::Answers(200))),
            release("new", does(Does::Answers(500))),
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
        .ears
        .hear(|event| matches!(event, Event::RolledBack { .. }))
        .await;
    drop(after);

    let (first, second) = made();
    assert_eq!(edge_in(folder, first, second, "").live(), "old");
}

#[tokio::test]
async fn a_disk_that_takes_nothing_does_not_keep_users_on_a_bad_release() {
    let edge = good(Does::Answers(500));
    edge.deploy().await;
    std::fs::remove_dir_all(edge.folder.path().join("state")).unwrap();
    for _ in 0..3 {
        assert_eq!(edge.ask("GET").await, old());
    }
    assert_eq!(edge.live(), "old");
    edge.ears
        .hear(|event| matches!(event, Event::RolledBack { .. }))
        .await;
}

#[tokio::test]
async fn a_promotion_that_cannot_be_remembered_is_not_made() {
    let edge = good(Does::Answers(200));
    let placed = edge::config::Placed {
        slot: "green".into(),
        release: "new".into(),
    };
    edge.pipeline.register(placed).await.unwrap();
    std::fs::remove_dir_all(edge.folder.path().join("state")).unwrap();
    assert!(edge.pipeline.promote("new").await.is_err());
    assert_eq!((edge.live(), edge.ask("GET").await), ("old".into(), old()));
}
