//! The example in `examples/redis`, on the Redis of this machine: as a local process, and in an image made of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance::Kind;
use firedrill::sample::Outcome;
use testcontainers::GenericBuildableImage;
use testcontainers::bollard::query_parameters::RemoveImageOptions;
use testcontainers::runners::AsyncBuilder as _;

use crate::drills::{run, samples};

/// Why Redis cannot be drilled here.
pub(crate) fn no_redis() -> Option<String> {
    ["redis-server", "redis-cli"]
        .into_iter()
        .find_map(|program| match path_of(program) {
            Some(_) => None,
            None => Some(format!("no {program}")),
        })
}

fn path_of(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&folders).map(|folder| folder.join(program));
    let mut found = found.filter(|path| path.is_file());
    // Debian's is a link to one program of many names.
    found.next()?.canonicalize().ok()
}

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

/// An image with nothing but this machine's Redis and the libraries that it is linked with.
async fn make_image(name: &str) {
    let server = path_of("redis-server").unwrap();
    let mut image = GenericBuildableImage::new(name, "7").with_file(server, "redis-server");
    let mut text = String::from("FROM scratch\nCOPY --chmod=755 redis-server /redis-server\n");
    for (at, library) in libraries(&path_of("redis-server").unwrap()).iter().enumerate() {
        let file = format!("library-{at}");
        text += &format!("COPY --chmod=755 {file} {}\n", library.display());
        image = image.with_file(library.canonicalize().unwrap(), file);
    }
    text += "ENTRYPOINT [\"/redis-server\"]\n";
    let _ = image.with_dockerfile_string(text).build_image().await.unwrap();
}

/// The libraries of a program, where the loader looks for them.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let paths = listed.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}
