//! A small catalogue of faults, so that these tests do not depend on which faults there are. Names and parameters are
//! those of real ones.

use firedrill::scenario::{FaultKind, Requirement};
use firedrill::units::{Share, Size, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only parsed")]
struct Deploy {
    /// The service whose release changes.
    service: String,
    /// The release.
    release: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only parsed")]
struct Kill {
    /// The service.
    service: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only parsed")]
struct Stored {
    /// The service.
    service: String,
    /// Its volume.
    volume: String,
    /// The file in it.
    file: String,
}

/// Made of two structs, which serde does not close against unknown keys.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only parsed")]
struct Truncate {
    #[serde(flatten)]
    stored: Stored,
    /// How much of it stays.
    keep: Option<Share>,
}

/// Refuses by itself what no schema can.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only parsed")]
struct Latency {
    /// The service.
    service: String,
    /// How long each byte is held.
    #[serde(deserialize_with = "above_zero")]
    #[schemars(with = "Span")]
    delay: Span,
}

fn above_zero<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    let span = Span::deserialize(deserializer)?;
    if span.0.is_zero() {
        return Err(serde::de::Error::custom("a delay of nothing"));
    }
    Ok(span)
}

/// On a link.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only parsed")]
struct Blackhole {
    /// Who connects.
    from: Option<String>,
    /// To whom.
    to: String,
    /// To which port.
    port: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only parsed")]
struct FillDisk {
    /// The service.
    service: String,
    /// Its volume.
    volume: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only parsed")]
struct LimitMemory {
    /// The service.
    service: String,
    /// The most it may have.
    memory: Size,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only parsed")]
struct AlertReceiver {
    /// How it misbehaves.
    how: String,
}

const fn kind<F: DeserializeOwned + JsonSchema>(
    name: &'static str,
    summary: &'static str,
    example: &'static str,
    lasts: bool,
    requires: &'static [Requirement],
) -> FaultKind {
    FaultKind {
        name,
        summary,
        family: "test",
        example,
        lasts,
        requires,
        schema: |generator| generator.subschema_for::<F>(),
        check: |parameters| {
            serde_json::from_value::<F>(parameters.clone())
                .map(drop)
                .map_err(|error| error.to_string())
        },
    }
}

/// The catalogue.
pub(crate) const FAULTS: &[FaultKind] = &[
    kind::<Deploy>(
        "deploy",
        "deploy another release",
        r#"at = "1s", deploy = { service = "app", release = "v2" }"#,
        false,
        &[],
    ),
    kind::<Kill>(
        "kill",
        "kill a service",
        r#"at = "1s", kill = { service = "app" }"#,
        true,
        &[Requirement::Running],
    ),
    kind::<Truncate>(
        "truncate-file",
        "cut a stored file short",
        r#"at = "1s", truncate-file = { service = "app", volume = "store", file = "urls.json", keep = "50%" }"#,
        true,
        &[],
    ),
    kind::<Latency>(
        "latency",
        "answer late",
        r#"at = "1s", latency = { service = "app", delay = "50ms" }"#,
        true,
        &[],
    ),
    kind::<Blackhole>(
        "blackhole",
        "let nothing pass a link",
        r#"at = "1s", blackhole = { from = "edge", to = "app" }"#,
        true,
        &[],
    ),
    kind::<Kill>(
        "crash-loop",
        "kill a service again and again",
        r#"at = "1s", crash-loop = { service = "app" }"#,
        false,
        &[Requirement::BroughtBack],
    ),
    kind::<FillDisk>(
        "fill-disk",
        "fill a volume",
        r#"at = "1s", fill-disk = { service = "app", volume = "store" }"#,
        true,
        &[Requirement::SizedVolume],
    ),
    kind::<LimitMemory>(
        "limit-memory",
        "lower a service's memory limit",
        r#"at = "1s", limit-memory = { service = "app", memory = "64MiB" }"#,
        true,
        &[Requirement::LowerLimit],
    ),
    kind::<AlertReceiver>(
        "alert-receiver",
        "make the alert receiver misbehave",
        r#"at = "1s", alert-receiver = { how = "down" }"#,
        true,
        &[Requirement::Alerts],
    ),
];
