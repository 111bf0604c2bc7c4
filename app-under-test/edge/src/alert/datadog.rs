//! `kind = "datadog"`: a JSON template with `$VARIABLES`, as in Datadog's webhook integration.
//!
//! The template is parsed before the variables are replaced, so no value can break the JSON.

use firedrill_logs::Secret;
use serde::Deserialize;
use serde_json::Value;

use super::request::{AlertRequest, address};
use super::{Notice, Severity};

/// `kind = "datadog"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
    /// The template [default: the usual fields].
    #[serde(default)]
    pub template: Template,
}

/// A JSON template in which every variable is known.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template(Value);

impl Default for Template {
    fn default() -> Self {
        Self(serde_json::json!({
            "kind": "$KIND",
            "id": "$ID",
            "title": "$EVENT_TITLE",
            "body": "$EVENT_MSG",
            "alert_type": "$ALERT_TYPE",
            "transition": "$ALERT_TRANSITION",
            "date": "$DATE",
            "aggregation_key": "$AGGREG_KEY",
            "tags": "$TAGS",
        }))
    }
}

/// What is wrong with a template.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTemplate {
    /// Its text is no JSON.
    #[error("the template is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// It uses a variable that is not in the list.
    #[error("unknown variable ${name} in the template; known variables: {}", VARIABLES.join(", "))]
    UnknownVariable {
        /// Its name.
        name: String,
    },
}

impl TryFrom<String> for Template {
    type Error = InvalidTemplate;

    fn try_from(text: String) -> Result<Self, InvalidTemplate> {
        let template: Value = serde_json::from_str(&text)?;
        let mut unknown = None;
        // Only to find the names; the result is thrown away.
        let _ = map_strings(&template, &mut |text| {
            let check = |name: &str| {
                if !VARIABLES.contains(&name) {
                    unknown = Some(name.to_owned());
                }
                String::new()
            };
            replace_variables(text, check)
        });
        match unknown {
            Some(name) => Err(InvalidTemplate::UnknownVariable { name }),
            None => Ok(Self(template)),
        }
    }
}

/// The variables: first Datadog's, then the edge's.
const VARIABLES: [&str; 16] = [
    "EVENT_TITLE",
    "EVENT_MSG",
    "TEXT_ONLY_MSG",
    "ALERT_TYPE",
    "ALERT_TRANSITION",
    "DATE",
    "ID",
    "AGGREG_KEY",
    "TAGS",
    "KIND",
    "RELEASE",
    "LAST_WORKING",
    "REASON",
    "READING",
    "EXCERPT",
    "DIFFERENCE",
];

/// The value of a variable.
fn value(notice: &Notice, name: &str) -> String {
    let last_working = || notice.last_working.clone().unwrap_or_default();
    match name {
        "EVENT_TITLE" => notice.title.clone(),
        "EVENT_MSG" | "TEXT_ONLY_MSG" => notice.text(),
        "ALERT_TYPE" => if notice.severity == Severity::Warning {
            "warning"
        } else {
            "error"
        }
        .to_owned(),
        "ALERT_TRANSITION" => "Triggered".to_owned(),
        "DATE" => notice.decided_at.as_millisecond().to_string(),
        "ID" | "AGGREG_KEY" => notice.id(),
        "TAGS" => format!(
            "kind:{},release:{},last_working:{}",
            notice.kind,
            notice.release,
            last_working()
        ),
        "KIND" => notice.kind.to_owned(),
        "RELEASE" => notice.release.clone(),
        "LAST_WORKING" => last_working(),
        "REASON" => notice.reason.clone(),
        "READING" => notice.explanation(),
        "EXCERPT" => notice.excerpt.clone(),
        "DIFFERENCE" => notice.changes(),
        _ => String::new(),
    }
}

/// Replaces every `$NAME` by its value.
fn replace_variables(text: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        replaced.push_str(before);
        let end = after
            .find(|c: char| !c.is_ascii_uppercase() && c != '_')
            .unwrap_or(after.len());
        // A dollar sign before anything else is text.
        if end == 0 {
            replaced.push('$');
        } else {
            replaced.push_str(&value(&after[..end]));
        }
        rest = &after[end..];
    }
    replaced + rest
}

/// A copy of a JSON value with every string replaced.
fn map_strings(value: &Value, text: &mut impl FnMut(&str) -> String) -> Value {
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(list) => list.iter().map(|value| map_strings(value, text)).collect(),
        Value::Object(table) => table
            .iter()
            .map(|(key, value)| (key.clone(), map_strings(value, text)))
            .collect(),
        other => other.clone(),
    }
}

/// The request that carries an alert.
pub(super) fn request(settings: &Settings, notice: &Notice) -> AlertRequest {
    let body = map_strings(&settings.template.0, &mut |text| {
        replace_variables(text, |name| value(notice, name))
    });
    AlertRequest::json(&settings.url, body)
}

#[cfg(test)]
mod tests {
    use super::super::{Receiver, receiver::tests::request_of, request::Body};

    #[test]
    fn values_of_variables_cannot_break_the_json() {
        let text = r#"
            kind = "datadog"
            url = "http://sink/"
            template = '{"kind": "$KIND", "say": ["$RELEASE: $EXCERPT", "5 $ off"]}'
        "#;
        let Body::Json(body) = request_of(text).1.body else {
            panic!("not JSON")
        };
        assert_eq!(body["kind"], "rolled-back");
        assert!(
            body["say"][0]
                .as_str()
                .unwrap()
                .contains("it was given: \"/data/urls.json\""),
            "{body}"
        );
        assert_eq!(body["say"][1], "5 $ off");
    }

    #[test]
    fn an_unknown_variable_is_refused_when_the_configuration_is_read() {
        let text = "kind = \"datadog\"\nurl = \"http://sink/\"\ntemplate = '{\"x\": \"$KINND\"}'";
        let error = toml::from_str::<Receiver>(text).unwrap_err().to_string();
        assert!(error.contains("unknown variable $KINND"), "{error}");
    }
}
