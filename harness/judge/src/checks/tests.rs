use serde_json::{Value, json};

use crate::made_up::{LENGTH, MS, SECOND, drill, stamped};
use crate::{Verdict, judge, measure};
use firedrill_model::check::{CheckId, Never};
use firedrill_model::history::{Event, History, Load, Phase};
use firedrill_model::sample::{Ack, Bad, Found, Labels, Micros, Outcome, StreamId, Void};

use Verdict::{Breached, Met, Undecided};

/// What a check comes to.
fn verdict(history: &History, id: &CheckId) -> Verdict {
    let judgement = judge(history, &measure::measure(history));
    let check = judgement.checks.iter().find(|check| check.id == *id);
    check.unwrap_or_else(|| panic!("no check is called {id}")).verdict
}

fn page() -> CheckId {
    CheckId::Journey("page".into())
}

/// What the journey's tolerance comes to when the answers at these times, in milliseconds, are bad.
fn tolerance(allowed: Value, bad: &[u64]) -> Verdict {
    let mut expect = allowed;
    if expect["journeys"].is_null() {
        expect["journeys"] = json!({ "page": "never down" });
    }
    let at = |due: u64| bad.contains(&(due / MS)).then_some(Bad::Status);
    verdict(&drill(expect, at), &page())
}

#[test]
fn one_bad_answer_breaks_a_journey_that_must_always_be_good_or_never_down() {
    for must in ["always good", "never down"] {
        let must = || json!({ "journeys": { "page": must } });
        assert_eq!(tolerance(must(), &[]), Met);
        assert_eq!(tolerance(must(), &[5000]), Breached, "a blip: a user failed");
        assert_eq!(tolerance(must(), &[5000, 5010]), Breached);
    }
    let may = json!({ "journeys": { "page": "may be down" } });
    assert_eq!(tolerance(may, &[5000]), Met);
}

#[test]
fn a_blip_is_named_where_it_breaks_a_tolerance() {
    let blip = |due| (due == 5 * SECOND).then_some(Bad::Status);
    let history = drill(json!({ "journeys": { "page": "never down" } }), blip);
    let judgement = judge(&history, &measure::measure(&history));
    let check = judgement.checks.iter().find(|check| check.id == page()).unwrap();
    assert_eq!(check.found.to_string(), "up; 1 blip");
}

#[test]
fn a_share_of_bad_answers_is_tolerated_where_the_scenario_allows_it() {
    // 2 of 1000 answers.
    let two = [3000, 7000];
    let of_all = |share: &str| json!({ "bad": share });
    assert_eq!(tolerance(of_all("0.2%"), &two), Met);
    assert_eq!(tolerance(of_all("0.1%"), &two), Breached);
    let own = |share: &str| json!({ "bad": "0%", "bad_of_journeys": { "page": share } });
    assert_eq!(
        tolerance(own("0.2%"), &two),
        Met,
        "its own share, not that of all"
    );
    assert_eq!(tolerance(own("0.1%"), &two), Breached);
}

#[test]
fn single_bad_answers_within_the_share_are_no_outage_and_two_in_a_row_are() {
    let allowed = || json!({ "bad": "10%" });
    // Within a second of each other they confirm each other, but prove no length.
    assert_eq!(tolerance(allowed(), &[3000, 3100, 3200]), Met);
    assert_eq!(tolerance(allowed(), &[3000, 3010]), Breached);
}

#[test]
fn the_share_of_all_journeys_is_a_check_of_its_own() {
    let bad = |share: &str| {
        let history = drill(json!({ "bad": share }), |due| {
            (due % SECOND == 0).then_some(Bad::Content)
        });
        verdict(&history, &CheckId::BadAnswers)
    };
    assert_eq!(bad("1%"), Met, "10 of 1000 answers");
    assert_eq!(bad("0.9%"), Breached);
}

