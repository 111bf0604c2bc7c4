//! Permissions must bind services, or a fault of permissions has no effect: root reads and writes everything. So a
//! harness that runs as root starts its services without the capabilities that override permissions.

use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::process::Pid;
#[cfg(target_os = "linux")]
use rustix::thread::{CapabilitySet, capabilities, remove_capability_from_bounding_set};

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
#[cfg(target_os = "linux")]
pub(super) fn overrides_permissions(pid: u32) -> Option<bool> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
    let overriding = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    Some(capabilities(Some(pid)).ok()?.effective.intersects(overriding))
}

/// Whether this process may mount. Root in a container usually may not.
#[cfg(target_os = "linux")]
pub(super) fn may_mount() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn overrides_permissions(_: u32) -> Option<bool> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn may_mount() -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_overrides_shows_in_its_status() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let effective = u64::from_str_radix(effective.unwrap().trim(), 16).unwrap();
        // CAP_DAC_OVERRIDE is 1, CAP_DAC_READ_SEARCH is 2, CAP_SYS_ADMIN is 21.
        let overrides = overrides_permissions(std::process::id());
        assert_eq!(overrides, Some(effective & 0b110 != 0));
        assert_eq!(may_mount(), effective & (1 << 21) != 0);
    }
}
