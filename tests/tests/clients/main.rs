//! Journeys that are no HTTP, through the real binary: text over TCP, and programs that ask.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod drills;
mod redis;
mod stopping;

use acceptance::Kind;
use acceptance::trials::{missing, trial};

use drills::*;
use redis::*;
use stopping::*;

fn main() {
    let local = || missing(Kind::Process, []);
    let mut trials = vec![
        trial(
            "process::a_program_that_is_not_here_starts_nothing",
            local(),
            a_program_that_is_not_here_starts_nothing,
        ),
        trial(
            "process::commands_are_the_drill_s_own_load",
            local(),
            commands_are_the_drill_s_own_load,
        ),
        trial(
            "process::stopped_a_drill_leaves_no_client",
            local(),
            stopped_a_drill_leaves_no_client,
        ),
        trial(
            "process::a_killed_harness_leaves_nothing_that_clean_does_not_end",
            local(),
            a_killed_harness_leaves_nothing_that_clean_does_not_end,
        ),
    ];
    for kind in [Kind::Process, Kind::Docker] {
        let name = format!("{kind}::a_kill_is_seen_over_tcp_and_by_a_command");
        trials.push(trial(name, missing(kind, []), move || {
            a_kill_is_seen_over_tcp_and_by_a_command(kind)
        }));
        let name = format!("{kind}::wrong_answers_are_told_apart");
        trials.push(trial(name, missing(kind, []), move || {
            wrong_answers_are_told_apart(kind)
        }));
        let name = format!("{kind}::a_link_to_another_service_than_the_entry_can_break");
        trials.push(trial(name, missing(kind, []), move || {
            a_link_to_another_service_than_the_entry_can_break(kind)
        }));
        let name = format!("{kind}::redis_is_killed_and_cut_off");
        let missing = acceptance::redis::missing().or_else(|| missing(kind, []));
        trials.push(trial(name, missing, move || redis_is_killed_and_cut_off(kind)));
    }
    acceptance::trials::run(trials);
}
