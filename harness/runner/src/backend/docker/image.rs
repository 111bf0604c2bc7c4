//! Images for the engine: from static binaries alone, from a Dockerfile, or one that is there already.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::PoisonError;

use futures::StreamExt;
use sha2::{Digest, Sha256};
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::query_parameters::{
    BuildImageOptionsBuilder, BuilderVersion, CreateImageOptionsBuilder,
};
use testcontainers::bollard::{Docker, body_full};
use testcontainers::core::BuildImageOptions;
use testcontainers::runners::AsyncBuilder;
use testcontainers::{GenericBuildableImage, Image as _};

use super::Containers;
use super::context::{Context, context};
use crate::backend::{Cause, Error, Source, Spec, Unsupported};
use firedrill_model::scenario::template::{self, TemplateError};

impl Containers {
    /// The image of a service as it is to run. Made once a run: a deploy is timed, and must find it there.
    pub(super) async fn image(&self, spec: &Spec) -> Result<String, Error> {
        let release = match &spec.source {
            // What we built is one image for all releases.
            Source::Binaries(_) => "",
            _ => &spec.release,
        };
        let images = || self.images.lock().unwrap_or_else(PoisonError::into_inner);
        let known = (images().iter())
            .find(|(source, of, _)| *source == spec.source && of == release)
            .map(|(.., image)| image.clone());
        if let Some(known) = known {
            return Ok(known);
        }
        let image = image(&self.client, spec).await?;
        images().push((spec.source.clone(), release.to_owned(), image.clone()));
        Ok(image)
    }
}

/// The name of a service's image, once it is there: named after what is in it, so that what is there already is used again.
async fn image(client: &Docker, spec: &Spec) -> Result<String, Error> {
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
        Source::Dockerfile(file) => {
            let context = context(&file.path, file.context()).await;
            let context = context.map_err(|error| failed(error.into()))?;
            let args = file.args.iter();
            let args = args.map(|(name, value)| Ok((name.clone(), of_release(value, spec)?)));
            let args = args.collect::<Result<_, _>>();
            let args = args.map_err(|error: TemplateError| failed(error.into()))?;
            return build(client, context, (file.target.as_deref(), &args), service)
                .await
                .map_err(|error| failed(error.into()));
        }
        Source::Image(image) => {
            let image = of_release(image, spec).map_err(|error| failed(error.into()))?;
            let (name, tag) = image
                .rsplit_once(':')
                .filter(|(_, tag)| !tag.contains('/'))
                .unwrap_or((&image, "latest"));
            pull(client, name, tag)
                .await
                .map_err(|error| failed(error.into()))?;
            return Ok(format!("{name}:{tag}"));
        }
        Source::Command { .. } => {
            return Err(Unsupported::CommandInContainer.into());
        }
    };
    let options = BuildImageOptions::new().with_skip_if_exists(true);
    let image = built.build_image_with(options).await;
    let image = image.map_err(|error| failed(error.into()))?;
    Ok(format!("{}:{}", image.name(), image.tag()))
}

/// A template over `{release}`, with the release of a service.
fn of_release(text: &str, spec: &Spec) -> Result<String, TemplateError> {
    template::render(text, |name| {
        (name == "release").then(|| spec.release.as_str().into())
    })
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

/// The user other than root that a service's container runs as, whose folders are not the harness's. What we built runs as
/// the harness, unless the system file names another user.
pub(super) async fn other_user(client: &Docker, spec: &Spec, image: &str) -> Option<String> {
    let user = match (&spec.user, &spec.source) {
        (Some(user), _) => Some(user.clone()),
        (None, Source::Binaries(_)) => None,
        // An image that cannot be inspected counts as root's: its container shows what is wrong.
        (None, _) => client.inspect_image(image).await.ok()?.config?.user,
    };
    user.filter(|user| !matches!(user.split(':').next(), None | Some("" | "0" | "root")))
}

/// Builds a Dockerfile from its context. The tag is the digest of everything that the image depends on here: two contexts, two
/// stages or two releases with other arguments never share an image.
async fn build(
    client: &Docker,
    context: Context,
    (target, args): (Option<&str>, &HashMap<String, String>),
    service: &str,
) -> Result<String, EngineError> {
    let mut digest = Sha256::new();
    let sorted = BTreeMap::from_iter(args);
    // As one text in which no part can be taken for another.
    digest.update(format!("{:?}", (&context.dockerfile, target, sorted)));
    digest.update(&context.archive);
    let name = format!("firedrill/{service}:{}", hex(&digest.finalize()));
    let session = format!("{:032x}", rand::random::<u128>());
    let mut options = BuildImageOptionsBuilder::new()
        .dockerfile(&context.dockerfile)
        .t(&name)
        .rm(true)
        .buildargs(args)
        .version(BuilderVersion::BuilderBuildKit)
        .session(&session);
    if let Some(target) = target {
        options = options.target(target);
    }
    let options = options.build();
    let archive = body_full(context.archive.into());
    let mut building = client.build_image(options, None, Some(archive));
    while let Some(progress) = building.next().await {
        progress?;
    }
    Ok(name)
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
