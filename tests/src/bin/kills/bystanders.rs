//! Everybody else on this machine: a container, a network, a volume and a process that must not be touched.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use acceptance::left::{Failure, docker_command};
use firedrill::backend::Process;

use crate::Args;

/// The label of the bystanders.
const BYSTANDER: &str = "acceptance.bystander=kills";

/// Everybody else: what must be there and unchanged after every cleanup.
pub(crate) struct Bystanders {
    docker: bool,
    process: Child,
    alive: Process,
    container: String,
}

impl Bystanders {
    pub(crate) fn start(args: &Args, folder: &Path) -> Result<Self, Failure> {
        let docker = args.backend != "process";
        // The process first: without it there is nothing to clean up in the engine.
        let process = Command::new(&args.bystander);
        let process = server(process, folder)
            .spawn()
            .map_err(|error| format!("{}: {error}", args.bystander.display()))?;
        let alive = Process::of(process.id()).ok_or("the bystander ended")?;
        let mut bystanders = Self {
            docker,
            process,
            alive,
            container: String::new(),
        };
        if docker {
            let context = folder.join("image");
            std::fs::create_dir_all(&context).map_err(|error| error.to_string())?;
            std::fs::copy(&args.bystander, context.join("bystander")).map_err(|error| error.to_string())?;
            let text = "FROM scratch\nCOPY bystander /bystander\nENTRYPOINT [\"/bystander\"]\n";
            std::fs::write(context.join("Dockerfile"), text).map_err(|error| error.to_string())?;
            docker_command(&[
                "build",
                "-q",
                "-t",
                "acceptance-bystander",
                &context.display().to_string(),
            ])?;
            docker_command(&["network", "create", "--label", BYSTANDER, "acceptance-bystander"])?;
            docker_command(&["volume", "create", "--label", BYSTANDER, "acceptance-bystander"])?;
            let run = [
                "run",
                "-d",
                "--label",
                BYSTANDER,
                "--network",
                "acceptance-bystander",
                "-v",
                "acceptance-bystander:/data",
                "acceptance-bystander",
                "serve",
                "--store",
                "/data",
            ];
            bystanders.container = docker_command(&run)?.trim().to_owned();
        }
        Ok(bystanders)
    }

    /// Started when, under which pid: changes with every restart.
    pub(crate) fn life(&self) -> Result<String, Failure> {
        // With the start time and the number of restarts: a container that was restarted looks the same otherwise.
        let format = "{{.State.Status}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}";
        if self.docker {
            docker_command(&["inspect", "-f", format, &self.container])
        } else {
            Ok(String::new())
        }
    }

    pub(crate) fn untouched(&self, life: &str) -> Result<(), Failure> {
        if !self.alive.is_alive() {
            return Err("the bystander process is gone".into());
        }
        let now = self.life()?;
        if now != life {
            return Err(format!("the bystander container was {life} and is {now}"));
        }
        if self.docker {
            docker_command(&["network", "inspect", "acceptance-bystander"])?;
            docker_command(&["volume", "inspect", "acceptance-bystander"])?;
        }
        Ok(())
    }
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if self.docker {
            for remove in [
                &["rm", "-f", "-v", &self.container][..],
                &["network", "rm", "acceptance-bystander"],
                &["volume", "rm", "acceptance-bystander"],
                &["rmi", "-f", "acceptance-bystander"],
            ] {
                let _ = docker_command(remove);
            }
        }
    }
}

fn server(mut command: Command, folder: &Path) -> Command {
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--store"])
        .arg(folder.join("bystander-store"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
