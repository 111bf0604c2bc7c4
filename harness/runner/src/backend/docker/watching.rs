//! What the engine and the kernel say of running containers: when something changed, and which processes there are.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt as _};
use testcontainers::bollard::query_parameters::EventsOptions;

use super::container::here;
use super::{Containers, RUN_LABEL};
use crate::backend::process_table::Table;
use crate::backend::{LOOK_EVERY, looks};

/// An event may be lost between an engine and its client; a state that nobody reported is seen after this.
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(1);

impl Containers {
    /// Yields whenever the engine reports that something happened to a container of this run.
    pub(super) fn container_events(&self) -> BoxStream<'static, ()> {
        let label = format!("{RUN_LABEL}={}", self.run);
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("label".to_owned(), vec![label]),
        ]);
        let options = EventsOptions {
            filters: Some(filters),
            ..Default::default()
        };
        let events = self.client.events(Some(options));
        let changes = events
            .take_while(|event| std::future::ready(event.is_ok()))
            .map(drop);
        // An engine without events, or one that breaks off, is asked as often as a process.
        stream::select(changes.chain(looks(LOOK_EVERY)), looks(LOOK_AGAIN_EVERY)).boxed()
    }

    /// All processes of a service's container, if they run on this machine.
    pub(super) async fn container_processes(&self, service: &str) -> Vec<u32> {
        let Ok(Some(id)) = self.id(service) else {
            return Vec::new();
        };
        let inspected = self.client.inspect_container(&id, None).await.ok();
        let pid = inspected.and_then(|inspected| inspected.state?.pid);
        let first = pid
            .and_then(|pid| here(pid, &id))
            .and_then(|pid| u32::try_from(pid).ok());
        let Some(first) = first else {
            return Vec::new();
        };
        // Beside the probes, not between them: it reads the state of every process of the machine.
        let all =
            tokio::task::spawn_blocking(move || Table::look().with_descendants(BTreeSet::from([first])));
        all.await.unwrap_or_default().into_iter().collect()
    }
}
