//! A program that runs as a part of a service: in its folder, with its environment, beside its process.

use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::Processes;
use super::launch::located;
use super::supervisor::exit_code;
use crate::backend::placeholders::fill_texts;
use crate::backend::{Error, Executed, Unsupported, operation};

/// As much of each output as an error message needs.
const KEPT: usize = 4 << 10;

impl Processes {
    /// Runs it to its end. Dropped before, its first process is killed; cleanup ends what that has started.
    pub(super) async fn execute(&self, service: &str, argv: &[String]) -> Result<Executed, Error> {
        let failed = |cause: std::io::Error| operation("run a command in", service, cause);
        let spec = self.service(service)?.spec;
        let argv = fill_texts(self, &spec, argv)?;
        let Some((program, args)) = argv.split_first() else {
            let service = service.to_owned();
            return Err(Unsupported::NoProgram { service }.into());
        };
        let mut command = self.beside(&spec, &located(&self.work_folder(&spec), program))?;
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        // At the same time: a program blocks on a full pipe.
        let (mut output, errors, status) = tokio::join!(
            end_of(child.stdout.take()),
            end_of(child.stderr.take()),
            child.wait()
        );
        output.extend(errors);
        let code = exit_code(status.map_err(failed)?);
        Ok(Executed { code, output })
    }
}

/// The last bytes of an output.
async fn end_of(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut end = Vec::new();
    let Some(mut pipe) = pipe else {
        return end;
    };
    let mut buffer = [0; KEPT];
    // A pipe that breaks has ended.
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        end.extend_from_slice(&buffer[..read]);
        end.drain(..end.len().saturating_sub(KEPT));
    }
    end
}
