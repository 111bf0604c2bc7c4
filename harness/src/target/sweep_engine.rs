//! What killed runs left in a container engine: containers, networks, volumes, known by their labels.

use std::collections::HashMap;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::query_parameters::{
    ListContainersOptions, ListNetworksOptions, ListVolumesOptions, RemoveContainerOptions,
    RemoveVolumeOptions,
};

use super::docker::{OWNER_LABEL, RUN_LABEL};
use super::sweep::{Swept, Which};
use crate::wait::{self, Poll, WaitError};

/// Others may be at the same thing: another `clean`, or the engine with what a killed run had asked of it.
const FREE_WITHIN: Duration = Duration::from_secs(10);
/// How engines say that somebody else still has a thing, or is about to remove it.
const BUSY: [&str; 3] = ["already in progress", "active endpoints", "in use"];

/// Removes a thing, once nobody else is at it. What is gone already needs no removing.
async fn removed<Removing>(remove: impl Fn() -> Removing) -> Result<(), WaitError<EngineError>>
where
    Removing: Future<Output = Result<(), EngineError>>,
{
    wait::until("nobody else at it", FREE_WITHIN, || async {
        match remove().await {
            Ok(()) | Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Poll::Done(()),
            Err(EngineError::DockerResponseServerError { message, .. })
                if BUSY.iter().any(|busy| message.contains(busy)) =>
            {
                Poll::NotYet(message)
            }
            Err(error) => Poll::Never(error),
        }
    })
    .await
}

/// Removes what is to go. An error says what could not be listed: then nobody knows what is there.
pub(super) async fn sweep(client: &Docker, which: &Which, swept: &mut Swept) -> Result<(), String> {
    let unseen = |what: &'static str| move |error: EngineError| format!("listing {what}: {error}");
    containers(client, which, swept)
        .await
        .map_err(unseen("containers"))?;
    networks(client, which, swept).await.map_err(unseen("networks"))?;
    volumes(client, which, swept).await.map_err(unseen("volumes"))
}

fn by_label() -> HashMap<String, Vec<String>> {
    HashMap::from([("label".into(), vec![RUN_LABEL.into()])])
}

async fn containers(client: &Docker, which: &Which, swept: &mut Swept) -> Result<(), EngineError> {
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
        let remove = removed(|| client.remove_container(&id, Some(options.clone())));
        let thing = format!("container {}", name.trim_start_matches('/'));
        labelled(which, swept, thing, &labels, remove).await;
    }
    Ok(())
}

async fn networks(client: &Docker, which: &Which, swept: &mut Swept) -> Result<(), EngineError> {
    let options = ListNetworksOptions {
        filters: Some(by_label()),
    };
    for network in client.list_networks(Some(options)).await? {
        let (labels, name) = (
            network.labels.unwrap_or_default(),
            network.name.unwrap_or_default(),
        );
        let remove = removed(|| client.remove_network(&name));
        labelled(which, swept, format!("network {name}"), &labels, remove).await;
    }
    Ok(())
}

async fn volumes(client: &Docker, which: &Which, swept: &mut Swept) -> Result<(), EngineError> {
    let options = ListVolumesOptions {
        filters: Some(by_label()),
    };
    let list = client.list_volumes(Some(options)).await?;
    for volume in list.volumes.unwrap_or_default() {
        let name = volume.name;
        let options = RemoveVolumeOptions { force: true };
        let remove = removed(|| client.remove_volume(&name, Some(options.clone())));
        labelled(which, swept, format!("volume {name}"), &volume.labels, remove).await;
    }
    Ok(())
}

/// Decides by the labels of a thing.
async fn labelled(
    which: &Which,
    swept: &mut Swept,
    thing: String,
    labels: &HashMap<String, String>,
    remove: impl Future<Output = Result<(), WaitError<EngineError>>>,
) {
    if let Some(run) = labels.get(RUN_LABEL) {
        let owner = labels.get(OWNER_LABEL).map(String::as_str);
        swept.one(which, thing, run, owner, remove).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn answer(status_code: u16, message: &str) -> EngineError {
        EngineError::DockerResponseServerError {
            status_code,
            message: message.into(),
        }
    }

    /// What removing comes to when the engine answers so, one after the other; and what it was not asked any more.
    async fn after(answers: Vec<EngineError>) -> (Result<(), WaitError<EngineError>>, usize) {
        let answers = RefCell::new(answers.into_iter());
        let removed = removed(|| std::future::ready(answers.borrow_mut().next().map_or(Ok(()), Err))).await;
        (removed, answers.into_inner().len())
    }

    #[tokio::test(start_paused = true)]
    async fn what_somebody_else_is_at_is_waited_for() {
        let busy = || {
            vec![
                answer(409, "removal of container 1 is already in progress"),
                answer(
                    403,
                    "error while removing network: network n has active endpoints",
                ),
                answer(409, "remove v: volume is in use - [1]"),
            ]
        };
        let (free, _) = after(busy()).await;
        assert!(free.is_ok(), "{free:?}");
        let mut gone = busy();
        gone.push(answer(404, "no such container"));
        let (gone, _) = after(gone).await;
        assert!(gone.is_ok(), "{gone:?}");
        let (busy, unasked) = after((0..10_000).flat_map(|_| busy()).collect()).await;
        assert!(
            busy.is_err_and(|error| error.to_string().contains("active endpoints")
                || error.to_string().contains("in use")
                || error.to_string().contains("in progress"))
        );
        assert!(unasked > 0, "somebody stays at it: that has an end");
    }

    #[tokio::test(start_paused = true)]
    async fn another_error_is_told_at_once() {
        let (refused, unasked) = after(vec![answer(500, "the disk is gone"), answer(500, "still")]).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("the disk is gone")));
        assert_eq!(unasked, 1);
    }
}