/// The drill with a kill after two seconds, of which the history says this.
fn with_kill(mut history: History, became: Option<Event>) -> History {
    let step = json!({ "at": "2s", "kill": { "service": "app" } });
    history.start.plan.scenario.steps = vec![serde_json::from_value(step).unwrap()];
    let injecting = Event::Injecting {
        step: 0,
        fault: "kill".into(),
        what: "kill app".into(),
    };
    let events = [Some(injecting), became].into_iter().flatten();
    history
        .events
        .extend(events.map(|event| stamped(2 * SECOND, event)));
    history.events.sort_by_key(|event| event.at);
    history
}

fn injected() -> Option<Event> {
    let evidence = Some("the port answers nobody".to_owned());
    Some(Event::Injected { step: 0, evidence })
}

fn not_injected() -> Option<Event> {
    let why = "no such process".to_owned();
    Some(Event::NotInjected { step: 0, why })
}

fn down(due: u64) -> Option<Bad> {
    (2 * SECOND..3 * SECOND).contains(&due).then_some(Bad::Refused)
}

#[test]
fn a_fault_that_was_not_injected_leaves_undecided_what_had_to_happen_because_of_it() {
    let required = [
        (json!({ "journeys": { "page": "goes down" } }), page()),
        (json!({ "downtime": { "at_least": "500ms" } }), CheckId::Downtime),
        (
            json!({ "rollback": { "to": "v1", "within": "1s" } }),
            CheckId::Rollback,
        ),
        (
            json!({ "alerts": [{ "kind": "failing", "within": "1s" }] }),
            CheckId::Alert("failing".into()),
        ),
        (
            json!({ "alerts": [{ "kind": "failing" }] }),
            CheckId::Alert("failing".into()),
        ),
        (json!({ "rungs": ["memory"] }), CheckId::Rung("memory".into())),
        (json!({ "releases": ["v1"] }), CheckId::Release("v1".into())),
    ];
    for (expect, id) in required {
        let nothing = |became| verdict(&with_kill(drill(expect.clone(), |_| None), became), &id);
        assert_eq!(nothing(injected()), Breached, "{id}: it had to happen");
        assert_eq!(nothing(not_injected()), Undecided, "{id}: nothing was broken");
        assert_eq!(
            nothing(None),
            Undecided,
            "{id}: nobody knows whether anything was broken"
        );
    }
}

#[test]
fn a_journey_goes_down_because_of_the_fault_or_nobody_knows() {
    let expect = || json!({ "journeys": { "page": "goes down" } });
    let goes_down = |became| verdict(&with_kill(drill(expect(), down), became), &page());
    assert_eq!(goes_down(injected()), Met);
    assert_eq!(
        goes_down(not_injected()),
        Undecided,
        "something else was the cause"
    );
    let before = |due| (SECOND..1500 * MS).contains(&due).then_some(Bad::Refused);
    let early = with_kill(drill(expect(), before), injected());
    assert_eq!(
        verdict(&early, &page()),
        Breached,
        "it was up again before the fault"
    );
}

/// A drill that was stopped after so long.
fn stopped(mut history: History, at: u64) -> History {
    history.events.retain(|event| event.at.0 < at);
    history.samples.retain(|sample| sample.ended.0 < at);
    let end = Event::End {
        interrupted: true,
        error: None,
    };
    history.events.push(stamped(at, end));
    history
}

#[test]
fn an_outage_that_was_open_when_the_drill_was_stopped_breaches_only_a_limit_that_it_has_passed() {
    let open = |limit: &str| {
        let history = drill(json!({ "downtime": { "at_most": limit } }), down);
        let history = stopped(with_kill(history, injected()), 2800 * MS);
        verdict(&history, &CheckId::Downtime)
    };
    assert_eq!(open("30s"), Undecided, "0.8 s were seen");
    assert_eq!(open("500ms"), Breached);
}

