//! Records: which one a probe uses, and what its fields are.

use std::borrow::Cow;

use crate::Users;
use firedrill_model::scenario::{Template, record_field};

/// The users's records with the drill's seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Book<'p> {
    pub(super) users: &'p Users,
    pub(super) seed: u64,
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
