//! Who asks: a user over HTTP, a program, or a text over TCP. Whatever it is, a probe comes to one [`Visited`].

use std::time::Duration;

use super::command::CommandClient;
use super::connection::Way;
use super::error::Error;
use super::records::Book;
use super::running_stream::Common;
use super::tcp::TcpClient;
use super::visit::{Visit, Visited};
use firedrill_model::sample::{Labels, Mode};
use firedrill_model::scenario::{Action, Journey};

/// What the probes of a stream do.
pub(super) struct Client {
    asks: Asks,
    timeout: Duration,
    needs_new_records: bool,
}

enum Asks {
    Http(Box<(Visit, Way)>),
    Command(CommandClient),
    Tcp(TcpClient),
}

impl Client {
    /// Prepares a journey. What cannot be filled is found here, before anything is sent.
    pub(super) fn new(common: &Common, journey: &Journey, mode: Mode) -> Result<Self, Error> {
        let (system, book) = (&common.users.system, common.book());
        let action = journey.action().ok_or_else(|| Error::NoAction {
            journey: journey.name.clone(),
        })?;
        let (asks, needs_new_records) = match action {
            Action::Http => {
                let visit = Visit::new(journey, system.identity.as_ref(), &book)?;
                let needs_new_records = visit.needs_new_records();
                let way = Way::new(common.reach.asked(system, journey)?, mode);
                (Asks::Http(Box::new((visit, way))), needs_new_records)
            }
            Action::Command(command) => {
                let client = CommandClient::new(&journey.name, command, &common.reach)?;
                let cycle = book.cycle(client.templates());
                (Asks::Command(client), cycle.is_none())
            }
            Action::Tcp(tcp) => {
                let client = TcpClient::new(common.reach.asked(system, journey)?.address, mode, tcp)?;
                let cycle = book.cycle(client.templates());
                (Asks::Tcp(client), cycle.is_none())
            }
        };
        Ok(Self {
            asks,
            timeout: journey.timeout.0,
            needs_new_records,
        })
    }

    /// Whether every probe needs a record number that no other one has: it writes, or its texts are new each time.
    pub(super) fn needs_new_records(&self) -> bool {
        self.needs_new_records
    }

    /// One probe with the records of number `n`. A right answer counts as such however late it came.
    pub(super) async fn visit(&self, book: Book<'_>, labels: &Labels, n: u64) -> Visited {
        let visited = match &self.asks {
            Asks::Http(asks) => return asks.0.make(&asks.1, book, labels, n).await,
            Asks::Command(client) => client.visit(&book, n, self.timeout).await,
            Asks::Tcp(client) => client.visit(&book, n, self.timeout).await,
        };
        // Of its texts no probe can be made.
        visited.unwrap_or_else(|_| Visited::not_sent())
    }
}
