//! What the templates of a system file stand for in containers.

use std::path::PathBuf;

use super::Containers;
use super::request::container_name;
use crate::backend::placeholders::{HarnessUrls, Values};
use crate::backend::{Source, Spec};

impl Containers {
    /// Folder here and path inside of each volume: its own, then those it shares.
    pub(super) fn volumes(&self, spec: &Spec) -> Vec<(String, PathBuf, String)> {
        let folder = |owner: &str, volume: &str| self.folder.join("volumes").join(owner).join(volume);
        let mut volumes: Vec<_> = spec
            .volumes
            .iter()
            .map(|(name, path)| (name.clone(), folder(&spec.name, name), path.clone()))
            .collect();
        let services = self.services();
        for (name, (owner, volume)) in &spec.shares {
            if let Some(path) = services
                .get(owner)
                .and_then(|other| other.spec.volumes.get(volume))
            {
                volumes.push((name.clone(), folder(owner, volume), path.clone()));
            }
        }
        volumes
    }
}

impl Values for Containers {
    fn listen(&self, spec: &Spec, port: Option<&str>) -> Option<String> {
        let port = port.map_or(spec.port, |name| spec.ports.get(name).copied())?;
        Some(format!("0.0.0.0:{port}"))
    }

    fn volume(&self, spec: &Spec, volume: &str) -> Option<String> {
        self.volumes(spec)
            .into_iter()
            .find(|(name, ..)| name == volume)
            .map(|(_, _, inside)| inside)
    }

    fn binary(&self, spec: &Spec, name: &str) -> Option<String> {
        let Source::Binaries(binaries) = &spec.source else {
            return None;
        };
        binaries
            .iter()
            .any(|(binary, _)| binary == name)
            .then(|| format!("/{name}"))
    }

    fn service(&self, name: &str, port: Option<&str>) -> Option<String> {
        let known = self.with(name, |known| {
            let number = port.map_or(known.spec.port, |port| known.spec.ports.get(port).copied())?;
            Some((known.spec.scheme(port), number))
        });
        let (scheme, number) = known.ok()??;
        Some(format!("{scheme}://{}:{number}", container_name(&self.run, name)))
    }

    fn urls(&self) -> &HarnessUrls {
        &self.urls
    }
}
