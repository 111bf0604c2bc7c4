//! How a service's state changed by itself. A history stores it in words.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A change that no step made: a process ended, or came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum StateChange {
    /// Another process runs in place of the one before.
    Restarted,
    /// It was paused and runs again.
    Resumed,
    /// It had ended and runs again.
    Running,
    /// It is paused.
    Paused,
    /// A signal ended it.
    EndedBySignal(i64),
    /// It ended with this exit code.
    EndedWithCode(i64),
    /// The kernel killed it: it wanted more memory than it may have.
    OutOfMemory,
    /// It does not exist.
    Absent,
    /// The words of another version.
    Other(String),
}

impl fmt::Display for StateChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restarted => f.write_str("restarted"),
            Self::Resumed => f.write_str("resumed"),
            Self::Running => f.write_str("running"),
            Self::Paused => f.write_str("frozen"),
            Self::EndedBySignal(signal) => write!(f, "ended by signal {signal}"),
            Self::EndedWithCode(code) => write!(f, "ended with code {code}"),
            Self::OutOfMemory => f.write_str("killed by the kernel, out of memory"),
            Self::Absent => f.write_str("absent"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

impl StateChange {
    /// The words that a history stores. Those of the format, so they never change; what people read is [`fmt::Display`].
    fn stored(&self) -> String {
        match self {
            Self::Restarted => "restarted".to_owned(),
            Self::Resumed => "resumed".to_owned(),
            Self::Running => "running".to_owned(),
            Self::Paused => "frozen".to_owned(),
            Self::EndedBySignal(signal) => format!("{BY_SIGNAL}{signal}"),
            Self::EndedWithCode(code) => format!("{WITH_CODE}{code}"),
            Self::OutOfMemory => "killed by the kernel, out of memory".to_owned(),
            Self::Absent => "absent".to_owned(),
            Self::Other(words) => words.clone(),
        }
    }
}

/// How the stored words for [`StateChange::EndedBySignal`] begin.
const BY_SIGNAL: &str = "ended by signal ";
/// How the stored words for [`StateChange::EndedWithCode`] begin.
const WITH_CODE: &str = "ended with code ";

impl From<StateChange> for String {
    fn from(change: StateChange) -> Self {
        change.stored()
    }
}

impl From<String> for StateChange {
    fn from(words: String) -> Self {
        let numbered = |before: &str| i64::from_str(words.strip_prefix(before)?).ok();
        let by_number = numbered(BY_SIGNAL).map(Self::EndedBySignal);
        let by_number = by_number.or_else(|| numbered(WITH_CODE).map(Self::EndedWithCode));
        let plain = [
            Self::Restarted,
            Self::Resumed,
            Self::Running,
            Self::Paused,
            Self::OutOfMemory,
            Self::Absent,
        ];
        // Only a change that is written as it was read ("signal 09" is not): a report of an old run must not change.
        plain
            .into_iter()
            .chain(by_number)
            .find(|change| change.stored() == words)
            .unwrap_or(Self::Other(words))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_words_are_read_as_what_they_mean() {
        for (words, change) in [
            ("restarted", StateChange::Restarted),
            ("frozen", StateChange::Paused),
            ("ended by signal 9", StateChange::EndedBySignal(9)),
            ("ended with code 101", StateChange::EndedWithCode(101)),
            ("runs", StateChange::Other("runs".into())),
        ] {
            assert_eq!(StateChange::from(words.to_owned()), change);
        }
    }

    proptest! {
        #[test]
        fn any_words_are_written_as_they_were_read(words in "(ended (by signal|with code) )?[+0-9a-z ]{0,12}") {
            prop_assert_eq!(String::from(StateChange::from(words.clone())), words);
        }
    }
}
