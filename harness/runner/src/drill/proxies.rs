//! Starting a proxy on each link that a drill's steps act on, before any service starts. Other links stay direct.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::{Error, derive};
use crate::Plan;
use crate::backend::{self, Backend};
use crate::endpoint;
use firedrill_probe::{Commands, Endpoint, ProcessorTime, Reach};
use firedrill_proxy::{Protocol, Proxies, Proxy, Route, USER};

/// A port that is free on 127.0.0.1 may be in use on another address; so many are tried.
const ATTEMPTS: usize = 5;

/// Starts the proxies of a plan, and gives the backend the URLs of those between services.
pub(super) async fn start(
    plan: &Plan,
    backend: &dyn Backend,
    seed: u64,
    proxies: &Proxies,
) -> Result<(), Error> {
    for (route, protocol) in routes(plan) {
        let port = route.port.as_deref();
        let upstream = backend.address(&route.to, port)?;
        // The prober is a process of this machine. A service may be in a container, where loopback is its own.
        let (bind, host) = if route.from == USER {
            (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.to_string())
        } else {
            backend.host_for_services().await?
        };
        // A seed for each link, so that its random choices do not depend on which other links exist.
        let seed = derive(seed, &format!("link {route}"));
        let proxy = open(bind, upstream, protocol, seed).await?;
        if route.from != USER {
            let tls = plan.system.services.get(&route.to);
            let tls = tls.is_some_and(|service| service.tls_at(port).is_some());
            let url = format!("{}://{host}:{}", backend::scheme(tls), proxy.address().port());
            backend.set_link_url(&route.from, &route.to, port, &url);
        }
        proxies.add(route, proxy);
    }
    Ok(())
}

/// Where and how users reach each service that a journey asks, and how their commands run.
pub(super) fn reach(
    plan: &Plan,
    backend: &Arc<dyn Backend>,
    proxies: &Proxies,
    time: ProcessorTime,
) -> Result<Reach, Error> {
    let journeys = plan.system.journeys.iter();
    let asked: BTreeSet<_> = journeys
        .flat_map(|journey| journey.reaches(plan.entry()))
        .collect();
    let services = asked.into_iter().map(|(service, port)| {
        let endpoint = for_users(plan, (&service, port.as_deref()), backend.as_ref(), proxies)?;
        Ok(((service, port), endpoint))
    });
    let labelling = Arc::clone(backend);
    Ok(Reach {
        entry: for_users(plan, (plan.entry(), None), backend.as_ref(), proxies)?,
        services: services.collect::<Result<_, Error>>()?,
        commands: Commands {
            folder: plan.folder.clone(),
            label: Arc::new(move |command| labelling.label(command)),
            time,
        },
    })
}

/// Where and how users reach a service: at its own address, or at that of the proxy in front of it.
fn for_users(
    plan: &Plan,
    (service, port): (&str, Option<&str>),
    backend: &dyn Backend,
    proxies: &Proxies,
) -> Result<Endpoint, Error> {
    let route = Route {
        from: USER.into(),
        to: service.into(),
        port: port.map(str::to_owned),
    };
    let address = match proxies.get(&route) {
        Ok(proxy) => proxy.address(),
        // No step acts on the users' link.
        Err(_) => backend.address(service, port)?,
    };
    Ok(endpoint::at(plan, address, service, port)?)
}

/// The links that steps name. One HTTP fault among several makes its proxy parse HTTP.
fn routes(plan: &Plan) -> BTreeMap<Route, Protocol> {
    let mut routes = BTreeMap::new();
    for fault in &plan.faults {
        if let Some((route, protocol)) = fault.link() {
            let known = routes.entry(route).or_insert(protocol);
            // One proxy serves all faults of a link: HTTP can do what TCP does, not the reverse.
            *known = protocol.max(*known);
        }
    }
    routes
}

/// Starts a proxy at a port that stays reserved while the proxy refuses connections.
async fn open(bind: IpAddr, upstream: SocketAddr, protocol: Protocol, seed: u64) -> Result<Proxy, Error> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let listen = backend::reserve_port().map(|port| SocketAddr::new(bind, port));
        let listen = listen.map_err(|source| firedrill_proxy::Error::Listen {
            address: SocketAddr::new(bind, 0),
            source: Arc::new(source),
        })?;
        let proxy = Proxy::builder(upstream)
            .listen(listen)
            .protocol(protocol)
            .seed(seed);
        match proxy.start().await {
            Ok(proxy) => return Ok(proxy),
            Err(firedrill_proxy::Error::Listen { source, .. })
                // Another program may have taken the port since it was found free.
                if source.kind() == std::io::ErrorKind::AddrInUse && attempts < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
}
