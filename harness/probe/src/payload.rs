//! The body of a request: a form, a form with a file, JSON, or text. For journeys and for deploys by request.
//!
//! Takes a request of a system file, and what its templates become; gives bytes with their content type.

use bytes::Bytes;
use http::HeaderValue;
use serde_json::Value;

use super::form;
use firedrill_model::scenario::Request;

/// A body, of texts that are templates (`&str` as written, or parsed) or filled.
#[derive(Debug, Clone, PartialEq)]
pub enum Body<T> {
    /// As it is.
    Text(T),
    /// The fields of a form.
    Form(Vec<(String, T)>),
    /// The fields of a form, and a file.
    Multipart {
        /// The fields before the file.
        fields: Vec<(String, T)>,
        /// The file's field, and its content type.
        file: (String, String),
        /// The file's name.
        name: T,
        /// The file's content.
        content: T,
    },
    /// A value.
    Json(Json<T>),
}

/// A JSON value whose texts are templates, or filled.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<T> {
    /// A text.
    Text(T),
    /// A list.
    List(Vec<Json<T>>),
    /// A table.
    Table(Vec<(String, Json<T>)>),
    /// A number, a boolean or null.
    Plain(Value),
}

impl<'r> Body<&'r str> {
    /// The body of a request; `None` when it has none.
    pub fn of(request: &'r Request) -> Option<Self> {
        let fields = || {
            let fields = request.form.iter();
            fields
                .map(|(name, value)| (name.clone(), value.as_str()))
                .collect()
        };
        if let Some(body) = &request.body {
            Some(Self::Text(body))
        } else if let Some(value) = &request.json {
            Some(Self::Json(Json::of(value)))
        } else if let Some(file) = &request.file {
            Some(Self::Multipart {
                fields: fields(),
                file: (file.field.clone(), file.content_type.clone()),
                name: &file.name,
                content: &file.content,
            })
        } else {
            (!request.form.is_empty()).then(|| Self::Form(fields()))
        }
    }
}

impl<T> Body<T> {
    /// The same of other texts.
    ///
    /// # Errors
    /// The first of `fill`.
    pub fn try_map<U, E>(&self, fill: &dyn Fn(&T) -> Result<U, E>) -> Result<Body<U>, E> {
        let filled = |fields: &[(String, T)]| {
            let fields = fields.iter();
            fields
                .map(|(name, value)| Ok((name.clone(), fill(value)?)))
                .collect::<Result<_, E>>()
        };
        Ok(match self {
            Self::Text(text) => Body::Text(fill(text)?),
            Self::Form(fields) => Body::Form(filled(fields)?),
            Self::Multipart {
                fields,
                file,
                name,
                content,
            } => Body::Multipart {
                fields: filled(fields)?,
                file: file.clone(),
                name: fill(name)?,
                content: fill(content)?,
            },
            Self::Json(value) => Body::Json(value.try_map(fill)?),
        })
    }

    /// Its texts.
    pub(super) fn texts(&self) -> Vec<&T> {
        match self {
            Self::Text(text) => vec![text],
            Self::Form(fields) => fields.iter().map(|(_, value)| value).collect(),
            Self::Multipart {
                fields,
                name,
                content,
                ..
            } => {
                let fields = fields.iter().map(|(_, value)| value);
                fields.chain([name, content]).collect()
            }
            Self::Json(value) => value.texts(),
        }
    }
}

impl Body<String> {
    /// The bytes, and the content type that they need; text has none of its own.
    pub fn encoded(self) -> (Option<HeaderValue>, Bytes) {
        match self {
            Self::Text(text) => (None, text.into()),
            Self::Form(fields) => {
                let kind = HeaderValue::from_static(form::CONTENT_TYPE);
                (Some(kind), form::body(fields).into())
            }
            Self::Json(value) => {
                let kind = HeaderValue::from_static(JSON);
                (Some(kind), value.into_value().to_string().into())
            }
            Self::Multipart {
                fields,
                file,
                name,
                content,
            } => multipart(&fields, &file, &name, &content),
        }
    }

    /// Whether the content type follows from the body, and another one would make it unreadable. JSON may be of a kind that
    /// has a name of its own.
    pub fn settles_content_type(&self) -> bool {
        matches!(self, Self::Form(_) | Self::Multipart { .. })
    }
}

/// The content type of JSON.
const JSON: &str = "application/json";

