//! Services in the shapes that real services have, each drilled by the real binary on each backend.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod examples;
mod login;
mod logs;
mod placeholders;
mod readiness;
mod redis;
mod secrets;
mod services;
mod verdicts;
mod volumes;

use std::process::Command;

use acceptance::Kind;
use acceptance::trials::{missing, trial};

use examples::*;
use login::*;
use logs::*;
use placeholders::*;
use readiness::*;
use redis::*;
use secrets::*;
use services::*;
use verdicts::*;
use volumes::*;

fn main() {
    let mut trials = Vec::new();
    for (name, image_user) in [("root", ""), ("another_user", "USER 4321\n")] {
        let name = format!("docker::volumes_of_{name}_are_written_and_removed");
        trials.push(trial(name, missing(Kind::Docker, []), move || {
            volumes_of_other_users_are_written_and_removed(image_user)
        }));
    }
    trials.push(trial(
        "docker::a_release_may_be_an_image",
        missing(Kind::Docker, []),
        a_release_may_be_an_image,
    ));
    let python = |args: &[&str]| {
        let there = Command::new("python3").args(args).output();
        there.is_ok_and(|output| output.status.success())
    };
    let no_python = (!python(&["--version"])).then(|| "no python3".to_owned());
    let no_flask = (!python(&["-c", "import flask"])).then(|| "no python3 with flask".to_owned());
    trials.push(trial(
        "process::init_writes_scenarios_that_run".to_owned(),
        no_python.clone(),
        init_writes_scenarios_that_run,
    ));
    trials.push(trial(
        "process::init_says_what_a_service_that_does_not_start_printed".to_owned(),
        no_python.clone(),
        init_says_what_a_service_that_does_not_start_printed,
    ));
    trials.push(trial(
        "process::the_flask_example_shows_the_incident".to_owned(),
        no_flask,
        the_flask_example_shows_the_incident,
    ));
    trials.push(trial(
        "docker::a_dockerfile_is_built_for_each_release_with_its_stage_and_its_user",
        missing(Kind::Docker, []),
        a_dockerfile_is_built_for_each_release_with_its_stage_and_its_user,
    ));
    trials.push(trial(
        "docker::a_service_is_found_by_its_name_in_its_own_drill_only",
        missing(Kind::Docker, []),
        a_service_is_found_by_its_name_in_its_own_drill_only,
    ));
    trials.push(trial(
        "process::another_user_needs_a_container",
        missing(Kind::Process, []),
        another_user_needs_a_container,
    ));
    trials.push(trial(
        "process::a_command_runs_beside_the_system_file".to_owned(),
        no_python.or_else(|| missing(Kind::Process, [])),
        a_command_runs_beside_the_system_file,
    ));
    trials.push(trial(
        "process::another_program_on_the_port_does_not_make_a_service_ready",
        missing(Kind::Process, []),
        another_program_on_the_port_does_not_make_a_service_ready,
    ));
    trials.push(trial(
        "process::an_interrupted_drill_stores_no_secret",
        missing(Kind::Process, []),
        an_interrupted_drill_stores_no_secret,
    ));
    for kind in [Kind::Process, Kind::Docker] {
        let name = format!("{kind}::a_service_gets_the_parts_of_an_address");
        trials.push(trial(name, missing(kind, []), move || {
            a_service_gets_the_parts_of_an_address(kind)
        }));
        let name = format!("{kind}::a_secret_is_stored_and_shown_nowhere");
        trials.push(trial(name, missing(kind, []), move || {
            a_secret_is_stored_and_shown_nowhere(kind)
        }));
        let name = format!("{kind}::users_log_in_write_and_read_what_they_wrote");
        trials.push(trial(name, missing(kind, []), move || {
            users_log_in_write_and_read_what_they_wrote(kind)
        }));
        let name = format!("{kind}::a_note_that_a_restart_loses_is_a_lost_write");
        trials.push(trial(name, missing(kind, []), move || {
            a_note_that_a_restart_loses_is_a_lost_write(kind)
        }));
        let name = format!("{kind}::an_answer_with_a_wrong_id_is_bad");
        trials.push(trial(name, missing(kind, []), move || {
            an_answer_with_a_wrong_id_is_bad(kind)
        }));
        let name = format!("{kind}::a_flooded_log_is_cut_and_says_so");
        trials.push(trial(name, missing(kind, []), move || {
            a_flooded_log_is_cut_and_says_so(kind)
        }));
        let name = format!("{kind}::a_pipe_in_a_volume_holds_up_no_drill");
        trials.push(trial(name, missing(kind, []), move || {
            a_pipe_in_a_volume_holds_up_no_drill(kind)
        }));
        let name = format!("{kind}::no_verdict_contradicts_the_truth");
        trials.push(trial(name, missing(kind, []), move || {
            no_verdict_contradicts_the_truth(kind)
        }));
        let name = format!("{kind}::a_service_is_ready_as_its_file_says");
        trials.push(trial(name, missing(kind, []), move || {
            a_service_is_ready_as_its_file_says(kind)
        }));
        let name = format!("{kind}::a_service_that_never_becomes_ready_says_what_was_waited_for");
        trials.push(trial(name, missing(kind, []), move || {
            a_service_that_never_becomes_ready_says_what_was_waited_for(kind)
        }));
        let name = format!("{kind}::a_text_of_an_earlier_life_does_not_make_a_service_ready");
        trials.push(trial(name, missing(kind, []), move || {
            a_text_of_an_earlier_life_does_not_make_a_service_ready(kind)
        }));
        let name = format!("{kind}::a_secret_is_not_in_the_process_list_nor_beyond_its_environment");
        trials.push(trial(name, missing(kind, []), move || {
            a_secret_is_not_in_the_process_list_nor_beyond_its_environment(kind)
        }));
        let name = format!("{kind}::redis_is_ready_when_it_answers_a_ping");
        trials.push(trial(
            name,
            acceptance::redis::missing().or_else(|| missing(kind, [])),
            move || redis_is_ready_when_it_answers_a_ping(kind),
        ));
        let name = format!("{kind}::a_port_that_opens_late_is_not_ready_before");
        trials.push(trial(name, missing(kind, []), move || {
            a_port_that_opens_late_is_not_ready_before(kind)
        }));
    }
    acceptance::trials::run(trials);
}