/// What the budget comes to when an outage is open at the end, with a price above it.
fn budget(history: History) -> Verdict {
    let mut history = history;
    let price = serde_json::from_value(json!("23m")).unwrap();
    history.start.plan.scenario.manual_recovery = Some(price);
    verdict(&history, &CheckId::Budget)
}

#[test]
fn an_open_outage_is_priced_only_when_the_whole_settle_time_was_watched() {
    let open = || {
        let for_good = |due| (due >= 2 * SECOND).then_some(Bad::Refused);
        with_kill(drill(json!({}), for_good), injected())
    };
    assert_eq!(budget(open()), Breached, "23 min by hand are over the budget");
    assert_eq!(
        budget(stopped(open(), 5 * SECOND)),
        Undecided,
        "it may have recovered by itself"
    );
    let mut cut_off = open();
    cut_off
        .events
        .retain(|event| !matches!(event.event, Event::End { .. }));
    assert_eq!(budget(cut_off), Undecided, "its history has no end");
    let mut failed = open();
    for event in &mut failed.events {
        if let Event::End { error, .. } = &mut event.event {
            *error = Some("the disk is full".into());
        }
    }
    assert_eq!(budget(failed), Undecided, "the disk was full");
    let mut settle = open();
    settle.start.plan.scenario.settle = Some(serde_json::from_value(json!("9s")).unwrap());
    assert_eq!(
        budget(settle.clone()),
        Breached,
        "9 s from the end of the steps to the end"
    );
    for event in &mut settle.events {
        if matches!(
            event.event,
            Event::Phase {
                phase: Phase::ReadBack
            }
        ) {
            event.at = Micros(9 * SECOND);
        }
    }
    assert_eq!(
        budget(settle),
        Undecided,
        "a second of the settle time is missing"
    );
}

#[test]
fn what_had_to_happen_is_undecided_when_the_drill_was_stopped_before_its_limit() {
    let alert = |within: &str, at: u64| {
        let expect = json!({ "alerts": [{ "kind": "failing", "within": within }] });
        let history = with_kill(drill(expect, down), injected());
        verdict(&stopped(history, at), &CheckId::Alert("failing".into()))
    };
    assert_eq!(alert("5s", 4 * SECOND), Undecided);
    assert_eq!(
        alert("1s", 4 * SECOND),
        Breached,
        "two seconds without an alert were seen"
    );
    let rollback = |within: &str| {
        let expect = json!({ "rollback": { "to": "v1", "within": within } });
        let history = with_kill(drill(expect, down), injected());
        verdict(&stopped(history, 4 * SECOND), &CheckId::Rollback)
    };
    assert_eq!((rollback("5s"), rollback("1s")), (Undecided, Breached));
    let goes_down = with_kill(
        drill(json!({ "journeys": { "page": "goes down" } }), |_| None),
        injected(),
    );
    assert_eq!(verdict(&stopped(goes_down, LENGTH / 2), &page()), Undecided);
}

#[test]
fn more_names_than_a_drill_can_tell_apart_leave_undecided_what_depends_on_them() {
    let of = |expect: Value, id: &CheckId| {
        let mut history = drill(expect, |_| None);
        history.labels = (0..=Labels::LIMIT).map(|n| format!("v1+{n}")).collect();
        verdict(&history, id)
    };
    for (expect, id) in [
        (json!({}), CheckId::EvidenceLabels),
        (json!({ "releases": ["v2"] }), CheckId::Release("v2".into())),
        (json!({ "rungs": ["memory"] }), CheckId::Rung("memory".into())),
        (json!({ "never": ["rollback"] }), CheckId::Never(Never::Rollback)),
        (
            json!({ "rollback": { "to": "v1", "within": "1s" } }),
            CheckId::Rollback,
        ),
    ] {
        assert_eq!(of(expect, &id), Undecided, "{id}");
    }
}

