//! Services in the shapes that real services have, each drilled by the real binary on each backend.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod login;
mod logs;
mod placeholders;
mod readiness;
mod secrets;
mod verdicts;
mod volumes;

use std::process::Command;

use acceptance::Kind;
use acceptance::trials::{missing, trial};

use login::*;
use logs::*;
use placeholders::*;
use readiness::*;
use secrets::*;
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
    let python = Command::new("python3").arg("--version").output();
    let no_python = python.is_err().then(|| "no python3".to_owned());
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
        let name = format!("{kind}::a_port_that_opens_late_is_not_ready_before");
        trials.push(trial(name, missing(kind, []), move || {
            a_port_that_opens_late_is_not_ready_before(kind)
        }));
    }
    acceptance::trials::run(trials);
}
