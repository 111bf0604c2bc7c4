//! Journeys of the staging gate: requests for known and new records, each answer checked for its content.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use tower::ServiceExt;

use super::process::replace_placeholders;
use crate::config::{Journey, Known, Over};
use crate::duration::words;
use crate::upstream::{Broken, Fresh, Slot};

/// A record of the store: its key, and the target it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownRecord {
    key: String,
    target: String,
}

/// The result of a journey.
pub(super) enum JourneyResult {
    /// Every answer was right; a line of evidence.
    Passed(String),
    /// An answer was wrong or late; a line of evidence.
    Failed(String),
}

/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Known records of a copied store, spread evenly over the file. Empty when the file cannot be read.
pub(super) fn known_records(store: &Path, known: &Known) -> Vec<KnownRecord> {
    let content = std::fs::read(store.join(&known.file)).unwrap_or_default();
    let records: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&content).unwrap_or_default();
    let all: Vec<KnownRecord> = records
        .iter()
        .filter_map(|(key, value)| {
            Some(KnownRecord {
                key: key.clone(),
                target: value.pointer(&known.target)?.as_str()?.to_owned(),
            })
        })
        .collect();
    let every = all.len().div_ceil(known.sample.max(1)).max(1);
    all.into_iter().step_by(every).collect()
}

/// Runs a journey once for each of its records. `late` limits the median time: a single slow answer may be caused by the
/// machine.
pub(super) async fn run(
    journey: &Journey,
    records: &[KnownRecord],
    slot: &Slot,
    late: Option<Duration>,
) -> JourneyResult {
    let records: Vec<(String, String, String)> = match journey.over {
        Over::Known => records
            .iter()
            .map(|record| (record.key.clone(), record.target.clone(), String::new()))
            .collect(),
        Over::New => (1..=journey.times)
            .map(|n| (String::new(), String::new(), n.to_string()))
            .collect(),
    };
    let mut took = Vec::new();
    for (key, target, n) in &records {
        let values = [("key", key.as_str()), ("target", target), ("n", n)];
        let began = Instant::now();
        if let Err(wrong) = once(journey, &values, slot).await {
            let path = replace_placeholders(&journey.path, &values);
            return JourneyResult::Failed(format!("{}: {} {path}: {wrong}", journey.name, journey.method));
        }
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    if late.is_some_and(|late| median > late) {
        return JourneyResult::Failed(format!(
            "{}: right answers, but too slow: {} ms in the median, limit {} ms",
            journey.name,
            median.as_millis(),
            late.unwrap_or_default().as_millis()
        ));
    }
    JourneyResult::Passed(format!("{}: {} right answers", journey.name, took.len()))
}

/// What is wrong with an answer of a journey.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    /// The configured method or path is none.
    #[error(transparent)]
    InvalidRequest(#[from] http::Error),
    /// It took too long.
    #[error("no answer within {}", words(ANSWER_TIMEOUT))]
    Late,
    /// It was not complete.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Its status.
    #[error("{seen} instead of {expected}")]
    Status { seen: StatusCode, expected: u16 },
    /// A header.
    #[error("{name} is {} instead of {}", seen.as_deref().unwrap_or("missing"), allowed.join(" or "))]
    Header {
        name: String,
        seen: Option<String>,
        allowed: Vec<String>,
    },
}

/// One request of a journey.
async fn once(journey: &Journey, values: &[(&str, &str)], slot: &Slot) -> Result<(), Wrong> {
    let method = Method::from_bytes(journey.method.as_bytes()).map_err(http::Error::from)?;
    let fields = journey.form.iter();
    let fields = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields.map(|(name, text)| (name, replace_placeholders(text, values))))
        .finish();
    let mut request = Request::builder()
        .method(method)
        .uri(replace_placeholders(&journey.path, values))
        .header(header::HOST, "staging")
        // A kept connection may lead to the instance before this one.
        .extension(Fresh);
    if !fields.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    let request = request.body(Full::new(Bytes::from(fields)))?;
    let asked = tokio::time::timeout(ANSWER_TIMEOUT, slot.clone().oneshot(request));
    let answer = asked.await.map_err(|_| Wrong::Late)??;
    if answer.status().as_u16() != journey.status {
        return Err(Wrong::Status {
            seen: answer.status(),
            expected: journey.status,
        });
    }
    for (name, allowed) in &journey.header {
        let allowed: Vec<String> = allowed
            .iter()
            .map(|text| replace_placeholders(text, values))
            .collect();
        let seen = answer.headers().get(name).and_then(|value| value.to_str().ok());
        if !seen.is_some_and(|seen| allowed.iter().any(|allowed| allowed == seen)) {
            return Err(Wrong::Header {
                name: name.clone(),
                seen: seen.map(str::to_owned),
                allowed,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(content: &str, sample: usize) -> Vec<KnownRecord> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("urls.json"), content).unwrap();
        let at = Known {
            file: "urls.json".into(),
            target: "/url".into(),
            sample,
        };
        known_records(folder.path(), &at)
    }

    #[test]
    fn records_without_a_target_are_skipped() {
        let found = records(
            r#"{"go": {"url": "http://go.example"}, "house": {"file": "h.jpg"}}"#,
            20,
        );
        let go = KnownRecord {
            key: "go".into(),
            target: "http://go.example".into(),
        };
        assert_eq!(found, [go]);
    }

    #[test]
    fn a_sample_is_spread_over_all_of_them() {
        let many: serde_json::Map<_, _> = (0..100)
            .map(|n| (format!("k{n}"), serde_json::json!({ "url": n.to_string() })))
            .collect();
        let found = records(&serde_json::Value::from(many).to_string(), 4);
        assert_eq!(
            found.iter().map(|found| found.key.as_str()).collect::<Vec<_>>(),
            ["k0", "k25", "k50", "k75"]
        );
    }

    #[test]
    fn an_unreadable_store_has_no_known_records() {
        assert!(records("{", 20).is_empty() && records("{}", 20).is_empty());
    }
}
