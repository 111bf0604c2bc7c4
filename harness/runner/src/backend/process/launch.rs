//! How a service's process is started: program, environment, permissions, log.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;

use super::supervisor::{bind_by_permissions, spawn, supervise};
use super::{Processes, Service};
use crate::backend::placeholders::fill;
use crate::backend::{Error, Source, Spec, Unsupported, operation, privilege, process_label};
use firedrill_model::files;

impl Processes {
    /// The command that starts a service, labelled as this run's.
    fn command(&self, service: &Service) -> Result<Command, Error> {
        let spec = &service.spec;
        let failed = |cause: std::io::Error| operation("start", &spec.name, cause);
        let (program, first) = program(spec)?;
        let (args, env) = fill(self, spec)?;
        let output = files::private()
            .create(true)
            .append(true)
            .open(self.output(&spec.name))
            .map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let mut command = Command::new(program);
        command.args(first).args(args).env_clear().envs(env);
        command
            .current_dir(self.working_folder(&spec.name))
            .process_group(0)
            .kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        if self.bound_by_permissions(service).is_ok() {
            bind_by_permissions(&mut command);
        }
        process_label::label(&mut command, &self.run);
        Ok(command)
    }

    /// Starts the process and the task that waits for its end.
    pub(super) fn spawn(&self, service: &Service) -> Result<(), Error> {
        let name = service.spec.name.clone();
        let mut command = self.command(service)?;
        let child = spawn(&mut command, service).map_err(|cause| operation("start", &name, cause))?;
        tokio::spawn(supervise(child, command, service.clone()));
        Ok(())
    }

    /// Whether a service can be started without the capabilities that override permissions; then it is.
    fn bound_by_permissions(&self, service: &Service) -> Result<(), Error> {
        if rustix::process::geteuid().is_root() {
            let (program, _) = program(&service.spec)?;
            privilege::reached_by_permissions(&program)?;
            privilege::reached_by_permissions(&self.folder.join("volumes"))?;
        }
        Ok(())
    }
}

/// The program of a service and the arguments that come first.
fn program(spec: &Spec) -> Result<(PathBuf, Vec<String>), Error> {
    let no_program = || Unsupported::NoProgram {
        service: spec.name.clone(),
    };
    match &spec.source {
        Source::Binaries(binaries) => {
            let (_, path) = binaries.first().ok_or_else(no_program)?;
            Ok((path.clone(), Vec::new()))
        }
        Source::Command(argv) => {
            let (program, rest) = argv.split_first().ok_or_else(no_program)?;
            Ok((PathBuf::from(program), rest.to_vec()))
        }
        Source::Image(_) | Source::Dockerfile(_) => Err(Unsupported::ImageAsProcess.into()),
    }
}
