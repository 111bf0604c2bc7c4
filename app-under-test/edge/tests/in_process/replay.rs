//! A replayed write happens once, whatever fails between "stored" and "answered".

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::common::{Made, broken, edge};
use bytes::Bytes;
use edge::body::Body;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tower::util::BoxCloneSyncService;

/// What goes wrong with one try, and when.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Fine,
    FailsBeforeStoring,
    BreaksBeforeStoring,
    FailsAfterStoring,
    BreaksAfterStoring,
    StaleAfterStoring,
    HangsAfterStoring,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        3 => Just(Fate::Fine),
        1 => Just(Fate::FailsBeforeStoring),
        1 => Just(Fate::BreaksBeforeStoring),
        1 => Just(Fate::FailsAfterStoring),
        1 => Just(Fate::BreaksAfterStoring),
        1 => Just(Fate::StaleAfterStoring),
        1 => Just(Fate::HangsAfterStoring),
    ]
}

/// The store that both releases share: what was written, and under which key, as a service keeps them that honours
/// idempotency keys.
#[derive(Debug, Default)]
struct Store {
    written: Vec<String>,
    keys: HashMap<String, usize>,
}

/// A release over the shared store, with one fate a try, in turn.
fn release(store: Arc<Mutex<Store>>, fates: Vec<Fate>) -> Made {
    let fates = Arc::new(Mutex::new(fates.into_iter().cycle()));
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Full<Bytes>>| {
        let (store, fates) = (Arc::clone(&store), Arc::clone(&fates));
        async move {
            let answer = |status: u16| Ok(Response::builder().status(status).body(Body::text("")).unwrap());
            if request.uri().path() == "/readyz" {
                return answer(200);
            }
            let key = request.headers()["idempotency-key"].to_str().unwrap().to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let fate = fates.lock().unwrap().next().unwrap_or(Fate::Fine);
            match fate {
                Fate::FailsBeforeStoring => return answer(500),
                Fate::BreaksBeforeStoring => return Err(broken(false)),
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
                Fate::FailsAfterStoring => answer(503),
                Fate::BreaksAfterStoring => Err(broken(false)),
                Fate::StaleAfterStoring => Err(broken(true)),
                Fate::HangsAfterStoring => std::future::pending().await,
                _ => answer(200),
            }
        }
    }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn a_write_is_stored_at_most_once_and_an_acknowledged_one_exactly_once(
        new in prop::collection::vec(fate(), 1..12),
        old in prop::collection::vec(fate(), 1..12),
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
                let request = Request::post("/").body(body).unwrap();
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
