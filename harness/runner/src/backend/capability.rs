//! What a backend can do, and why not: asked before anything is started, so that a scenario is skipped with a reason.

use std::path::PathBuf;

use firedrill_model::scenario::{Build, Restart, System};

/// What a fault or a system file may need of a backend. A scenario that needs one which the backend
/// lacks is *unsupported* there, with the reason, before anything is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Capability {
    /// Images and Dockerfiles.
    Images,
    /// Local programs.
    Commands,
    /// Running a service as a user that its system file names.
    User,
    /// A limit of memory that kills.
    MemoryLimit,
    /// A limit of processor time.
    CpuLimit,
    /// A limit of processes.
    PidsLimit,
    /// Volumes of a limited size.
    SizedVolumes,
    /// Making a volume read-only or a file unreadable for the service while it runs.
    Permissions,
    /// Bringing back a process that ended by itself.
    RestartPolicy,
}

/// Why a backend lacks a capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// A local command in a container.
    #[error("a local command runs as a local process only")]
    CommandInContainer,
    /// An image as a local process.
    #[error("images run in containers only")]
    ImageAsProcess,
    /// Another user for a local process.
    #[error("a local process runs as the user of firedrill; `user` needs a container")]
    UserOfProcess,
    /// A service without a program.
    #[error("{service} has no program to run")]
    NoProgram {
        /// The service.
        service: String,
    },
    /// A mount on another system than Linux.
    #[error("a volume of limited size is a mount, which needs Linux")]
    MountNeedsLinux,
    /// A mount without the right to.
    #[error(
        "a volume of limited size is a mount, and this process may not mount (CAP_SYS_ADMIN): run as root"
    )]
    MountNeedsRoot,
    /// An engine that accepts limits and ignores them.
    #[error("this engine accepts limits of {0} and does not enforce them")]
    NotEnforced(&'static str),
    /// A memory limit on another system than Linux.
    #[error("limiting the memory of a running process needs Linux")]
    MemoryLimitNeedsLinux,
    /// A processor limit of a local process.
    #[error("limiting processor time needs a control group, which only containers have")]
    CpuLimitOfProcess,
    /// A limit of processes of a local process.
    #[error("limiting the number of processes needs a control group, which only containers have")]
    PidsLimitOfProcess,
    /// A folder that a service without capabilities could not reach.
    #[error("services cannot access {}: move it, or relax its permissions", folder.display())]
    OnlyRootReaches {
        /// The folder.
        folder: PathBuf,
    },
}

/// What a system needs of a backend, whatever is done to it.
pub fn needs(system: &System) -> Vec<Capability> {
    let mut needs = Vec::new();
    for service in system.services.values() {
        match service.build {
            Build::Image(_) | Build::Dockerfile(_) => needs.push(Capability::Images),
            Build::Command(_) => needs.push(Capability::Commands),
            Build::Package { .. } => {}
        }
        needs.extend(service.user.as_ref().map(|_| Capability::User));
        let limits = &service.limits;
        needs.extend(limits.memory.map(|_| Capability::MemoryLimit));
        needs.extend(limits.cpu.map(|_| Capability::CpuLimit));
        needs.extend(limits.pids.map(|_| Capability::PidsLimit));
        needs.extend((!limits.volume.is_empty()).then_some(Capability::SizedVolumes));
        needs.extend((service.restart == Restart::Always).then_some(Capability::RestartPolicy));
    }
    needs
}
