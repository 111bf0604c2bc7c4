//! The real binary when somebody stops it, when a fault comes to nothing, and after it was killed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod folder;
mod leftovers;
mod no_effect;
mod stopping;

use acceptance::Kind;
use acceptance::trials::{missing, trial};

use leftovers::*;
use no_effect::*;
use stopping::*;

/// Tests that need local processes only.
macro_rules! local {
    ($($name:ident)*) => { vec![$(trial(stringify!($name), None, $name)),*] };
}

fn main() {
    let mut trials = local! {
        stopped_once_it_reverts_and_removes
        stopped_while_a_service_is_built_it_starts_nothing_more
        a_drill_that_is_stopped_before_it_begins_leaves_a_history
        stopped_three_times_it_leaves_at_once_and_says_what_to_run
        after_a_kill_the_next_run_says_so_and_clean_undoes_it
        a_fault_that_cannot_take_effect_leaves_the_drill_undecided
        a_fault_that_no_request_met_leaves_the_drill_undecided
        what_a_deploy_left_running_is_ended_with_the_drill_and_named
        a_deploy_dies_with_a_killed_harness_and_what_it_left_running_with_the_clean_up
        without_an_engine_a_lost_run_in_containers_stays_and_nothing_is_said_to_be_undone
        a_clean_up_ends_neither_itself_nor_what_nobody_is_known_to_own
    };
    let name = "docker::stopped_while_the_engine_makes_its_containers_it_leaves_none";
    let test = stopped_while_the_engine_makes_its_containers_it_leaves_none;
    trials.push(trial(name, missing(Kind::Docker, []), test));
    acceptance::trials::run(trials);
}
