//! When a service is ready.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use acceptance::Kind;
use firedrill::backend::{self, Backend, Error, Spec};
use firedrill::scenario::{Ready, System};
use serde_json::json;
use tempfile::TempDir;

/// A created service whose port opens 800 ms after its start.
struct LatePort {
    backend: Arc<dyn Backend>,
    ready: Ready,
    _folder: TempDir,
}

impl LatePort {
    async fn create(kind: Kind) -> Self {
        let system: System = serde_json::from_value(json!({
            "summary": "a service that opens its port late",
            "service": { "app": {
                "build": { "package": { "name": "shapes" } }, "port": 8000,
                "args": ["late-port", "--listen", "{listen}", "--store", "{volume.store}/items"],
                "ready": { "within": "20s" }, "volumes": { "store": "/data" },
            } },
        }))
        .unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = backend::sources(&system, here, &|_| {}).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let run = format!("late-port-{:08x}", rand::random::<u32>());
        let backend = backend::open(kind, &run, folder.path()).await.unwrap();
        let service = &system.services["app"];
        let spec = Spec::of("app", service, sources.remove("app").unwrap());
        backend.create(spec).await.unwrap();
        Self {
            backend,
            ready: service.ready.clone(),
            _folder: folder,
        }
    }

    async fn ready(&self) -> Result<Duration, Error> {
        let endpoint = self.backend.address("app", None)?.into();
        backend::ready(self.backend.as_ref(), "app", &self.ready, Some(&endpoint)).await
    }
}

/// It is ready when it listens, not when somebody accepts in its place.
pub(crate) async fn a_port_that_opens_late_is_not_ready_before(kind: Kind) {
    let late = LatePort::create(kind).await;
    let since = Instant::now();
    late.backend.start("app").await.unwrap();
    late.ready().await.unwrap();
    assert!(
        since.elapsed() >= Duration::from_millis(800),
        "{:?}",
        since.elapsed()
    );
    // The published port is served by then, too.
    let address = late.backend.address("app", None).unwrap();
    assert!(serves(address), "{address} does not answer");
    late.backend.clean().await.unwrap();
}

/// Another program has taken the port, and accepts: nothing is known of the service, which then ends for want of its port.
pub(crate) async fn another_program_on_the_port_does_not_make_a_service_ready() {
    let late = LatePort::create(Kind::Process).await;
    let address = late.backend.address("app", None).unwrap();
    let _other = TcpListener::bind(address).unwrap();
    late.backend.start("app").await.unwrap();
    let error = late.ready().await.unwrap_err();
    assert!(matches!(error, Error::NotReady { .. }), "{error}");
    late.backend.clean().await.unwrap();
}

/// Whether somebody answers a request, and does not only accept it.
pub(crate) fn serves(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: app\r\n\r\n")
        .unwrap();
    stream.read(&mut [0; 16]).is_ok_and(|read| read > 0)
}
