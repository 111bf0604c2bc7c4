//! `unreadable-file`: a stored file exists and may not be read, as after a restore by the wrong user.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::permissions;
use super::stored::Stored;
use crate::backend::Capability;
use crate::fault::error::NotInEffect;
use crate::fault::{Context, Describe, Error, Family, Fault, Injected};

/// Takes all permissions from a file: the service may neither read nor write it. A service that writes a new file in
/// its place has repaired it. Reverting gives the permissions back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::fault) struct Unreadable {
    stored: Stored,
}

impl Describe for Unreadable {
    const NAME: &'static str = "unreadable-file";
    const SUMMARY: &'static str = "take all permissions from a stored file";
    const CONFIRMED: &'static str = "the file has no permissions left, and the service does not run as root";
    const FAMILY: Family = Family::Store;
    const EXAMPLE: &'static str = r#"at = "1s", for = "1s", unreadable-file = { service = "app", volume = "store", file = "urls.json" }"#;
    const LASTS: bool = true;
}

#[async_trait]
impl Fault for Unreadable {
    fn describe(&self) -> String {
        format!("make {} unreadable", self.stored)
    }

    fn needs(&self) -> Vec<Capability> {
        vec![Capability::Permissions]
    }

    async fn inject(&self, context: &Context<'_>) -> Result<Injected, Error> {
        context.backend.obeys_permissions(&self.stored.service).await?;
        let place = self.stored.place(context)?;
        place.refuse_special()?;
        if permissions::take(context, &[place], 0o777).await? == 0 {
            let file = self.stored.to_string();
            return Err(NotInEffect::NoSuchFile { file }.into());
        }
        Ok(Injected::confirmed(format!(
            "{} has no permissions; the service does not run as root (cannot tell whether it tried to read)",
            self.stored
        )))
    }

    async fn revert(&self, context: &Context<'_>) -> Result<String, Error> {
        let folder = context
            .backend
            .volume(&self.stored.service, &self.stored.volume)?;
        permissions::give_back(context, &folder).await?;
        Ok(format!("{} has its permissions again", self.stored))
    }
}
