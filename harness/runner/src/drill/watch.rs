//! State changes of the services during a drill: ends, and the restarts of a restart policy with the engine's pauses
//! between them.

use std::sync::Arc;

use futures::StreamExt as _;
use tokio_util::task::AbortOnDropHandle;

use super::record::Recorder;
use crate::backend::{Backend, State};
use firedrill_model::history::{Event, StateChange};

/// Records every change of a service's state until the handle is dropped.
pub(super) fn watch(backend: Arc<dyn Backend>, service: String, recorder: Recorder) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut last = None;
        // The first look at once: a change is a difference from the look before.
        let first = futures::stream::once(std::future::ready(()));
        let mut changes = first.chain(backend.changes());
        while changes.next().await.is_some() {
            // A busy engine answers the next look.
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

/// The change between two states. Identities of processes are left out: they say only that two differ.
fn change(last: &State, now: &State) -> Option<StateChange> {
    if last == now {
        return None;
    }
    Some(match (last, now) {
        (State::Running(_), State::Running(_)) => StateChange::Restarted,
        (State::Paused, State::Running(_)) => StateChange::Resumed,
        (_, State::Running(_)) => StateChange::Running,
        (_, State::Paused) => StateChange::Paused,
        // A backend gives the signal as a negative code.
        (_, State::Exited(code)) if *code < 0 => StateChange::EndedBySignal(-code),
        (_, State::Exited(code)) => StateChange::EndedWithCode(*code),
        (_, State::OutOfMemory) => StateChange::OutOfMemory,
        (_, State::Absent) => StateChange::Absent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_between_two_looks_shows_in_the_identity() {
        let (one, other) = (State::Running("1".into()), State::Running("2".into()));
        assert_eq!(change(&one, &one), None);
        assert_eq!(change(&one, &other), Some(StateChange::Restarted));
        assert_eq!(
            change(&one, &State::Exited(-9)),
            Some(StateChange::EndedBySignal(9))
        );
        assert_eq!(change(&State::Exited(-9), &other), Some(StateChange::Running));
    }

    #[test]
    fn a_history_says_of_a_state_what_errors_say_of_it() {
        let running = State::Running("1".into());
        for state in [
            State::Paused,
            State::Exited(-9),
            State::Exited(101),
            State::OutOfMemory,
            State::Absent,
        ] {
            let change = change(&running, &state).unwrap();
            assert_eq!(change.to_string(), state.to_string());
            assert!(!matches!(change, StateChange::Other(_)));
        }
    }
}
