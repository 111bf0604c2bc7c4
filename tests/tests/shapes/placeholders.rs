//! The parts of another service's address, and a program that lies beside the system file.

use acceptance::{Ended, Kind};
use testcontainers::GenericBuildableImage;
use testcontainers::bollard::query_parameters::RemoveImageOptions;
use testcontainers::runners::AsyncBuilder as _;

use crate::services::PATIENT;
use crate::volumes::binaries;

const ADDRESSES: &str = r#"
summary = "a service that logs how it reaches another one"
entry = "app"

[service.db]
build = { package = { name = "shapes" } }
args = ["echo", "--listen", "{listen}", "--store", "{volume.data}/items"]
port = 5432
ports = { admin = 5433 }
volumes = { data = "/data" }

[service.app]
build = { package = { name = "shapes" } }
args = ["echo", "--listen", "{listen}", "--store", "{volume.data}/items"]
port = 8000
ready = { path = "/", within = "30s" }
volumes = { data = "/data" }
after = ["db"]

[service.app.env]
URL = "{service.db}"
ADDRESS = "{service.db.address}"
PARTS = "{service.db.host}:{service.db.port}"
ADMIN = "http://{service.db.admin.host}:{service.db.admin.port}"
ADMIN_URL = "{service.db.admin}"
"#;

/// A kill, and a new start.
const KILL: &str = "for = \"500ms\"\nkill = { service = \"app\" }";
const DEPLOY: &str = "deploy = { service = \"app\", release = \"v2\" }";

/// Whole and in parts, the address is the same.
pub(crate) async fn a_service_gets_the_parts_of_an_address(kind: Kind) {
    let log = log_of(kind, ADDRESSES, KILL);
    let variable = |name: &str| {
        let (_, rest) = log
            .split_once(&format!("(\"{name}\", \""))
            .unwrap_or_else(|| panic!("{name}: {log:.2000}"));
        rest.split('"').next().unwrap().to_owned()
    };
    let address = variable("ADDRESS");
    assert_eq!(variable("URL"), format!("http://{address}"));
    assert_eq!(variable("PARTS"), address);
    assert_eq!(variable("ADMIN"), variable("ADMIN_URL"));
    assert_ne!(variable("ADMIN_URL"), variable("URL"));
    let port = address.rsplit_once(':').unwrap().1;
    assert!(port.parse::<u16>().is_ok(), "{address}");
}

const COMMAND: &str = r#"
summary = "a program beside the system file"

[service.app]
build = { command = ["python3", "app/server.py", "{folder}"] }
args = ["{listen}"]
release = "v1"
port = 8000
ready = { path = "/", within = "30s" }
env = { LANG = "of the file" }
"#;

const SERVER: &str = r#"
import http.server, os, sys

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

folder, (host, port) = sys.argv[1], sys.argv[2].split(":")
print(folder == os.getcwd(), open("app/page.txt").read(), sorted(os.environ.items()), flush=True)
http.server.ThreadingHTTPServer((host, int(port)), Page).serve_forever()
"#;

/// `python3` is found in PATH, the program and its page in the folder of the system file, and of the environment there is
/// what interpreters need.
pub(crate) async fn a_command_runs_beside_the_system_file() {
    let log = log_of(Kind::Process, COMMAND, KILL);
    assert!(log.contains("True it works ["), "{log:.2000}");
    assert!(log.contains("('LANG', 'of the file')"), "{log:.2000}");
    assert!(log.contains("('TZ', 'Europe/Berlin')"), "{log:.2000}");
    assert!(log.contains("('PATH', "), "{log:.2000}");
    assert!(!log.contains("NOT_FOR_SERVICES"), "{log:.2000}");
}

const IMAGE: &str = r#"
summary = "an image for each release"

[service.app]
build = { image = "NAME:{release}" }
args = ["echo", "--listen", "{listen}", "--store", "{volume.data}/items"]
release = "v1"
port = 8000
ready = { path = "/", within = "30s" }
volumes = { data = "/data" }
"#;

/// The release that is deployed is the image of that name.
pub(crate) async fn a_release_may_be_an_image() {
    let name = format!("firedrill-test-{}", std::process::id());
    let binaries = binaries().await;
    let shapes = &binaries[0].1;
    for release in ["v1", "v2"] {
        let image = GenericBuildableImage::new(&name, release).with_file(shapes, "shapes");
        let text = format!(
            "FROM scratch\nCOPY --chmod=755 shapes /shapes\nENV IMAGE={release}\nENTRYPOINT [\"/shapes\"]\n"
        );
        let _ = image.with_dockerfile_string(text).build_image().await.unwrap();
    }
    let log = log_of(Kind::Docker, &IMAGE.replace("NAME", &name), DEPLOY);
    let engine = testcontainers::core::client::docker_client_instance()
        .await
        .unwrap();
    for release in ["v1", "v2"] {
        assert!(
            log.contains(&format!("(\"IMAGE\", \"{release}\")")),
            "{release}: {log:.2000}"
        );
        engine
            .remove_image(&format!("{name}:{release}"), None::<RemoveImageOptions>, None)
            .await
            .unwrap();
    }
}

/// The log of `app` after a drill, which must be met.
fn log_of(kind: Kind, system: &str, fault: &str) -> String {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "system.toml",
        &(system.to_owned() + &acceptance::home("20/s", PATIENT)),
    );
    let step = format!("[[step]]\nat = \"200ms\"\n{fault}\n");
    let expect = "[expect]\njourneys = { home = \"may be down\" }\n";
    write(
        "parts.toml",
        &format!("summary = \"one step\"\nsystem = \"system.toml\"\n{step}{expect}"),
    );
    std::fs::create_dir(folder.path().join("app")).unwrap();
    write("app/server.py", SERVER);
    write("app/page.txt", "it works");
    let runs = folder.path().join("runs");
    let (backend, file) = (kind.to_string(), folder.path().join("parts.toml"));
    let ended: Ended = acceptance::command(
        &runs,
        &["run", "--backend", &backend, &file.display().to_string()],
    )
    .env("TZ", "Europe/Berlin")
    .env("NOT_FOR_SERVICES", "1")
    .output()
    .unwrap()
    .into();
    assert_eq!(ended.code, Some(0), "{ended}");
    let [run] = &acceptance::run_folders(&runs)[..] else {
        panic!("{ended}");
    };
    std::fs::read_to_string(run.join("logs/app.log")).unwrap()
}
