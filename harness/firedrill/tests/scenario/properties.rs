//! What holds for every text and every valid plan.

use firedrill::Plan;
use firedrill::history;
use firedrill::scenario::{Scenario, load};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::{Folder, SCENARIO, SYSTEM, faults};

/// A change of a text as slips of the hand make them, and worse.
#[derive(Debug, Clone)]
enum Slip {
    DropLine(Index),
    RepeatLine(Index),
    DropChar(Index),
    Replace(Index, char),
    Insert(Index, String),
    Cut(Index),
}

fn slip() -> impl Strategy<Value = Slip> {
    let fragment = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\n",
        " = ",
        "[[step]]",
        "{x.y}",
        "0",
        "-1",
        "true",
        "1979-05-27",
        "99999999999999999999",
        "\u{0}",
        "é",
        "'''",
        "nan",
        "step = 1\n",
        "a.b.c = 1\n",
    ]);
    prop_oneof![
        any::<Index>().prop_map(Slip::DropLine),
        any::<Index>().prop_map(Slip::RepeatLine),
        any::<Index>().prop_map(Slip::DropChar),
        (any::<Index>(), any::<char>()).prop_map(|(at, c)| Slip::Replace(at, c)),
        (any::<Index>(), fragment).prop_map(|(at, text)| Slip::Insert(at, text.to_owned())),
        any::<Index>().prop_map(Slip::Cut),
    ]
}

fn slipped(text: &str, slips: &[Slip]) -> String {
    slips.iter().fold(text.to_owned(), |text, slip| {
        if text.is_empty() {
            return text;
        }
        let mut chars: Vec<char> = text.chars().collect();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        match slip {
            Slip::DropLine(at) => {
                lines.remove(at.index(lines.len()));
                return lines.concat();
            }
            Slip::RepeatLine(at) => {
                let at = at.index(lines.len());
                lines.insert(at, lines[at]);
                return lines.concat();
            }
            Slip::DropChar(at) => drop(chars.remove(at.index(chars.len()))),
            Slip::Replace(at, c) => {
                let at = at.index(chars.len());
                chars[at] = *c;
            }
            Slip::Insert(at, text) => {
                let at = at.index(chars.len());
                chars.splice(at..at, text.chars());
            }
            Slip::Cut(at) => chars.truncate(at.index(chars.len())),
        }
        chars.into_iter().collect()
    })
}

/// Loading ends, and when it refuses, it says why and can be shown.
fn loads_or_explains(folder: &Folder) {
    if let Err(problems) = load(&folder.scenario(), &faults()) {
        assert!(problems.iter().count() > 0);
        assert_eq!(problems.rows().len(), problems.iter().count());
        let shown = format!("{:?}", miette::Report::new(problems));
        assert!(!shown.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn slips_of_the_hand_are_refused_or_accepted_and_never_more(
        scenario in prop::collection::vec(slip(), 0..5),
        system in prop::collection::vec(slip(), 0..5),
    ) {
        loads_or_explains(&Folder::new(&slipped(SCENARIO, &scenario), &slipped(SYSTEM, &system)));
    }

    #[test]
    fn no_text_at_all_makes_the_loader_panic(text in "\\PC{0,200}") {
        loads_or_explains(&Folder::new(&text, SYSTEM));
        loads_or_explains(&Folder::new(SCENARIO, &text));
    }

    #[test]
    fn no_bytes_make_the_loader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = Folder::new(SCENARIO, SYSTEM);
        folder.write("scenario.toml", &bytes);
        loads_or_explains(&folder);
    }

    #[test]
    fn a_valid_scenario_survives_json_and_toml_and_its_plan_a_history(
        rate in 100u32..10_000,
        at in 0u64..100_000,
        lasting in prop::option::of(1u64..100_000),
        times in 0u32..400,
        keep in 0u8..=100,
        seeded in any::<bool>(),
    ) {
        let plan = plan(rate, at, lasting, times, keep, seeded);
        let json = serde_json::to_string(&plan.scenario).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Scenario>(&json).unwrap(), &plan.scenario);

        let stored = history::plan::Plan::from(&plan);
        let json = serde_json::to_string(&stored).unwrap();
        prop_assert_eq!(&serde_json::from_str::<history::plan::Plan>(&json).unwrap(), &stored);

        // What is written back is a valid pair of files again.
        let mut scenario = plan.scenario.clone();
        scenario.system = "systems/valid.toml".into();
        let folder = Folder::new(&toml::to_string(&scenario).unwrap(), &toml::to_string(&plan.system).unwrap());
        let reloaded = load(&folder.scenario(), &faults()).map_err(|problems| problems.rows());
        prop_assert_eq!(reloaded.map(|plan| plan.system), Ok(plan.system));
    }
}

fn plan(rate: u32, at: u64, lasting: Option<u64>, times: u32, keep: u8, seeded: bool) -> Plan {
    let lasting = lasting.map_or(String::new(), |ms| format!("for = \"{ms}ms\"\n"));
    let scenario = SCENARIO
        .replace("50/s", &format!("{rate}/m"))
        .replace(
            "at = \"2.5s\"\nfor = \"500ms\"\n",
            &format!("at = \"{at}ms\"\n{lasting}"),
        )
        .replace("times = 24", &format!("times = {times}"))
        .replace("keep = \"50%\"", &format!("keep = \"{keep}%\""))
        .replace(
            "manual_recovery = ",
            &format!("seeded = {seeded}\nmanual_recovery = "),
        );
    // `resolve` needs seeded records.
    let scenario = if seeded {
        scenario
    } else {
        scenario.replace("resolve = \"never down\", ", "")
    };
    load(&Folder::new(&scenario, SYSTEM).scenario(), &faults()).unwrap()
}
