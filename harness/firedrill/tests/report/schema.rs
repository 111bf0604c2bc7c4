//! The JSON report holds what its schema says, no more and no less.

use firedrill::{history, judge, measure, report};
use serde_json::Value;

use crate::{STORED, folder};

#[test]
fn a_real_report_fits_its_schema() {
    let schema = report::schema();
    for name in STORED {
        let history = history::read(&folder(name)).unwrap();
        let measured = measure::measure(&history);
        let judgement = judge::judge(&history, &measured);
        let mut wrong = Vec::new();
        let json = report::json(&history, &measured, &judgement);
        check(&schema, &schema, &json, name, &mut wrong);
        assert_eq!(wrong, [""; 0]);
    }
}

/// As much of JSON Schema as the report's schema uses.
fn check(root: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.strip_prefix("#/$defs/").unwrap();
        return check(root, &root["$defs"][name], value, at, wrong);
    }
    for form in ["anyOf", "oneOf"] {
        if let Some(options) = schema[form].as_array() {
            let fits = |option: &Value| {
                let mut errors = Vec::new();
                check(root, option, value, at, &mut errors);
                errors.is_empty()
            };
            if !options.iter().any(fits) {
                wrong.push(format!("{at}: no {form} fits {value}"));
            }
        }
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = types.contains(&is) || (is == "integer" && types.contains(&"number"));
    if !types.is_empty() && !fits {
        wrong.push(format!("{at}: {is} instead of {types:?}"));
    }
    if let Some(constant) = schema.get("const").filter(|constant| *constant != value) {
        wrong.push(format!("{at}: {value} instead of {constant}"));
    }
    if let Some(choices) = schema["enum"]
        .as_array()
        .filter(|choices| !choices.contains(value))
    {
        wrong.push(format!("{at}: {value} is none of {choices:?}"));
    }
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
        for key in object.keys().filter(|key| !properties.contains_key(*key)) {
            wrong.push(format!("{at}/{key} is not in the schema"));
        }
        for (key, property) in properties {
            match object.get(key) {
                Some(value) => check(root, property, value, &format!("{at}/{key}"), wrong),
                None => wrong.push(format!("{at}/{key} is missing")),
            }
        }
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        let of = schema["prefixItems"].get(n).unwrap_or(&schema["items"]);
        check(root, of, item, &format!("{at}/{n}"), wrong);
    }
}
