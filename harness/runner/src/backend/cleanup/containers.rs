//! What killed runs left in a container engine: containers, networks, volumes, known by their labels.

use std::collections::HashMap;

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::query_parameters::{
    ListContainersOptions, ListNetworksOptions, ListVolumesOptions, RemoveContainerOptions,
    RemoveVolumeOptions,
};

use super::{Cleanup, Scope};
use crate::backend::docker::{OWNER_LABEL, RUN_LABEL, reclaim, removed};
use firedrill_wait::WaitError;

/// The engine did not list its things of one kind.
#[derive(Debug, thiserror::Error)]
#[error("listing {what}: {source}")]
pub(super) struct NotListed {
    what: &'static str,
    source: EngineError,
}

/// Removes what is in scope. An error says what could not be listed: then nobody knows what is there.
pub(super) async fn clean_up(client: &Docker, scope: &Scope, cleanup: &mut Cleanup) -> Result<(), NotListed> {
    let unseen = |what: &'static str| move |error: EngineError| NotListed { what, source: error };
    containers(client, scope, cleanup)
        .await
        .map_err(unseen("containers"))?;
    networks(client, scope, cleanup)
        .await
        .map_err(unseen("networks"))?;
    volumes(client, scope, cleanup).await.map_err(unseen("volumes"))
}

fn by_label() -> HashMap<String, Vec<String>> {
    HashMap::from([("label".into(), vec![RUN_LABEL.into()])])
}

async fn containers(client: &Docker, scope: &Scope, cleanup: &mut Cleanup) -> Result<(), EngineError> {
    let options = ListContainersOptions {
        all: true,
        filters: Some(by_label()),
        ..Default::default()
    };
    for container in client.list_containers(Some(options)).await? {
        let (labels, id) = (
            container.labels.unwrap_or_default(),
            container.id.unwrap_or_default(),
        );
        let name = container.names.and_then(|names| names.into_iter().next());
        let name = name.unwrap_or_else(|| id.clone());
        let options = RemoveContainerOptions {
            force: true,
            v: true,
            ..Default::default()
        };
        let remove = async {
            reclaim(client, &id).await;
            removed(|| client.remove_container(&id, Some(options.clone()))).await
        };
        let thing = format!("container {}", name.trim_start_matches('/'));
        labelled(scope, cleanup, thing, &labels, remove).await;
    }
    Ok(())
}

async fn networks(client: &Docker, scope: &Scope, cleanup: &mut Cleanup) -> Result<(), EngineError> {
    let options = ListNetworksOptions {
        filters: Some(by_label()),
    };
    for network in client.list_networks(Some(options)).await? {
        let (labels, name) = (
            network.labels.unwrap_or_default(),
            network.name.unwrap_or_default(),
        );
        let remove = removed(|| client.remove_network(&name));
        labelled(scope, cleanup, format!("network {name}"), &labels, remove).await;
    }
    Ok(())
}

async fn volumes(client: &Docker, scope: &Scope, cleanup: &mut Cleanup) -> Result<(), EngineError> {
    let options = ListVolumesOptions {
        filters: Some(by_label()),
    };
    let list = client.list_volumes(Some(options)).await?;
    for volume in list.volumes.unwrap_or_default() {
        let name = volume.name;
        let options = RemoveVolumeOptions { force: true };
        let remove = removed(|| client.remove_volume(&name, Some(options.clone())));
        labelled(scope, cleanup, format!("volume {name}"), &volume.labels, remove).await;
    }
    Ok(())
}

/// Decides by the labels of a thing.
async fn labelled(
    scope: &Scope,
    cleanup: &mut Cleanup,
    thing: String,
    labels: &HashMap<String, String>,
    remove: impl Future<Output = Result<(), WaitError>>,
) {
    if let Some(run) = labels.get(RUN_LABEL) {
        let owner = labels.get(OWNER_LABEL).map(String::as_str);
        cleanup.one(scope, thing, run, owner, remove).await;
    }
}
