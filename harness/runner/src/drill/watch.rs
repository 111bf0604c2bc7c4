//! State changes of the services during a drill: ends, and the restarts of a restart policy with the engine's pauses
//! between them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;

use super::record::Recorder;
use crate::backend::{Backend, State};
use firedrill_model::history::Event;

/// Between two looks at a service.
const EVERY: Duration = Duration::from_millis(50);

/// Records every change of a service's state until the handle is dropped.
pub(super) fn watch(backend: Arc<dyn Backend>, service: String, recorder: Recorder) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut last = None;
        loop {
            firedrill_wait::until_due(Instant::now() + EVERY).await;
            let Ok(now) = backend.state(&service).await else {
                continue;
            };
            if let Some(state) = last.as_ref().and_then(|last| change(last, &now)) {
                let service = service.clone();
                // A full disk is found by the next event of the drill itself.
                let _ = recorder.event(Event::State { service, state });
            }
            last = Some(now);
        }
    }))
}

/// A change, in words. Identities of processes are left out: they say only that two differ.
fn change(last: &State, now: &State) -> Option<String> {
    match (last, now) {
        (last, now) if last == now => None,
        (State::Running(_), State::Running(_)) => Some("restarted".into()),
        (State::Paused, State::Running(_)) => Some("resumed".into()),
        (_, State::Running(_)) => Some("running".into()),
        (_, state) => Some(state.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_between_two_looks_shows_in_the_identity() {
        let (one, other) = (State::Running("1".into()), State::Running("2".into()));
        assert_eq!(change(&one, &one), None);
        assert_eq!(change(&one, &other).as_deref(), Some("restarted"));
        assert_eq!(
            change(&one, &State::Exited(-9)).as_deref(),
            Some("ended by signal 9")
        );
        assert_eq!(change(&State::Exited(-9), &other).as_deref(), Some("running"));
    }
}
