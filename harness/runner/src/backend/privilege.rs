//! Permissions must bind services, or a fault of permissions has no effect: root reads and writes everything. So a
//! harness that runs as root starts its services without the capabilities that override permissions.

use std::path::Path;

use super::Unsupported;

/// Whether the user of this process reaches a path by permissions alone. If not, a service without root's capabilities
/// could not run there.
pub(super) fn reached_by_permissions(path: &Path) -> Result<(), Unsupported> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let user = rustix::process::geteuid().as_raw();
    for folder in path.ancestors().skip(1) {
        let Ok(meta) = folder.metadata() else { continue };
        // To pass through a folder is its execute permission.
        let bit = if meta.uid() == user { 0o100 } else { 0o001 };
        if meta.permissions().mode() & bit == 0 {
            let folder = folder.to_owned();
            return Err(Unsupported::OnlyRootReaches { folder });
        }
    }
    Ok(())
}

/// Drops the capabilities that override permissions, for good.
#[cfg(target_os = "linux")]
pub(super) fn drop_capabilities() -> std::io::Result<()> {
    use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
    for capability in [
        CapabilitySet::DAC_OVERRIDE,
        CapabilitySet::DAC_READ_SEARCH,
        CapabilitySet::FOWNER,
    ] {
        // From the bounding set, so that no program that the service starts can get them back.
        remove_capability_from_bounding_set(capability)?;
    }
    Ok(())
}

/// Whether a process overrides permissions; `None` where the system does not report it.
pub(super) fn overrides_permissions(pid: u32) -> Option<bool> {
    // CAP_DAC_OVERRIDE is 1, CAP_DAC_READ_SEARCH is 2.
    Some(effective(&pid.to_string())? & 0b110 != 0)
}

/// Whether this process may mount. Root in a container usually may not.
pub(super) fn may_mount() -> bool {
    // CAP_SYS_ADMIN is 21.
    effective("self").is_some_and(|capabilities| capabilities & (1 << 21) != 0)
}

/// A process's effective capabilities.
fn effective(pid: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(effective.trim(), 16).ok()
}
