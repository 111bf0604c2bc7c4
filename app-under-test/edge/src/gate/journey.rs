//! What staging tries: journeys over known and new records, every answer checked for its content.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use tower::ServiceExt;

use super::process::fill;
use crate::config::{Journey, Known, Over};
use crate::form;
use crate::upstream::{Fresh, Slot};

/// A known record: what it is found by, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    key: String,
    target: String,
}

/// How a journey ended.
pub(super) enum Walked {
    /// Every answer was right; a line about it.
    Well(String),
    /// One was not; a line about it.
    Badly(String),
}

/// An answer that has not come by then never will.
const PATIENCE: Duration = Duration::from_secs(3);

/// Known records of a copied store, evenly spread. Empty when there are none.
pub(super) fn known(store: &Path, known: &Known) -> Vec<Found> {
    let content = std::fs::read(store.join(&known.file)).unwrap_or_default();
    let records: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&content).unwrap_or_default();
    let all: Vec<Found> = records
        .iter()
        .filter_map(|(key, value)| {
            Some(Found {
                key: key.clone(),
                target: value.pointer(&known.target)?.as_str()?.to_owned(),
            })
        })
        .collect();
    let every = all.len().div_ceil(known.sample.max(1)).max(1);
    all.into_iter().step_by(every).collect()
}

/// Tries one journey over everything it is tried over. `late` limits the median: one slow answer is the machine's.
pub(super) async fn walk(
    journey: &Journey,
    records: &[Found],
    slot: &Slot,
    late: Option<Duration>,
) -> Walked {
    let uses: Vec<(String, String, String)> = match journey.over {
        Over::Known => records
            .iter()
            .map(|found| (found.key.clone(), found.target.clone(), String::new()))
            .collect(),
        Over::New => (1..=journey.times)
            .map(|n| (String::new(), String::new(), n.to_string()))
            .collect(),
    };
    let mut took = Vec::new();
    for (key, target, n) in &uses {
        let values = [("key", key.as_str()), ("target", target), ("n", n)];
        let began = Instant::now();
        if let Err(wrong) = once(journey, &values, slot).await {
            let path = fill(&journey.path, &values);
            return Walked::Badly(format!("{}: {} {path}: {wrong}", journey.name, journey.method));
        }
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    if late.is_some_and(|late| median > late) {
        return Walked::Badly(format!(
            "{}: right, but its answers take {} ms in the median, {} ms are allowed",
            journey.name,
            median.as_millis(),
            late.unwrap_or_default().as_millis()
        ));
    }
    Walked::Well(format!("{}: {} right answers", journey.name, took.len()))
}

async fn once(journey: &Journey, values: &[(&str, &str)], slot: &Slot) -> Result<(), String> {
    let method: Method = journey
        .method
        .parse()
        .map_err(|_| "that is no method".to_owned())?;
    let fields = form::encode(journey.form.iter().map(|(name, text)| (name, fill(text, values))));
    let mut request = Request::builder()
        .method(method)
        .uri(fill(&journey.path, values))
        .header(header::HOST, "staging")
        .extension(Fresh);
    if !fields.is_empty() {
        request = request.header(header::CONTENT_TYPE, form::MEDIA_TYPE);
    }
    let request = request
        .body(Full::new(Bytes::from(fields)))
        .map_err(|error| error.to_string())?;
    let asked = tokio::time::timeout(PATIENCE, slot.clone().oneshot(request));
    let answer = asked
        .await
        .map_err(|_| format!("no answer within {PATIENCE:?}"))?
        .map_err(|error| error.to_string())?;
    if answer.status().as_u16() != journey.status {
        return Err(format!("{} instead of {}", answer.status(), journey.status));
    }
    for (name, allowed) in &journey.header {
        let allowed: Vec<String> = allowed.iter().map(|text| fill(text, values)).collect();
        let seen = answer.headers().get(name).and_then(|value| value.to_str().ok());
        if !seen.is_some_and(|seen| allowed.iter().any(|allowed| allowed == seen)) {
            return Err(format!(
                "{name} is {} instead of {}",
                seen.unwrap_or("missing"),
                allowed.join(" or ")
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(content: &str, sample: usize) -> Vec<Found> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("urls.json"), content).unwrap();
        let at = Known {
            file: "urls.json".into(),
            target: "/url".into(),
            sample,
        };
        known(folder.path(), &at)
    }

    #[test]
    fn records_without_a_target_are_passed_over() {
        let found = records(
            r#"{"go": {"url": "http://go.example"}, "house": {"file": "h.jpg"}}"#,
            20,
        );
        let go = Found {
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
    fn a_store_that_cannot_be_read_has_none() {
        assert!(records("{", 20).is_empty() && records("{}", 20).is_empty());
    }
}
