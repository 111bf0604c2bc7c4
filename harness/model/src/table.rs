//! A table whose keys belong to two types.
//!
//! Takes two types that each refuse unknown keys; gives one table that refuses them too. `#[serde(flatten)]` reads the
//! same tables and accepts any key, so nothing here uses it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Two structs read from one table: the keys of the first, then all others for the second, which refuses those that it
/// does not know.
///
/// ```
/// # use schemars::JsonSchema;
/// # use serde::Deserialize;
/// use firedrill_model::table::Merged;
///
/// /// Where.
/// #[derive(Deserialize, JsonSchema)]
/// struct Place { service: String }
///
/// /// How much.
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Cut { keep: u8 }
///
/// let read = serde_json::from_str::<Merged<Place, Cut>>;
/// assert_eq!(read(r#"{ "service": "app", "keep": 3 }"#).unwrap().1.keep, 3);
/// assert!(read(r#"{ "service": "app", "kep": 3 }"#).is_err());
/// ```
#[derive(Debug, Clone)]
pub struct Merged<A, B>(pub A, pub B);

impl<'de, A: DeserializeOwned + JsonSchema, B: DeserializeOwned> Deserialize<'de> for Merged<A, B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rest = Map::<String, Value>::deserialize(deserializer)?;
        let first: Map<String, Value> = keys::<A>()
            .into_iter()
            .filter_map(|key| rest.remove_entry(&key))
            .collect();
        let first = A::deserialize(Value::Object(first)).map_err(D::Error::custom)?;
        let second = B::deserialize(Value::Object(rest)).map_err(D::Error::custom)?;
        Ok(Self(first, second))
    }
}

/// The keys of a struct, as its schema names them: what serde accepts and what the schema says cannot differ.
fn keys<A: JsonSchema>() -> Vec<String> {
    let schema = A::json_schema(&mut SchemaGenerator::default()).to_value();
    let properties = schema["properties"].as_object();
    properties.into_iter().flat_map(Map::keys).cloned().collect()
}

/// The description is the second type's: the first says where, the second what.
impl<A: JsonSchema, B: JsonSchema> JsonSchema for Merged<A, B> {
    fn inline_schema() -> bool {
        B::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        B::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let first = A::json_schema(generator).to_value();
        let mut both = B::json_schema(generator);
        let both_keys = both.ensure_object();
        join(both_keys, "properties", &first, |second, first| {
            if let (Value::Object(second), Value::Object(first)) = (second, first) {
                let rest = std::mem::replace(second, first.clone());
                second.extend(rest);
            }
        });
        join(both_keys, "required", &first, |second, first| {
            if let (Value::Array(second), Value::Array(first)) = (second, first) {
                second.splice(0..0, first.iter().cloned());
            }
        });
        both_keys.insert("additionalProperties".into(), false.into());
        both
    }
}

/// Puts what the first schema says under a keyword in front of what the second says.
fn join(of: &mut Map<String, Value>, keyword: &str, first: &Value, put: impl Fn(&mut Value, &Value)) {
    match (of.get_mut(keyword), first.get(keyword)) {
        (Some(second), Some(first)) => put(second, first),
        (None, Some(first)) => {
            of.insert(keyword.into(), first.clone());
        }
        (_, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where.
    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Place {
        /// The service.
        service: String,
        /// Its port.
        #[serde(default)]
        port: Option<u16>,
    }

    /// What.
    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Cut {
        /// How much stays.
        keep: u8,
    }

    #[test]
    fn each_key_goes_to_its_type_and_an_unknown_one_is_refused() {
        let read = |text| serde_json::from_str::<Merged<Place, Cut>>(text);
        let Merged(place, cut) = read(r#"{ "keep": 3, "service": "app" }"#).unwrap();
        assert_eq!((place.service.as_str(), place.port, cut.keep), ("app", None, 3));
        for (text, cause) in [
            (
                r#"{ "keep": 3, "service": "app", "prot": 1 }"#,
                "unknown field `prot`",
            ),
            (r#"{ "keep": 3 }"#, "missing field `service`"),
            (r#"{ "service": "app" }"#, "missing field `keep`"),
        ] {
            let refused = read(text).unwrap_err().to_string();
            assert!(refused.contains(cause), "{refused}");
        }
    }

    #[test]
    fn the_schema_has_the_keys_of_both_and_is_closed() {
        let schema = Merged::<Place, Cut>::json_schema(&mut SchemaGenerator::default()).to_value();
        let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["service", "port", "keep"]);
        assert_eq!(schema["required"], serde_json::json!(["service", "keep"]));
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["description"], "What.");
    }
}
