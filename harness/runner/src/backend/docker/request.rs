//! What the engine is asked for when a service's container is made.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};
use testcontainers::bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, Mount, MountType, NetworkingConfig, PortBinding,
    RestartPolicy, RestartPolicyNameEnum,
};
use testcontainers::bollard::query_parameters::CreateContainerOptionsBuilder;

use super::Containers;
use super::call::call;
use super::image::hex;
use super::limits::billionths;
use crate::backend::placeholders::{fill_env, fill_texts};
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
    /// Makes a service's container, and returns its id.
    pub(super) async fn make(&self, service: &str) -> Result<String, Error> {
        let request = self.request(service)?;
        let name = container_name(&self.run, service);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let (client, service) = (self.client.clone(), service.to_owned());
        let made = async move {
            call(
                "create",
                &service,
                client.create_container(Some(options), request),
            )
            .await
        };
        Ok(self.to_its_end(made).await?.id)
    }

    /// The whole request for a service's container.
    fn request(&self, service: &str) -> Result<ContainerCreateBody, Error> {
        let (mut spec, image, published) = self.with(service, |known| {
            (known.spec.clone(), known.image.clone(), known.ports.clone())
        })?;
        spec.limits = self.with(service, |known| known.limits.clone())?;
        let args = fill_texts(self, &spec, &spec.args)?;
        let env = fill_env(self, &spec)?;
        let mounts = self.volumes(&spec).into_iter().map(|(_, here, inside)| Mount {
            typ: Some(MountType::BIND),
            source: Some(here.display().to_string()),
            target: Some(inside),
            ..Default::default()
        });
        let mut host = HostConfig {
            network_mode: Some(self.network_name()),
            mounts: Some(mounts.collect()),
            ..Default::default()
        };
        configure(&mut host, &spec, &published);
        // In the run's own network alone: another drill has another one, and the same names.
        let endpoint = EndpointSettings {
            aliases: Some(vec![service.to_owned()]),
            ..Default::default()
        };
        let endpoints = HashMap::from([(self.network_name(), endpoint)]);
        let ports = spec.port.iter().chain(spec.ports.values());
        Ok(ContainerCreateBody {
            image: Some(image),
            labels: Some(self.labels()),
            user: user(&spec),
            // Without arguments, the image's own.
            cmd: Some(args).filter(|args| !args.is_empty()),
            env: Some(
                env.iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect(),
            ),
            exposed_ports: Some(ports.map(|port| format!("{port}/tcp")).collect()),
            host_config: Some(host),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some(endpoints),
            }),
            ..Default::default()
        })
    }
}

/// The user of a container: the one that the system file names; the harness's for what we built, so that the harness may
/// change its files; the image's own for others.
fn user(spec: &Spec) -> Option<String> {
    let ours = || {
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        format!("{}:{}", user.as_raw(), group.as_raw())
    };
    let is_ours = matches!(spec.source, Source::Binaries(_));
    spec.user.clone().or_else(|| is_ours.then(ours))
}

/// Ports on 127.0.0.1 only, limits, restart policy, and no powers: what is made from static binaries needs none, and
/// permissions bind it even as root.
fn configure(host: &mut HostConfig, spec: &Spec, published: &BTreeMap<Option<String>, u16>) {
    let inside = |name: &Option<String>| match name {
        None => spec.port,
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
