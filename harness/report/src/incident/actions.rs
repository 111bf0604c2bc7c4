//! The action items of a post-mortem: what the measured facts suggest, for people to own.

use std::fmt::Write;

use super::super::markdown::escaped;
use super::super::words::{self, finding};
use super::{Draft, blank, code};
use firedrill_judge::Verdict;
use firedrill_model::format::command;

impl Draft<'_> {
    pub(super) fn actions(&self) -> String {
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |what: &str, why: &str| rows.push((what.to_owned(), why.to_owned()));
        let measured = &self.0.measured;
        if self.deployed() {
            row(
                "Prevent: add a test that fails on this bug",
                "a bug is cheapest before the deploy",
            );
            row(
                "Prevent: add a staging gate with a copy of the production store",
                "an empty store can hide the bug",
            );
            // A rollback that happened needs no action to introduce it.
            if measured.instants.rollback.is_none() {
                row(
                    "Mitigate: roll back automatically when answers fail after a deploy",
                    &format!("it would end {} of downtime within seconds", self.length()),
                );
            }
        }
        if measured.instants.detected.is_none() && self.down().next().is_some() {
            row("Detect: alert on the journeys that failed", "no alert arrived");
        }
        if let Some(damage) = words::damage(&measured.data) {
            row("Fix: acknowledge a write only when it is durable", &damage);
        }
        // One item for each breached check, so that none is forgotten in the general ones above.
        for check in self.0.judgement.of(Verdict::Breached) {
            row(
                &format!("Meet {}", code(&check.id.to_string(), 60)),
                &escaped(&finding(check), 320),
            );
        }
        row(
            "Verify: run this scenario every night",
            &code(&command(["firedrill", "run", self.0.name()]), 100),
        );
        let mut text = String::from("## Action items\n\n| what | why | owner | due |\n|---|---|---|---|\n");
        for (what, why) in rows {
            let _ = writeln!(text, "| {what} | {why} | {} | {} |", blank("name"), blank("date"));
        }
        text
    }
}