#[test]
fn a_control_on_a_service_that_is_broken_from_the_start_needs_no_steady_state() {
    let control = |steady: bool| {
        let mut history = drill(json!({}), |_| Some(Bad::Content));
        history
            .events
            .retain(|event| !matches!(event.event, Event::Steady { .. }));
        let steady_state = Event::Steady {
            good: false,
            evidence: "page: wrong content".into(),
        };
        history.events.insert(0, stamped(0, steady_state));
        let control = json!({ "because": "it keeps nothing", "breaches": ["lost-writes"], "steady": steady });
        history.start.plan.scenario.control = Some(serde_json::from_value(control).unwrap());
        verdict(&history, &CheckId::EvidenceSteady)
    };
    assert_eq!((control(true), control(false)), (Undecided, Met));
}

/// What is said of lost and of corrupt writes after a drill in which so many writes were acknowledged and these were
/// found.
fn data_checks(expect: Value, acknowledged: u64, found: &[Found]) -> [Verdict; 2] {
    let mut history = drill(expect, |_| None);
    let (stream, ack) = (StreamId(0), Ack::Acknowledged);
    let writes = (0..acknowledged).map(|n| Event::Write {
        stream,
        n,
        ack,
        link: None,
        captures: std::collections::BTreeMap::new(),
    });
    let read = (0..).zip(found).map(|(n, found)| Event::ReadBack {
        stream,
        n,
        ack,
        found: *found,
    });
    let events = writes.chain(read).map(|event| stamped(LENGTH, event));
    let end = history.events.len() - 2;
    history.events.splice(end..end, events);
    [CheckId::LostWrites, CheckId::CorruptWrites].map(|id| verdict(&history, &id))
}

#[test]
fn writes_that_nobody_could_read_back_are_neither_lost_nor_intact() {
    let none = || json!({});
    let some = || json!({ "lost_writes": 2, "corrupt_writes": 2 });
    assert_eq!(data_checks(none(), 2, &[Found::Intact; 2]), [Met, Met]);
    assert_eq!(
        data_checks(none(), 2, &[Found::Unknown; 2]),
        [Undecided, Undecided]
    );
    assert_eq!(
        data_checks(none(), 2, &[]),
        [Undecided, Undecided],
        "not read back"
    );
    assert_eq!(
        data_checks(some(), 2, &[Found::Unknown; 2]),
        [Met, Met],
        "two may be lost"
    );
    assert_eq!(
        data_checks(some(), 3, &[Found::Unknown; 3]),
        [Undecided, Undecided]
    );
    let one_lost = [Found::Lost, Found::Unknown, Found::Unknown];
    assert_eq!(data_checks(some(), 3, &one_lost), [Undecided, Met]);
}

/// What a required outcome of the deploys comes to, where these were answered out of so many.
fn deploys(wanted: &str, steps: usize, accepted: &[bool]) -> Verdict {
    let mut history = drill(json!({ "deploy": wanted }), |_| None);
    let step = json!({ "at": "2s", "deploy": { "service": "app", "release": "v2" } });
    history.start.plan.scenario.steps = vec![serde_json::from_value(step).unwrap(); steps];
    let answered = accepted.iter().map(|accepted| Event::Deploy {
        release: "v2".into(),
        accepted: *accepted,
        detail: "answered".into(),
    });
    let events: Vec<_> = answered.map(|event| stamped(2 * SECOND, event)).collect();
    history.events.splice(3..3, events);
    verdict(&history, &CheckId::Deploy)
}

#[test]
fn a_deploy_is_accepted_or_refused_or_nobody_knows() {
    assert_eq!(deploys("accepted", 1, &[true]), Met);
    assert_eq!(deploys("accepted", 1, &[false]), Breached);
    assert_eq!(deploys("refused", 1, &[false]), Met);
    assert_eq!(deploys("refused", 1, &[true]), Breached);
    for wanted in ["accepted", "refused"] {
        assert_eq!(deploys(wanted, 1, &[]), Undecided, "the pipeline broke");
        assert_eq!(deploys(wanted, 2, &[true, false]), Breached);
    }
    assert_eq!(deploys("accepted", 2, &[true]), Undecided);
    assert_eq!(deploys("accepted", 2, &[true, true]), Met);
}

