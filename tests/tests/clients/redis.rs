//! The example in `examples/redis`, on the Redis of this machine: as a local process, and in an image made of it.

use std::path::{Path, PathBuf};

use acceptance::{Kind, redis};
use firedrill::sample::Outcome;
use testcontainers::GenericBuildableImage;
use testcontainers::bollard::query_parameters::RemoveImageOptions;
use testcontainers::runners::AsyncBuilder as _;

use crate::drills::{run, samples};

/// Both scenarios of the example, as they lie in the repository; in containers with the lines that its comment names.
pub(crate) async fn redis_is_killed_and_cut_off(kind: Kind) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let example = acceptance::workspace().join("examples/redis");
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    let image = format!("firedrill-test-redis-{}", std::process::id());
    // Only what is not answered counts here: a busy machine makes answers late.
    let patient = read("systems/redis.toml").replace("\"1s\"", "\"5s\"");
    let mut system = patient.replace("\"2s\"", "\"6s\"");
    if kind == Kind::Docker {
        make_image(&image).await;
        system = system
            .replace(
                "{ command = [\"redis-server\"] }",
                &format!("{{ image = \"{image}:7\" }}"),
            )
            // In a container, loopback is its own.
            .replace("\"--bind\", \"127.0.0.1\"", "\"--protected-mode\", \"no\"");
    }
    std::fs::create_dir(folder.path().join("systems")).unwrap();
    std::fs::write(folder.path().join("systems/redis.toml"), system).unwrap();
    for name in ["killed.toml", "link-lost.toml"] {
        let path = folder.path().join(name);
        std::fs::write(&path, read(name)).unwrap();
        let (ended, history) = run(kind, &path, &folder.path().join(name).with_extension("runs"));
        assert_eq!(ended.code, Some(0), "{ended}");
        let history = history.unwrap();
        for journey in ["write and read", "by the client"] {
            let up = |outcome: Outcome| outcome == Outcome::Good;
            let samples = samples(&history, journey);
            assert!(
                samples.iter().any(|sample| up(sample.outcome)),
                "{journey}: {ended}"
            );
        }
    }
    if kind == Kind::Docker {
        let engine = testcontainers::core::client::docker_client_instance()
            .await
            .unwrap();
        let image = format!("{image}:7");
        let removed = engine.remove_image(&image, None::<RemoveImageOptions>, None);
        removed.await.unwrap();
    }
}

/// An image of this machine's Redis.
async fn make_image(name: &str) {
    let image = GenericBuildableImage::new(name, "7").with_dockerfile_string(redis::DOCKERFILE);
    let add = |image: GenericBuildableImage, (file, place): (PathBuf, PathBuf)| {
        image.with_file(file, Path::new("root").join(place).display().to_string())
    };
    let image = redis::files().into_iter().fold(image, add);
    let _ = image.build_image().await.unwrap();
}
