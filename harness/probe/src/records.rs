//! Records: which one a probe uses, and what its fields are.

use std::borrow::Cow;

use super::error::Error;
use crate::Users;
use firedrill_model::scenario::{CAPTURE, Template, Texts, record_field};

/// The users's records with the drill's seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Book<'p> {
    pub(super) users: &'p Users,
    pub(super) seed: u64,
}

/// What the placeholders of one probe stand for.
#[derive(Debug, Clone)]
pub(super) struct Values<'p> {
    book: Book<'p>,
    /// The number of its records.
    pub(super) n: u64,
    /// Where a write can be read: `{link}`.
    pub(super) link: Option<Cow<'p, str>>,
    /// What was captured so far: `{capture.NAME}`.
    pub(super) captures: Texts,
}

impl<'p> Values<'p> {
    /// The records of number `n`, and nothing else yet.
    pub(super) fn of(book: Book<'p>, n: u64) -> Self {
        Self {
            book,
            n,
            link: None,
            captures: Texts::new(),
        }
    }

    /// The value of a placeholder.
    pub(super) fn get(&self, placeholder: &str) -> Option<Cow<'_, str>> {
        match placeholder.split_once('.') {
            None if placeholder == "link" => self.link.as_deref().map(Cow::from),
            Some((CAPTURE, name)) => self.captures.get(name).map(Cow::from),
            _ => self.book.field(placeholder, self.n),
        }
    }
}

impl<'p> Book<'p> {
    /// The value of `{record.field}` for probe number `n`: counted records are used in turn, others are new each time.
    pub(super) fn field(&self, placeholder: &str, n: u64) -> Option<Cow<'p, str>> {
        let (record, _) = placeholder.split_once('.')?;
        let records = &self.users.system.records;
        let index = records
            .get(record)?
            .count
            .map_or(n, |count| n % u64::from(count.max(1)));
        record_field(records, placeholder, index, self.seed).map(Cow::from)
    }

    /// A text of probe number `n`.
    pub(super) fn render(&self, template: &Template, n: u64) -> Result<String, Error> {
        let rendered = template.render(|placeholder| self.field(placeholder, n));
        rendered.map_err(|source| Error::template("probe", source))
    }

    /// After how many probes the same values come again; `None` when never.
    pub(super) fn cycle<'t>(&self, templates: impl Iterator<Item = &'t Template>) -> Option<u64> {
        let mut cycle = 1u64;
        for placeholder in templates.flat_map(Template::placeholders) {
            let count = self
                .users
                .system
                .records
                .get(placeholder.split_once('.')?.0)?
                .count?;
            let count = u64::from(count.max(1));
            if cycle != 1 && cycle != count {
                return None;
            }
            cycle = count;
        }
        Some(cycle)
    }
}
