//! A real program that is no HTTP service: Redis, as Debian has it, ready when it answers a ping.

use acceptance::Kind;
use acceptance::redis::{self, DOCKERFILE};

use crate::services::{files, run};

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

pub(crate) async fn redis_is_ready_when_it_answers_a_ping(kind: Kind) {
    let build = match kind {
        Kind::Docker => "{ dockerfile = \"Dockerfile\" }\nuser = \"1234:1234\"",
        _ => "{ command = [\"redis-server\"] }",
    };
    let folder = files(&SYSTEM.replace("BUILD", build), SCENARIO);
    if kind == Kind::Docker {
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("Dockerfile", DOCKERFILE);
        write(".dockerignore", "*\n!root\n");
        for (file, place) in redis::files() {
            let place = folder.path().join("root").join(place);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::copy(file, place).unwrap();
        }
    }
    let ended = run(&folder, kind);
    assert_eq!(ended.code, Some(0), "{ended}");
    let [run] = &acceptance::run_folders(&folder.path().join("runs"))[..] else {
        panic!("{ended}");
    };
    let log = std::fs::read_to_string(run.join("logs/redis.log")).unwrap();
    assert_eq!(log.matches("Ready to accept connections").count(), 2, "{log}");
}
