//! Images for the engine: from static binaries alone, from a Dockerfile, or one that is there already.

use std::fs;
use std::path::PathBuf;

use futures::StreamExt;
use sha2::{Digest, Sha256};
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::query_parameters::{
    BuildImageOptionsBuilder, BuilderVersion, CreateImageOptionsBuilder,
};
use testcontainers::bollard::{Docker, body_full};
use testcontainers::core::BuildImageOptions;
use testcontainers::runners::AsyncBuilder;
use testcontainers::{GenericBuildableImage, GenericImage, Image as _};

use super::context::{Context, context};
use crate::backend::{Cause, Error, Source, Spec, Unsupported};
use firedrill_model::scenario::template;

/// The image of a service: named after what is in it, so that what is there already is used again.
pub(super) async fn image(client: &Docker, spec: &Spec) -> Result<GenericImage, Error> {
    let (source, service) = (&spec.source, spec.name.as_str());
    let failed = |cause: Cause| Error::Build {
        what: format!("the image of {service}"),
        cause,
    };
    let built = match source {
        Source::Binaries(binaries) => {
            // Reading megabytes and their digest would hold up whatever else is under way on this thread.
            let (service, binaries) = (service.to_owned(), binaries.clone());
            let made = tokio::task::spawn_blocking(move || scratch(&service, &binaries)).await;
            made.map_err(|error| failed(error.into()))?
                .map_err(|error| failed(error.into()))?
        }
        Source::Dockerfile(path) => {
            let context = context(path).await.map_err(|error| failed(error.into()))?;
            return build(client, context, service)
                .await
                .map_err(|error| failed(error.into()));
        }
        Source::Image(image) => {
            let image = template::render(image, |name| {
                (name == "release").then(|| spec.release.as_str().into())
            })
            .map_err(|error| failed(error.into()))?;
            let (name, tag) = image
                .rsplit_once(':')
                .filter(|(_, tag)| !tag.contains('/'))
                .unwrap_or((&image, "latest"));
            pull(client, name, tag)
                .await
                .map_err(|error| failed(error.into()))?;
            return Ok(GenericImage::new(name, tag));
        }
        Source::Command { .. } => {
            return Err(Unsupported::CommandInContainer.into());
        }
    };
    let options = BuildImageOptions::new().with_skip_if_exists(true);
    built
        .build_image_with(options)
        .await
        .map_err(|error| failed(error.into()))
}

/// Pulls an image that the engine does not have. As long as it takes: nothing is measured yet.
async fn pull(client: &Docker, name: &str, tag: &str) -> Result<(), EngineError> {
    match client.inspect_image(&format!("{name}:{tag}")).await {
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => {}
        found => return found.map(drop),
    }
    let options = CreateImageOptionsBuilder::new().from_image(name).tag(tag).build();
    let mut progress = client.create_image(Some(options), None, None);
    while let Some(step) = progress.next().await {
        step?;
    }
    Ok(())
}

/// The user that an image runs as; `None` for root, and for an image that the engine does not have yet.
pub(super) async fn image_user(client: &Docker, image: &GenericImage) -> Option<String> {
    let name = format!("{}:{}", image.name(), image.tag());
    let user = client.inspect_image(&name).await.ok()?.config?.user?;
    let is_root = matches!(user.split(':').next(), None | Some("" | "0" | "root"));
    (!is_root).then_some(user)
}

/// Builds a Dockerfile from its context. The tag is the context's digest: two contexts never share an image.
async fn build(client: &Docker, context: Context, service: &str) -> Result<GenericImage, EngineError> {
    let (name, tag) = (
        format!("firedrill/{service}"),
        hex(&Sha256::digest(&context.archive)),
    );
    let session = format!("{:032x}", rand::random::<u128>());
    let options = BuildImageOptionsBuilder::new()
        .dockerfile(&context.dockerfile)
        .t(&format!("{name}:{tag}"))
        .rm(true)
        .version(BuilderVersion::BuilderBuildKit)
        .session(&session)
        .build();
    let archive = body_full(context.archive.into());
    let mut building = client.build_image(options, None, Some(archive));
    while let Some(progress) = building.next().await {
        progress?;
    }
    Ok(GenericImage::new(name, tag))
}

/// The first 12 bytes of a digest, as names have it.
pub(super) fn hex(digest: &[u8]) -> String {
    digest
        .iter()
        .take(12)
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// An image made of nothing but static binaries: the first one is what it runs.
fn scratch(service: &str, binaries: &[(String, PathBuf)]) -> std::io::Result<GenericBuildableImage> {
    let mut digest = Sha256::new();
    let mut dockerfile = String::from("FROM scratch\nLABEL firedrill.image=1\n");
    for (name, path) in binaries {
        digest.update(fs::read(path)?);
        dockerfile.push_str(&format!("COPY --chmod=755 {name} /{name}\n"));
    }
    if let Some((main, _)) = binaries.first() {
        dockerfile.push_str(&format!("ENTRYPOINT [\"/{main}\"]\n"));
    }
    digest.update(&dockerfile);
    let image = GenericBuildableImage::new(format!("firedrill/{service}"), hex(&digest.finalize()))
        .with_dockerfile_string(dockerfile);
    Ok(binaries.iter().fold(image, |image, (name, path)| {
        image.with_file(path, format!("./{name}"))
    }))
}
