//! `unreadable-file`: a stored file is there and may not be read, as after a restore by the wrong user.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::permissions;
use super::stored::Stored;
use crate::backend::Capability;
use crate::fault::{Context, Describe, Error, Fault, Injected};

/// Takes all permissions from a file: the service may neither read nor write it. A service that puts a new file in its
/// place has mended it itself. Reverting gives them back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::fault) struct Unreadable {
    stored: Stored,
}

impl Describe for Unreadable {
    const NAME: &'static str = "unreadable-file";
    const SUMMARY: &'static str = "take all permissions from a stored file";
    const CONFIRMED: &'static str =
        "the file has no permissions left, and the service's process is one that permissions bind";
    const FAMILY: &'static str = "store";
    const EXAMPLE: &'static str = r#"at = "1s", for = "1s", unreadable-file = { service = "app", volume = "store", file = "urls.json" }"#;
    const LASTS: bool = true;
}

#[async_trait]
impl Fault for Unreadable {
    fn describe(&self) -> String {
        format!("{}: made unreadable", self.stored)
    }

    fn needs(&self) -> Vec<Capability> {
        vec![Capability::Permissions]
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        context.backend.obeys_permissions(&self.stored.service).await?;
        let path = self.stored.path(context)?;
        if permissions::take(context, &[path], 0o777)? == 0 {
            return Err(Error::NotInEffect(format!("{} is not there", self.stored)));
        }
        Ok(Injected::confirmed(format!(
            "{} may not be read, and the service obeys that (who tries is not seen)",
            self.stored
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        permissions::give_back(context)?;
        Ok(format!("{} has its permissions again", self.stored))
    }
}
