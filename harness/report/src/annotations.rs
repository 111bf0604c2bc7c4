//! GitHub annotations: workflow commands that a step prints, shown beside the run and in the pull request.
//!
//! GitHub shows ten errors, ten warnings and ten notices of a step: the worst come first, and the last of ten says how
//! many more there are. Message and properties are escaped as GitHub's runner requires, so that no text of a service
//! begins a command.

use super::outcome::{DrillOutcome, Status, worst_first};
use super::text::plain;

/// GitHub shows so many of a kind.
const MOST: usize = 10;

/// One line for each annotation; empty when every drill is as expected.
pub fn github(drills: &[DrillOutcome]) -> String {
    let kinds = [
        ("error", &[Status::Breached, Status::NotRun][..]),
        ("warning", &[Status::Undecided][..]),
        ("notice", &[Status::Skipped][..]),
    ];
    let sorted = worst_first(drills);
    let mut text = String::new();
    for (command, statuses) in kinds {
        let drills: Vec<&&DrillOutcome> = sorted
            .iter()
            .filter(|drill| statuses.contains(&drill.status()))
            .collect();
        // The last place is for the number of those that have none.
        let shown = if drills.len() > MOST {
            MOST - 1
        } else {
            drills.len()
        };
        for drill in &drills[..shown] {
            let title = format!("{}: {}", drill.title(), drill.status().word());
            text.push_str(&line(command, &title, &message(drill)));
        }
        if drills.len() > shown {
            // By name only: the other reports have their reasons.
            let names: Vec<String> = drills[shown..].iter().map(|drill| drill.title()).collect();
            let title = format!("and {} more", names.len());
            text.push_str(&line(command, &title, &plain(&names.join(", "), 2000)));
        }
    }
    text
}

/// The reason, and the error in the logs that most likely names the cause.
fn message(drill: &DrillOutcome) -> String {
    let mut message = plain(&drill.reason(), 1000);
    if let Some((log, entry)) = drill.report().and_then(super::DrillReport::loudest) {
        let error = super::DrillReport::error(entry, 400);
        // The line break is escaped below; GitHub shows it as one.
        message.push_str(&format!("\n{}.log:{}: {error}", log.service, entry.line));
    }
    message
}

fn line(command: &str, title: &str, message: &str) -> String {
    format!(
        "::{command} title={}::{}\n",
        property(&plain(title, 200)),
        escaped(message)
    )
}

fn escaped(text: &str) -> String {
    // The percent sign first: it begins the escapes of the other two.
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    // The older form of a command, which the runner finds anywhere in a line.
    text.replace("##[", "#\\u0023[")
}

fn property(text: &str) -> String {
    // In a property these two separate it from the next one, and from the message.
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failed(name: &str, why: &str) -> DrillOutcome {
        let (name, why) = (name.to_owned(), why.to_owned());
        DrillOutcome::Failed { name, why }
    }

    #[test]
    fn the_last_of_ten_says_how_many_more_there_are() {
        let drills: Vec<DrillOutcome> = (0..25)
            .map(|n| failed(&format!("drill-{n:02}"), "no engine"))
            .collect();
        let text = github(&drills);
        assert_eq!(text.lines().count(), MOST);
        assert!(
            text.lines()
                .last()
                .unwrap()
                .starts_with("::error title=and 16 more::drill-09, drill-10")
        );
    }

    proptest! {
        #[test]
        fn no_text_begins_another_command(name in ".{0,40}", why in "(.|\n|\r|::error::|%0A){0,60}") {
            let text = github(&[failed(&name, &why)]);
            prop_assert_eq!(text.lines().count(), 1);
            let rest = text.strip_prefix("::error title=").unwrap();
            let (title, _) = rest.split_once("::").unwrap();
            prop_assert!(!title.contains([':', ',', '\n', '\r']));
        }
    }
}
