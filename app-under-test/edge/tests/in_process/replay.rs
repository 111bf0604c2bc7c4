//! A repeated write is stored once, whichever failure occurs between storing and answering.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::common::{Simulated, broken, edge};
use bytes::Bytes;
use edge::body::Body;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tower::util::BoxCloneSyncService;

/// What goes wrong with one attempt, and when.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Fine,
    FailsBeforeStoring,
    BreaksBeforeStoring,
    FailsAfterStoring,
    BreaksAfterStoring,
    StaleAfterStoring,
    HangsAfterStoring,
}

fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        3 => Just(Failure::Fine),
        1 => Just(Failure::FailsBeforeStoring),
        1 => Just(Failure::BreaksBeforeStoring),
        1 => Just(Failure::FailsAfterStoring),
        1 => Just(Failure::BreaksAfterStoring),
        1 => Just(Failure::StaleAfterStoring),
        1 => Just(Failure::HangsAfterStoring),
    ]
}

/// The store that both releases share: what was written under which idempotency key.
#[derive(Debug, Default)]
struct Store {
    written: Vec<String>,
    keys: HashMap<String, usize>,
}

/// A release on the shared store that fails each attempt in the given way, in turn.
fn release(store: Arc<Mutex<Store>>, failures: Vec<Failure>) -> Simulated {
    let failures = Arc::new(Mutex::new(failures.into_iter().cycle()));
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Full<Bytes>>| {
        let (store, failures) = (Arc::clone(&store), Arc::clone(&failures));
        async move {
            let answer = |status: u16| Ok(Response::builder().status(status).body(Body::text("")).unwrap());
            if request.uri().path() == "/readyz" {
                return answer(200);
            }
            let key = request.headers()["idempotency-key"].to_str().unwrap().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let fate = failures.lock().unwrap().next().unwrap_or(Failure::Fine);
            match fate {
                Failure::FailsBeforeStoring => return answer(500),
                Failure::BreaksBeforeStoring => return Err(broken(false)),
                _ => {}
            }
            {
                let mut store = store.lock().unwrap();
                if !store.keys.contains_key(&key) {
                    let at = store.written.len();
                    store.written.push(String::from_utf8(body.to_vec()).unwrap());
                    store.keys.insert(key, at);
                }
            }
            match fate {
                Failure::FailsAfterStoring => answer(503),
                Failure::BreaksAfterStoring => Err(broken(false)),
                Failure::StaleAfterStoring => Err(broken(true)),
                Failure::HangsAfterStoring => std::future::pending().await,
                _ => answer(200),
            }
        }
    }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn a_write_is_stored_at_most_once_and_an_acknowledged_one_exactly_once(
        new in prop::collection::vec(failure(), 1..12),
        old in prop::collection::vec(failure(), 1..12),
        writes in 1usize..12,
        settle in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Arc::new(Mutex::new(Store::default()));
            let settle = if settle { "watch.settle = \"1ms\"" } else { "" };
            let edge = edge(
                release(Arc::clone(&store), old),
                release(Arc::clone(&store), new),
                &format!("proxy.deadline = \"3ms\"\nproxy.give_up = \"12ms\"\n{settle}"),
            );
            edge.deploy().await;
            let mut acknowledged = Vec::new();
            for n in 0..writes {
                let body = Full::new(Bytes::from(format!("write {n}")));
                let request = Request::post("http://edge/").body(body).unwrap();
                let answer = edge.proxy.answer(request).await;
                if answer.status().is_success() {
                    acknowledged.push(format!("write {n}"));
                }
            }
            let written = store.lock().unwrap().written.clone();
            let times = |what: &String| written.iter().filter(|written| *written == what).count();
            for n in 0..writes {
                prop_assert!(times(&format!("write {n}")) <= 1, "write {} in {:?}", n, written);
            }
            for what in &acknowledged {
                prop_assert_eq!(times(what), 1);
            }
            Ok(())
        })?;
    }
}
