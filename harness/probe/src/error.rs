//! What can go wrong with a journey.

use std::io;

use firedrill_model::sample::{Bad, Void};
use firedrill_model::scenario::template::TemplateError;

/// A journey that cannot be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// One of its texts cannot be filled, or gives no valid request.
    #[error("`{text}`: {source}")]
    Text {
        /// The text.
        text: String,
        /// What is wrong with it.
        source: InvalidText,
    },
    /// The prober has no thread to run on.
    #[error("the prober cannot start: {0}")]
    Start(#[source] io::Error),
    /// A program that a journey needs is not on this machine.
    #[error(
        "the journey `{journey}` needs the program `{program}`, which is not here; install it, or set PATH"
    )]
    NoProgram {
        /// The journey.
        journey: String,
        /// The program, as the file says it.
        program: String,
    },
    /// A journey asks a service whose address is not known: a bug in firedrill.
    #[error("a bug in firedrill, please report it: nobody said where users reach {service}")]
    NoAddress {
        /// The service.
        service: String,
    },
    /// A journey that does not do exactly one thing, which the loader refuses: a bug in firedrill.
    #[error("a bug in firedrill, please report it: the journey `{journey}` does not say what it does")]
    NoAction {
        /// The journey.
        journey: String,
    },
    /// A bug in firedrill.
    #[error("the prober panicked; please report it")]
    Panicked,
    /// A record was not stored.
    #[error("record {n} was not stored: {source}")]
    NotStored {
        /// Its number.
        n: u64,
        /// What came instead of the right answer.
        source: NotAcknowledged,
    },
}

impl Error {
    /// A text that is no template, or has a placeholder that nothing fills.
    pub(super) fn template(text: &str, source: TemplateError) -> Self {
        Self::Text {
            text: text.to_owned(),
            source: source.into(),
        }
    }
}

/// Why a text of a journey makes no request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidText {
    /// It is no template, or has a placeholder that nothing fills.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// It is no method.
    #[error(transparent)]
    Method(#[from] http::method::InvalidMethod),
    /// It is no path.
    #[error(transparent)]
    Path(#[from] http::uri::InvalidUri),
    /// It is no name of a header.
    #[error(transparent)]
    HeaderName(#[from] http::header::InvalidHeaderName),
    /// It is no value of a header.
    #[error(transparent)]
    HeaderValue(#[from] http::header::InvalidHeaderValue),
    /// It is no regular expression.
    #[error(transparent)]
    Pattern(Box<regex::Error>),
    /// It is no status of an answer.
    #[error("not a valid HTTP status")]
    Status,
}

/// The error of a text.
pub(super) fn wrong(text: &str, source: impl Into<InvalidText>) -> Error {
    Error::Text {
        text: text.to_owned(),
        source: source.into(),
    }
}

/// What came instead of the answer that acknowledges a write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAcknowledged {
    /// A wrong answer, with its status.
    #[error("{0} ({1})")]
    Answered(Bad, u16),
    /// No whole answer.
    #[error("{0}")]
    NoAnswer(Bad),
    /// No connection that can be trusted, and why.
    #[error("{0}")]
    NotConnected(String),
    /// The prober could not send the request, or not read the answer.
    #[error("{0}")]
    Void(Void),
}
