//! When a service is ready.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use acceptance::Kind;
use firedrill::backend::{self, Spec};
use firedrill::scenario::System;
use serde_json::json;

/// A service whose port opens 800 ms after its start is ready when it listens, not when somebody accepts in its place.
pub(crate) async fn a_port_that_opens_late_is_not_ready_before(kind: Kind) {
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
    let spec = Spec {
        name: "app".into(),
        source: sources.remove("app").unwrap(),
        args: service.args.clone(),
        env: BTreeMap::new(),
        release: "v1".into(),
        port: service.port,
        ports: BTreeMap::new(),
        volumes: service.volumes.clone(),
        shares: BTreeMap::new(),
        restart: service.restart,
        limits: service.limits.clone(),
    };
    backend.create(spec).await.unwrap();
    let since = Instant::now();
    backend.start("app").await.unwrap();
    backend::ready(backend.as_ref(), "app", &service.ready)
        .await
        .unwrap();
    assert!(
        since.elapsed() >= Duration::from_millis(800),
        "{:?}",
        since.elapsed()
    );
    // The published port is served by then, too.
    let address = backend.address("app", None).unwrap();
    assert!(serves(address), "{address} does not answer");
    backend.clean().await.unwrap();
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
