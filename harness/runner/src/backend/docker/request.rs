//! What the engine is asked for when a service's container is made.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use testcontainers::bollard::models::{HostConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum};
use testcontainers::core::{IntoContainerPort, Mount};
use testcontainers::{ContainerRequest, GenericImage, ImageExt};

use super::Containers;
use super::call::CALL_WITHIN;
use super::image::hex;
use super::limits::billionths;
use crate::backend::placeholders::fill;
use crate::backend::{Error, Source, Spec};
use firedrill_model::scenario::Restart;

/// A part of a host name has so many characters at most.
const LONGEST_NAME: usize = 63;

/// The name of a container, in the engine and in the run's network. A run with a long name is shortened to a digest:
/// services could not find each other under a longer one.
pub(super) fn container_name(run: &str, service: &str) -> String {
    let name = format!("firedrill-{run}-{service}");
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let digest = hex(&Sha256::digest(run));
    format!("firedrill-{}-{service}", &digest[..12])
}

impl Containers {
    /// The whole request for a service's container.
    pub(super) fn request(&self, service: &str) -> Result<ContainerRequest<GenericImage>, Error> {
        let (mut spec, image, published) = self.with(service, |known| {
            (known.spec.clone(), known.image.clone(), known.ports.clone())
        })?;
        spec.limits = self.with(service, |known| known.limits.clone())?;
        let (args, env) = fill(self, &spec)?;
        let mut image = image.with_exposed_port(spec.port.tcp());
        for port in spec.ports.values() {
            image = image.with_exposed_port(port.tcp());
        }
        let mut request = image
            .with_container_name(container_name(&self.run, service))
            .with_network(self.network_name())
            .with_labels(self.labels())
            .with_cmd(args)
            .with_startup_timeout(CALL_WITHIN);
        if cfg!(unix) && matches!(spec.source, Source::Binaries(_)) {
            let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
            request = request.with_user(format!("{}:{}", user.as_raw(), group.as_raw()));
        }
        for (name, value) in env {
            request = request.with_env_var(name, value);
        }
        for (_, here, inside) in self.volumes(&spec) {
            request = request.with_mount(Mount::bind_mount(here.display().to_string(), inside));
        }
        Ok(request.with_host_config_modifier(move |host| configure(host, &spec, &published)))
    }
}

/// What testcontainers has no words for: ports on 127.0.0.1 only, limits, restart policy, and no powers: what is made
/// from static binaries needs none, and permissions bind it even as root.
fn configure(host: &mut HostConfig, spec: &Spec, published: &BTreeMap<Option<String>, u16>) {
    let inside = |name: &Option<String>| match name {
        None => Some(spec.port),
        Some(name) => spec.ports.get(name).copied(),
    };
    let bindings = published.iter().filter_map(|(name, port)| {
        let binding = PortBinding {
            host_ip: Some("127.0.0.1".into()),
            host_port: Some(port.to_string()),
        };
        Some((format!("{}/tcp", inside(name)?), Some(vec![binding])))
    });
    host.publish_all_ports = Some(false);
    host.port_bindings = Some(bindings.collect());
    host.memory = spec.limits.memory.and_then(|size| i64::try_from(size.0).ok());
    host.memory_swap = host.memory;
    host.nano_cpus = spec.limits.cpu.map(billionths);
    host.pids_limit = spec.limits.pids.map(i64::from);
    if spec.restart == Restart::Always {
        host.restart_policy = Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::ALWAYS),
            maximum_retry_count: None,
        });
    }
    if matches!(spec.source, Source::Binaries(_)) {
        host.cap_drop = Some(vec!["ALL".into()]);
    }
}
