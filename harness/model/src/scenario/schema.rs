//! The JSON Schemas of the three kinds of file.
//!
//! Takes the model's types and the catalogue; gives schemas to editors and to the loader's structural check. Both use
//! the same ones, so that an editor accepts what the loader accepts.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{FaultKind, Project, Scenario, System};

/// The schema of scenario files, with every fault of the catalogue as a key of a step.
pub fn schema(faults: &[FaultKind]) -> Value {
    let mut generator = generator();
    let calls: Vec<(&str, Value)> = faults
        .iter()
        .map(|kind| (kind.name, call(kind, &mut generator)))
        .collect();
    let mut root = generator.into_root_schema_for::<Scenario>().to_value();
    complete_step(&mut root["$defs"]["Step"], calls);
    also_called(&mut root["$defs"]["Tolerance"], "never down", "fallback allowed");
    tidy(&mut root);
    root
}

/// A step is its times and exactly one fault.
fn complete_step(step: &mut Value, calls: Vec<(&str, Value)>) {
    // The faults are keys of the step itself: the type cannot describe them, so the catalogue does.
    step["properties"] = Map::from_iter(STEP_TIMES.iter().map(|(key, text)| {
        let time = json!({ "$ref": "#/$defs/Span", "description": text });
        ((*key).to_owned(), time)
    }))
    .into();
    step["required"] = json!(["at"]);
    step["additionalProperties"] = json!(false);
    if !calls.is_empty() {
        step["oneOf"] = calls
            .iter()
            .map(|(name, _)| json!({ "required": [name] }))
            .collect();
    }
    for (name, call) in calls {
        step["properties"][name] = call;
    }
}

/// Adds a second name of a choice: serde's aliases are not in a derived schema.
fn also_called(choice: &mut Value, name: &str, other: &str) {
    let Some(options) = choice["oneOf"].as_array_mut() else {
        return;
    };
    if let Some(mut option) = options.iter().find(|option| option["const"] == name).cloned() {
        option["const"] = other.into();
        options.push(option);
    }
}

fn tidy(root: &mut Value) {
    without_null(root);
    closed(root);
    if let Some(definitions) = root["$defs"].as_object_mut() {
        definitions.values_mut().for_each(closed);
    }
}

/// Unknown keys are errors in every table. A table with several forms stays open: each form would refuse the keys of
/// the others.
fn closed(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    // serde refuses the unknown keys of such a table itself.
    if ["oneOf", "anyOf", "allOf"]
        .iter()
        .any(|form| object.contains_key(*form))
    {
        return;
    }
    // `additionalProperties` says the same, and more editors know it.
    object.remove("unevaluatedProperties");
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(closed);
        object.entry("additionalProperties").or_insert(json!(false));
    }
    if let Some(items) = object.get_mut("items") {
        closed(items);
    }
}

/// TOML has no null: what is optional is left out. So "a span or null" becomes "a span".
fn without_null(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        let is_null = |option: &Value| *option == json!({ "type": "null" }) || *option == "null";
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|option| !is_null(option));
            if let [only] = types.as_slice() {
                object["type"] = only.clone();
            }
        }
        if let Some(Value::Array(options)) = object.get_mut("anyOf") {
            options.retain(|option| !is_null(option));
            if let [Value::Object(only)] = options.as_mut_slice() {
                let only = std::mem::take(only);
                object.remove("anyOf");
                for (key, value) in only {
                    object.entry(key).or_insert(value);
                }
            }
        }
        object.values_mut().for_each(without_null);
    } else if let Some(items) = schema.as_array_mut() {
        items.iter_mut().for_each(without_null);
    }
}

/// The keys of a step beside its fault.
const STEP_TIMES: &[(&str, &str)] = &[
    ("at", "When, counted from the end of the steady-state check."),
    (
        "for",
        "Revert it after this long. Without it the fault stays until the drill ends: the system must cope by itself.",
    ),
];

/// The schema of a fault's parameters, with the fault's summary as description.
fn call(kind: &FaultKind, generator: &mut SchemaGenerator) -> Value {
    let mut call = (kind.schema)(generator).to_value();
    if let Some(call) = call.as_object_mut() {
        let text = format!("{} ({})", kind.summary, kind.family);
        call.insert("description".into(), text.into());
    }
    call
}

/// The schema of system files.
pub fn system_schema() -> Value {
    of::<System>()
}

/// The schema of the project file.
pub fn project_schema() -> Value {
    of::<Project>()
}

fn of<T: JsonSchema>() -> Value {
    let mut root = generator().into_root_schema_for::<T>().to_value();
    tidy(&mut root);
    root
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}
