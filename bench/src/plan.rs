//! Plans without a scenario file: one service, and the journeys that a benchmark needs.

use std::path::PathBuf;

use firedrill::Plan;
use firedrill::scenario::Project;
use serde_json::{Value, json};

/// A plan of one service with these journeys, each as a scenario file would spell it.
///
/// # Errors
/// When a journey is not one.
pub fn of_journeys(journeys: &Value) -> Result<Plan, serde_json::Error> {
    let system = json!({
        "summary": "one service",
        "service": { "app": { "build": { "image": "app" }, "port": 80 } },
        "identity": { "header": "x-release" },
        "journey": journeys,
    });
    Ok(Plan {
        name: "bench".into(),
        folder: PathBuf::new(),
        scenario: serde_json::from_value(json!({ "summary": "probing", "system": "system.toml" }))?,
        faults: Vec::new(),
        system: serde_json::from_value(system)?,
        project: Project::default(),
        hints: Vec::new(),
        secrets: Default::default(),
    })
}

/// A journey that gets a page over these connection modes.
pub fn get(name: &str, rate: u32, connections: &[&str], deadline: &str) -> Value {
    json!({
        "name": name, "rate": format!("{rate}/s"), "connections": connections, "deadline": deadline,
        "request": { "path": "/" }, "answer": { "status": 200 },
    })
}