#[test]
fn fallbacks_while_others_held_the_machine_prove_nothing_by_themselves() {
    let expect = json!({ "journeys": { "page": "always good" }, "never": ["fallback"] });
    let never = CheckId::Never(Never::Fallback);
    let mut history = drill(expect, |_| None);
    let fell_back = |history: &mut History, due: u64| {
        let sample = history.samples.iter_mut().find(|sample| sample.due.0 == due);
        sample.unwrap().outcome = Outcome::Fallback;
    };
    fell_back(&mut history, 5 * SECOND);
    assert_eq!(verdict(&history, &never), Breached);
    history.load = held(5 * SECOND);
    for id in [&never, &page()] {
        assert_eq!(verdict(&history, id), Undecided, "{id}");
    }
    fell_back(&mut history, 8 * SECOND);
    for id in [&never, &page()] {
        assert_eq!(
            verdict(&history, id),
            Breached,
            "another one, on a calm machine: {id}"
        );
    }
}

#[test]
fn an_outage_that_must_be_is_not_missing_where_nobody_could_see_it() {
    let goes_down = json!({ "journeys": { "page": "goes down" } });
    let mut history = drill(goes_down, |_| None);
    assert_eq!(verdict(&history, &page()), Breached);
    let frozen = history
        .samples
        .iter_mut()
        .filter(|sample| sample.due.0 / SECOND == 5);
    frozen.for_each(|sample| sample.outcome = Outcome::Void(Void::StoodStill));
    assert_eq!(verdict(&history, &page()), Undecided);
}

/// A second in which others hold the machine.
fn held(since: u64) -> Vec<Load> {
    let slice = |at: u64| Load {
        since: Micros(at),
        until: Micros(at + 100 * MS),
        processors: 2,
        own: 0,
        others: 190 * MS,
        stolen: 0,
        throttled: 0,
        waited: Some(50 * MS),
        disk_waits: None,
    };
    (0..10).map(|n| slice(since + n * 100 * MS)).collect()
}

#[test]
fn an_alert_while_others_held_the_machine_proves_nothing_by_itself() {
    let mut history = drill(json!({ "never": ["alert"] }), |_| None);
    let never = CheckId::Never(Never::Alert);
    let alert = |at: u64| {
        let (kind, body) = ("rolled-back".to_owned(), String::new());
        let answered = 200;
        stamped(at, Event::Alert { kind, answered, body })
    };
    history.events.insert(5, alert(6 * SECOND));
    assert_eq!(verdict(&history, &never), Breached);
    history.load = held(5 * SECOND);
    assert_eq!(verdict(&history, &never), Undecided);
    history.events.insert(6, alert(8 * SECOND));
    assert_eq!(
        verdict(&history, &never),
        Breached,
        "another one, on a calm machine"
    );
}

#[test]
fn an_alert_from_before_the_first_fault_is_about_something_else() {
    let alert = |at: u64| {
        let (kind, body) = ("rolled-back".to_owned(), String::new());
        let answered = 200;
        stamped(at, Event::Alert { kind, answered, body })
    };
    let wanted = json!({ "alerts": [{ "kind": "rolled-back", "within": "1s" }] });
    let check = CheckId::Alert("rolled-back".into());
    let with = |at: u64| {
        let mut history = with_kill(drill(wanted.clone(), down), injected());
        history.events.push(alert(at));
        history.events.sort_by_key(|event| event.at);
        history
    };
    let early = with(SECOND);
    assert_eq!(verdict(&early, &check), Breached);
    assert_eq!(measure::measure(&early).instants.detected, None);
    assert_eq!(verdict(&with(2 * SECOND + 100 * MS), &check), Met);
}
