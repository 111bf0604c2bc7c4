//! The JSON Schemas for editors: stored beside the scenarios, and as the loader has them.

use std::path::Path;

use firedrill::scenario::{project_schema, schema, system_schema};
use serde_json::{Value, json};

use crate::faults;

const FOLDER: &str = "../../scenarios/schema";

/// Set to store the schemas instead of comparing them.
const UPDATE: &str = "FIREDRILL_UPDATE_SCHEMAS";

#[test]
fn the_stored_schemas_are_those_of_the_loader() {
    let schemas = [
        ("scenario", schema(faults().kinds())),
        ("system", system_schema()),
        ("project", project_schema()),
        ("report", firedrill::report::schema()),
    ];
    for (name, schema) in schemas {
        let path = Path::new(FOLDER).join(format!("{name}.json"));
        let text = format!("{schema:#}\n");
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == text,
            "{} is out of date; store it anew: {UPDATE}=1 cargo test -p firedrill --test scenario schemas",
            path.display()
        );
    }
}

#[test]
fn a_step_has_a_key_for_every_fault_and_takes_exactly_one() {
    let schema = schema(faults().kinds());
    let step = &schema["$defs"]["Step"];
    let keys: Vec<&String> = step["properties"].as_object().unwrap().keys().collect();
    let faults = faults();
    let wanted: Vec<&str> = ["at", "for"]
        .into_iter()
        .chain(faults.kinds().iter().map(|kind| kind.name))
        .collect();
    assert_eq!(keys, wanted);
    assert_eq!(step["additionalProperties"], false);
    assert_eq!(step["oneOf"].as_array().unwrap().len(), faults.kinds().len());
    let kill = faults.kinds().iter().find(|kind| kind.name == "kill").unwrap();
    assert_eq!(
        step["properties"]["kill"]["description"],
        format!("{} ({})", kill.summary, kill.family)
    );
}

#[test]
fn every_key_has_a_description_and_every_reference_an_end() {
    for schema in [schema(faults().kinds()), system_schema(), project_schema()] {
        check(&schema, &schema, "");
    }
}

/// What is referred to exists, and tables are closed and described.
fn check(root: &Value, schema: &Value, at: &str) {
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.strip_prefix("#/$defs/").unwrap();
        assert!(root["$defs"][name].is_object(), "{at}: {target}");
    }
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let described = property["description"].is_string() || at.contains("/oneOf") || at.is_empty();
        assert!(described, "{at}/{key} has no description");
        assert_ne!(schema["additionalProperties"], json!(null), "{at} is open");
    }
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                check(root, value, &format!("{at}/{key}"));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| check(root, item, at)),
        _ => assert_ne!(schema, "null", "{at}: TOML has no null"),
    }
}
