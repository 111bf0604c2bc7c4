//! How a service's process is started: program, environment, permissions, log.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::supervisor::{bind_by_permissions, spawn, supervise};
use super::{Processes, Service};
use crate::backend::placeholders::{fill_env, fill_texts};
use crate::backend::{Error, Source, Spec, Unsupported, operation, privilege, process_label};
use firedrill_model::files;
use firedrill_probe::INHERITED;

/// The folder in which a service that we built works: its files must not meet the harness's.
pub(super) const WORK: &str = "work";

impl Processes {
    /// The command that starts a service, labelled as this run's.
    fn command(&self, service: &Service) -> Result<Command, Error> {
        let spec = &service.spec;
        let failed = |cause: std::io::Error| operation("start", &spec.name, cause);
        let (program, first) = self.program(spec)?;
        let args = fill_texts(self, spec, &spec.args)?;
        let output = files::private()
            .create(true)
            .append(true)
            .open(self.output(&spec.name))
            .map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let mut command = self.beside(spec, &program)?;
        command.args(first).args(args);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        if self.bound_by_permissions(service).is_ok() {
            bind_by_permissions(&mut command);
        }
        Ok(command)
    }

    /// The folder that a service works in. A command finds its files beside the system file; what we built gets a folder of
    /// its own.
    pub(super) fn work_folder(&self, spec: &Spec) -> PathBuf {
        match &spec.source {
            Source::Command { folder, .. } => folder.clone(),
            _ => self.service_folder(&spec.name).join(WORK),
        }
    }

    /// A program in the folder and with the environment of a service, labelled as this run's.
    pub(super) fn beside(&self, spec: &Spec, program: &Path) -> Result<Command, Error> {
        let mut command = Command::new(program);
        let inherited = INHERITED
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        command
            .env_clear()
            .envs(inherited)
            .envs(fill_env(self, spec)?)
            .current_dir(self.work_folder(spec))
            .process_group(0)
            .kill_on_drop(true);
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
            let (program, _) = self.program(&service.spec)?;
            privilege::reached_by_permissions(&program)?;
            privilege::reached_by_permissions(&self.folder.join("volumes"))?;
        }
        Ok(())
    }

    /// The program of a service and the arguments that come first.
    fn program(&self, spec: &Spec) -> Result<(PathBuf, Vec<String>), Error> {
        let no_program = || Unsupported::NoProgram {
            service: spec.name.clone(),
        };
        match &spec.source {
            Source::Binaries(binaries) => {
                let (_, path) = binaries.first().ok_or_else(no_program)?;
                Ok((path.clone(), Vec::new()))
            }
            Source::Command { argv, folder } => {
                let mut argv = fill_texts(self, spec, argv)?;
                if argv.is_empty() {
                    return Err(no_program().into());
                }
                let program = argv.remove(0);
                Ok((located(folder, &program), argv))
            }
            Source::Image(_) | Source::Dockerfile(_) => Err(Unsupported::ImageAsProcess.into()),
        }
    }
}

/// Where a program is: a path is relative to the folder, a bare name is looked up in PATH.
pub(super) fn located(folder: &Path, program: &str) -> PathBuf {
    if program.contains('/') {
        folder.join(program)
    } else {
        PathBuf::from(program)
    }
}
