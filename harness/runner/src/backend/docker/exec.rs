//! A program that runs as a part of a service: in its container, by the engine's `exec`.

use futures::StreamExt;
use testcontainers::bollard::exec::{CreateExecOptions, StartExecResults};

use super::Containers;
use super::call::call;
use crate::backend::placeholders::fill_texts;
use crate::backend::{Error, Executed, Log, operation};
use firedrill_model::units::Size;

/// As much of the output as an error message needs.
const KEPT: Size = Size(8 << 10);
/// What the name of this operation is in errors.
const RUN: &str = "run a command in";

impl Containers {
    /// Runs it to its end. Dropped before, it goes on until its container is removed.
    pub(super) async fn execute(&self, service: &str, argv: &[String]) -> Result<Executed, Error> {
        let id = self.running_id(RUN, service)?;
        let options = CreateExecOptions {
            cmd: Some(fill_texts(self, &self.spec_of(service)?, argv)?),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let exec = call(RUN, service, self.client.create_exec(&id, options))
            .await?
            .id;
        let mut kept = Log::within(KEPT);
        let started = call(RUN, service, self.client.start_exec(&exec, None)).await?;
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(chunk) = output.next().await {
                let chunk = chunk.map_err(|cause| operation(RUN, service, cause))?;
                kept.push(&chunk.into_bytes());
            }
        }
        let ended = call(RUN, service, self.client.inspect_exec(&exec)).await?;
        let code = ended.exit_code.ok_or_else(|| {
            // It has closed its output and goes on.
            operation(RUN, service, "the engine does not say how it ended")
        })?;
        // An engine reports an end by a signal as 128 + signal, as a shell does.
        let code = if (129..=192).contains(&code) {
            128 - code
        } else {
            code
        };
        Ok(Executed {
            code,
            output: kept.to_bytes(),
        })
    }
}
