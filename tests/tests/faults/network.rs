//! Faults of the network: a link between users and the service, on each backend. What each toxic does in detail is
//! tested with the links themselves; here it is the fault, from its words in a scenario to what a user gets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use firedrill::fault::{Fault, HitCount};
use firedrill::proxy::{Protocol, Proxy, Route};
use firedrill::wait::{self, Poll};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::{Kind, Stage, fault};

/// What a fault of a link does to an exchange.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// The answer is right, and ends no sooner than this.
    Delays,
    /// Not a byte comes.
    Silences,
    /// What comes is not right.
    Spoils,
}
use Does::{Delays, Silences, Spoils};

/// Longer than anything takes by itself, and so that the faults below last longer still.
const LATE: Duration = Duration::from_millis(250);
/// A user waits no longer.
const PATIENCE: Duration = Duration::from_secs(2);

proves! {
    "latency" latency_makes_late: |kind, name| link(kind, name, json!({ "delay": "400ms" }), Delays);
    "bandwidth" a_thin_line_makes_late: |kind, name| link(kind, name, json!({ "per_second": "500B" }), Delays);
    "slice" pieces_make_late: |kind, name| link(kind, name, json!({ "size": "16B", "gap": "40ms" }), Delays);
    "slow-close" a_slow_close_is_waited_for: |kind, name| link(kind, name, json!({ "delay": "400ms" }), Delays);
    "blackhole" a_blackhole_silences: |kind, name| link(kind, name, json!({}), Silences);
    "reset" a_reset_silences: |kind, name| link(kind, name, json!({}), Silences);
    "refuse" a_closed_port_silences: |kind, name| link(kind, name, json!({}), Silences);
    "data-limit" a_data_limit_cuts_answers_short: |kind, name| link(kind, name, json!({ "bytes": "40B" }), Spoils);
    "http-status" a_status_is_answered_in_the_services_place: |kind, name| link(kind, name, json!({ "status": 503 }), Spoils);
    "http-delay" a_held_request_is_late: |kind, name| link(kind, name, json!({ "delay": "400ms" }), Delays);
    "http-garble" a_body_is_garbled: |kind, name| link(kind, name, json!({}), Spoils);
    "http-drop-header" a_header_is_lost: |kind, name| link(kind, name, json!({ "header": "x-release" }), Spoils);
}

/// One exchange on a connection of its own: what came, and after how long the last of it.
struct Exchange {
    answer: String,
    took: Duration,
}

impl Exchange {
    /// The front page, with its form and the release it is of.
    fn is_right(&self) -> bool {
        let answer = self.answer.to_lowercase();
        answer.starts_with("http/1.1 200") && answer.contains("x-release: v3") && answer.contains("<form")
    }

    fn shows(&self, does: Does) -> bool {
        match does {
            Delays => self.is_right() && self.took >= LATE,
            Silences => self.answer.is_empty(),
            Spoils => !self.answer.is_empty() && !self.is_right(),
        }
    }
}

async fn exchange(address: SocketAddr) -> Exchange {
    let since = Instant::now();
    let mut answer = Vec::new();
    let talk = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n")
            .await?;
        stream.read_to_end(&mut answer).await
    };
    // A user who gives up, or is turned away, has what came until then.
    let _ = tokio::time::timeout(PATIENCE, talk).await;
    Exchange {
        answer: String::from_utf8_lossy(&answer).into_owned(),
        took: since.elapsed(),
    }
}

/// The service with a link before it, laid as a drill lays it.
async fn linked(kind: Kind, fault: &dyn Fault) -> Option<(Stage, Arc<Proxy>)> {
    let stage = Stage::of(kind, "v3", &[fault]).await?;
    let (route, protocol): (Route, Protocol) = fault.link().unwrap();
    let free = (Ipv4Addr::LOCALHOST, firedrill::backend::reserve_port().unwrap());
    let proxy = Proxy::builder(stage.address())
        .listen(free.into())
        .protocol(protocol)
        .seed(7);
    stage.proxies.add(route.clone(), proxy.start().await.unwrap());
    let link = stage.proxies.get(&route).unwrap();
    Some((stage, link))
}

async fn link(kind: Kind, name: &str, mut params: Value, does: Does) {
    params["to"] = "app".into();
    let fault = fault(name, params);
    let fault = fault.as_ref();
    let Some((stage, link)) = linked(kind, fault).await else {
        return;
    };
    let hits = || fault.hits(&stage.context(0)).unwrap();
    let before = exchange(link.address()).await;
    assert!(before.is_right(), "before: {}", before.answer);

    let evidence = stage.inject(0, fault).await;
    let during = exchange(link.address()).await;
    let Exchange { answer, took } = &during;
    assert!(during.shows(does), "{does:?}, {evidence}: {took:?}, {answer:?}");
    let HitCount {
        network, complete, ..
    } = hits();
    assert!(!complete || !network.is_empty(), "what it hit is counted");

    // Reverted twice is reverted once.
    stage.revert(0, fault).await;
    stage.revert(0, fault).await;
    let hit = hits();
    let well = async || {
        let after = exchange(link.address()).await;
        match after.is_right() && after.took < LATE {
            true => Poll::Done(()),
            false => Poll::<(), String>::NotYet(format!("{:?}, {:?}", after.took, after.answer)),
        }
    };
    let restored = wait::until("answers as before", Duration::from_secs(20), well).await;
    restored.unwrap();
    assert_eq!(hits(), hit, "it hits nothing more");
    stage.close().await;
}
