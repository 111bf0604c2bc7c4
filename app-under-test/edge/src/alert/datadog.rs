//! A JSON text with `$VARIABLES`, as Datadog's webhook integration has them. The text is parsed first and filled in
//! afterwards, inside its strings, so that no value can break it.

use serde::Deserialize;
use serde_json::Value;

use super::receiver::address;
use super::{Notice, Outgoing, Severity};
use crate::redact::Secret;

/// `kind = "datadog"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to.
    #[serde(deserialize_with = "address")]
    pub url: Secret,
    /// The text; without it, one with the usual fields.
    #[serde(default)]
    pub template: Template,
}

/// A JSON text whose variables are all known.
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

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let template: Value =
            serde_json::from_str(&text).map_err(|error| format!("the template is no JSON: {error}"))?;
        let mut unknown = None;
        let _ = map(&template, &mut |text| {
            let check = |name: &str| {
                if !VARIABLES.contains(&name) {
                    unknown = Some(name.to_owned());
                }
                String::new()
            };
            fill(text, check)
        });
        match unknown {
            Some(name) => Err(format!(
                "the template has no variable ${name}; there are {}",
                VARIABLES.join(", ")
            )),
            None => Ok(Self(template)),
        }
    }
}

/// What may stand behind a `$`: Datadog's own names, then ours.
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

fn value(notice: &Notice, name: &str) -> String {
    let other = || notice.last_working.clone().unwrap_or_default();
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
            other()
        ),
        "KIND" => notice.kind.clone(),
        "RELEASE" => notice.release.clone(),
        "LAST_WORKING" => other(),
        "REASON" => notice.reason.clone(),
        "READING" => notice.reading(),
        "EXCERPT" => notice.excerpt.clone(),
        "DIFFERENCE" => notice.changes(),
        _ => String::new(),
    }
}

/// Puts a value in the place of every `$NAME`.
fn fill(text: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        let end = after
            .find(|c: char| !c.is_ascii_uppercase() && c != '_')
            .unwrap_or(after.len());
        if end == 0 {
            filled.push('$');
        } else {
            filled.push_str(&value(&after[..end]));
        }
        rest = &after[end..];
    }
    filled + rest
}

/// The same value with every string replaced.
fn map(value: &Value, text: &mut impl FnMut(&str) -> String) -> Value {
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(list) => list.iter().map(|value| map(value, text)).collect(),
        Value::Object(table) => table
            .iter()
            .map(|(key, value)| (key.clone(), map(value, text)))
            .collect(),
        other => other.clone(),
    }
}

pub(super) fn request(settings: &Settings, notice: &Notice) -> Outgoing {
    let body = map(&settings.template.0, &mut |text| {
        fill(text, |name| value(notice, name))
    });
    Outgoing::json(&settings.url, body)
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Receiver, receiver::tests::sent};

    #[test]
    fn variables_are_filled_in_and_can_break_nothing() {
        let text = r#"
            kind = "datadog"
            url = "http://sink/"
            template = '{"kind": "$KIND", "say": ["$RELEASE: $EXCERPT", "5 $ off"]}'
        "#;
        let Body::Json(body) = sent(text).1.body else {
            panic!("no JSON")
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
        assert!(error.contains("no variable $KINND"), "{error}");
    }
}
