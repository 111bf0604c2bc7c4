//! What the templates of a system file stand for on this machine.

use std::path::PathBuf;

use super::Processes;
use crate::backend::placeholders::{HarnessUrls, Values};
use crate::backend::{Source, Spec};

impl Processes {
    pub(super) fn volume_path(&self, spec: &Spec, volume: &str) -> Option<PathBuf> {
        let (owner, name) = match spec.shares.get(volume) {
            Some((owner, name)) => (owner.as_str(), name.as_str()),
            None => (spec.name.as_str(), spec.volumes.get_key_value(volume)?.0.as_str()),
        };
        Some(self.folder.join("volumes").join(owner).join(name))
    }
}

impl Values for Processes {
    fn listen(&self, spec: &Spec, port: Option<&str>) -> Option<String> {
        let services = self.services();
        let port = services.get(&spec.name)?.ports.get(&port.map(str::to_owned))?;
        Some(format!("127.0.0.1:{port}"))
    }

    fn volume(&self, spec: &Spec, volume: &str) -> Option<String> {
        self.volume_path(spec, volume)
            .map(|path| path.display().to_string())
    }

    fn binary(&self, spec: &Spec, name: &str) -> Option<String> {
        let Source::Binaries(binaries) = &spec.source else {
            return None;
        };
        binaries
            .iter()
            .find(|(binary, _)| binary == name)
            .map(|(_, path)| path.display().to_string())
    }

    fn service(&self, name: &str, port: Option<&str>) -> Option<String> {
        let services = self.services();
        let service = services.get(name)?;
        let number = service.ports.get(&port.map(str::to_owned))?;
        Some(format!("{}://127.0.0.1:{number}", service.spec.scheme(port)))
    }

    fn urls(&self) -> &HarnessUrls {
        &self.urls
    }
}
