//! A real program that is no HTTP service: Redis, as Debian has it, ready when it answers a ping.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance::{Ended, Kind};

use crate::services::PATIENT;

const SYSTEM: &str = r#"
summary = "an app and the Redis that it would use"
entry = "app"

[service.app]
build = { package = { name = "shapes" } }
args = ["plain", "--listen", "{listen}", "--store", "{volume.data}/items"]
port = 8000
ready = { path = "/health", within = "30s" }
volumes = { data = "/data" }
after = ["redis"]

[service.redis]
build = BUILD
args = ["--bind", "{service.redis.host}", "--port", "{service.redis.port}", "--dir", "{volume.data}", "--protected-mode", "no"]
port = 6379
ready = { command = ["redis-cli", "-h", "{service.redis.host}", "-p", "{service.redis.port}", "ping"], within = "30s" }
volumes = { data = "/data" }
"#;

const SCENARIO: &str = r#"
summary = "Redis is killed, and started again half a second later"
system = "system.toml"

[[step]]
at = "200ms"
for = "500ms"
kill = { service = "redis" }

[expect]
journeys = { home = "may be down" }
logs = { redis = "Ready to accept connections" }
"#;

/// As an image of nothing but its programs and their libraries, as another user than root.
const DOCKERFILE: &str = "FROM scratch\nCOPY root/ /\nENTRYPOINT [\"/usr/bin/redis-server\"]\n";
const PROGRAMS: [&str; 2] = ["/usr/bin/redis-server", "/usr/bin/redis-cli"];

/// Why Redis cannot be drilled here.
pub(crate) fn no_redis() -> Option<String> {
    let missing = PROGRAMS.iter().find(|program| !Path::new(program).is_file())?;
    Some(format!("no {missing}: install redis-server"))
}

pub(crate) async fn redis_is_ready_when_it_answers_a_ping(kind: Kind) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let build = match kind {
        Kind::Docker => "{ dockerfile = \"Dockerfile\" }\nuser = \"1234:1234\"",
        _ => "{ command = [\"redis-server\"] }",
    };
    if kind == Kind::Docker {
        write("Dockerfile", DOCKERFILE);
        write(".dockerignore", "*\n!root\n");
        pack(&folder.path().join("root"));
    }
    let system = SYSTEM.replace("BUILD", build) + &acceptance::home("20/s", PATIENT);
    write("system.toml", &system);
    write("redis.toml", SCENARIO);
    let file = folder.path().join("redis.toml").display().to_string();
    let runs = folder.path().join("runs");
    let ended: Ended = acceptance::run(&runs, &["run", "--backend", &kind.to_string(), &file]);
    assert_eq!(ended.code, Some(0), "{ended}");
    let [run] = &acceptance::run_folders(&runs)[..] else {
        panic!("{ended}");
    };
    let log = std::fs::read_to_string(run.join("logs/redis.log")).unwrap();
    assert_eq!(log.matches("Ready to accept connections").count(), 2, "{log}");
}

/// Copies the programs and what they load to the same places below a folder.
fn pack(root: &Path) {
    let mut files: BTreeSet<PathBuf> = PROGRAMS.iter().map(PathBuf::from).collect();
    for program in PROGRAMS {
        let output = Command::new("ldd").arg(program).output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let paths = output.split_whitespace().filter(|word| word.starts_with('/'));
        files.extend(paths.map(PathBuf::from));
    }
    for file in files {
        let place = root.join(file.strip_prefix("/").unwrap());
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(&file, place).unwrap();
    }
}