/// A form with a file, as browsers encode it (HTML standard, "multipart form data"). Its boundary occurs in no part.
fn multipart(
    fields: &[(String, String)],
    (field, kind): &(String, String),
    name: &str,
    content: &str,
) -> (Option<HeaderValue>, Bytes) {
    let quoted = |text: &str| text.replace('\r', "%0D").replace('\n', "%0A").replace('"', "%22");
    let is_free = |boundary: &String| {
        let mut texts = fields.iter().map(|(_, value)| value.as_str());
        !content.contains(boundary.as_str()) && texts.all(|text| !text.contains(boundary.as_str()))
    };
    let boundary = (0u64..).map(|n| format!("firedrill-boundary-{n}")).find(is_free);
    let boundary = boundary.unwrap_or_default();
    let disposition = |name: &str| {
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
            quoted(name)
        )
    };
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!("{}\r\n\r\n{value}\r\n", disposition(name));
    }
    body += &format!(
        "{}; filename=\"{}\"\r\nContent-Type: {kind}\r\n\r\n{content}\r\n--{boundary}--\r\n",
        disposition(field),
        quoted(name)
    );
    let kind = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"));
    (kind.ok(), body.into())
}

impl<'v> Json<&'v str> {
    /// A value of a system file.
    pub(super) fn of(value: &'v Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Object(table) => {
                let fields = table.iter();
                Self::Table(
                    fields
                        .map(|(key, value)| (key.clone(), Self::of(value)))
                        .collect(),
                )
            }
            plain => Self::Plain(plain.clone()),
        }
    }
}

impl<T> Json<T> {
    /// The same of other texts.
    pub(super) fn try_map<U, E>(&self, fill: &dyn Fn(&T) -> Result<U, E>) -> Result<Json<U>, E> {
        Ok(match self {
            Self::Text(text) => Json::Text(fill(text)?),
            Self::List(items) => {
                let items = items.iter().map(|item| item.try_map(fill));
                Json::List(items.collect::<Result<_, E>>()?)
            }
            Self::Table(fields) => {
                let fields = fields
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.try_map(fill)?)));
                Json::Table(fields.collect::<Result<_, E>>()?)
            }
            Self::Plain(value) => Json::Plain(value.clone()),
        })
    }

    /// Its texts.
    pub(super) fn texts(&self) -> Vec<&T> {
        match self {
            Self::Text(text) => vec![text],
            Self::List(items) => items.iter().flat_map(Self::texts).collect(),
            Self::Table(fields) => fields.iter().flat_map(|(_, value)| value.texts()).collect(),
            Self::Plain(_) => Vec::new(),
        }
    }
}

impl Json<String> {
    fn into_value(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text),
            Self::List(items) => items.into_iter().map(Self::into_value).collect(),
            Self::Table(fields) => {
                let fields = fields.into_iter();
                fields.map(|(key, value)| (key, value.into_value())).collect()
            }
            Self::Plain(value) => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use serde_json::json;

    fn encoded(request: Value) -> (String, String) {
        let mut request = request;
        request["path"] = "/".into();
        let request: Request = serde_json::from_value(request).unwrap();
        let body = Body::of(&request).unwrap();
        let filled = body.try_map(&|text: &&str| Ok::<_, Infallible>(text.replace("{n}", "7")));
        let (kind, bytes) = filled.unwrap().encoded();
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
        (
            kind.unwrap_or_default(),
            String::from_utf8(bytes.to_vec()).unwrap(),
        )
    }

    #[test]
    fn templates_in_json_are_filled_and_escaped_and_numbers_stay_numbers() {
        let value = json!({ "a": "x{n}\"", "n": 1, "list": [true, { "b": "{n}" }] });
        let (kind, body) = encoded(json!({ "json": value }));
        assert_eq!(kind, "application/json");
        let read: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read, json!({ "a": "x7\"", "n": 1, "list": [true, { "b": "7" }] }));
    }

    #[test]
    fn a_file_is_uploaded_with_the_fields_of_its_form() {
        let (kind, body) = encoded(json!({
            "form": { "title": "t{n}" },
            "file": { "field": "file", "name": "a\"{n}.txt", "content": "line\r\n{n}", "type": "text/plain" },
        }));
        assert_eq!(kind, "multipart/form-data; boundary=firedrill-boundary-0");
        assert_eq!(
            body,
            "--firedrill-boundary-0\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nt7\r\n\
             --firedrill-boundary-0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%227.txt\"\r\n\
             Content-Type: text/plain\r\n\r\nline\r\n7\r\n--firedrill-boundary-0--\r\n"
        );
    }

    #[test]
    fn a_boundary_occurs_in_no_part() {
        let content = "firedrill-boundary-0 firedrill-boundary-1";
        let (kind, _) = encoded(json!({ "file": { "field": "f", "name": "n", "content": content } }));
        assert_eq!(kind, "multipart/form-data; boundary=firedrill-boundary-2");
    }
}
