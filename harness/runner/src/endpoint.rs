//! How the services of a plan are asked: with TLS or without, in which version of HTTP.

use std::net::SocketAddr;

use crate::Plan;
use crate::backend::{Backend, Error};
use firedrill_probe::Endpoint;

/// A service at its own address.
pub(crate) fn of(
    plan: &Plan,
    backend: &dyn Backend,
    name: &str,
    port: Option<&str>,
) -> Result<Endpoint, Error> {
    at(plan, backend.address(name, port)?, name, port)
}

/// A service as its readiness page is asked for; `None` where it has none.
pub(crate) fn for_readiness(
    plan: &Plan,
    backend: &dyn Backend,
    name: &str,
) -> Result<Option<Endpoint>, Error> {
    let service = plan.system.services.get(name);
    let ready = service
        .map(|service| &service.ready)
        .filter(|ready| ready.path.is_some());
    ready
        .map(|ready| of(plan, backend, name, ready.port.as_deref()))
        .transpose()
}

/// A service at an address: its own, or that of a proxy in front of it.
pub(crate) fn at(
    plan: &Plan,
    address: SocketAddr,
    name: &str,
    port: Option<&str>,
) -> Result<Endpoint, Error> {
    let service = plan.system.services.get(name);
    let service = service.ok_or_else(|| Error::NoSuchService(name.to_owned()))?;
    Endpoint::new(address, service, port, &plan.folder).map_err(|source| Error::Endpoint {
        service: name.to_owned(),
        source,
    })
}
