//! The first phase of a drill: the services with their addresses, proxies and alert receiver, started in order, and the
//! seeded store.

use std::collections::BTreeMap;

use super::{Drill, Error, alerts, proxies};
use crate::backend::{self, Spec};
use crate::endpoint;
use firedrill_model::format;
use firedrill_model::history::Event;
use firedrill_model::scenario::{Build, Condition, Service, Template};
use firedrill_probe as probe;

impl Drill {
    /// Creates and starts the services and fills the store.
    pub(super) async fn prepare(&self) -> Result<Option<alerts::Receiver>, Error> {
        let (plan, backend) = (&self.order.plan, &self.order.backend);
        let receiver = self.alert_receiver().await?;
        for (name, service) in &plan.system.services {
            // All of them before any starts: each may be configured with the addresses of the others.
            backend.create(self.spec(name, service)?).await?;
        }
        for step in plan.scenario.steps.iter().filter(|step| step.fault.is_deploy()) {
            let (Some(service), Some(release)) = (step.fault.text("service"), step.fault.text("release"))
            else {
                continue;
            };
            if let Some(known) = plan.system.services.get(service) {
                let release = release.to_owned();
                backend
                    .fetch(&Spec {
                        release,
                        ..self.spec(service, known)?
                    })
                    .await?;
            }
        }
        // Before the services, which get a proxy's address in place of the service's behind it.
        proxies::start(plan, backend.as_ref(), self.order.seed, &self.steps.proxies).await?;
        for name in start_order(&plan.system.services) {
            let service = &plan.system.services[name];
            if service.starts {
                backend.start(name).await?;
                let endpoint = endpoint::for_readiness(plan, backend.as_ref(), name)?;
                backend::ready(backend.as_ref(), name, &service.ready, endpoint.as_ref()).await?;
                if service.ready.condition(service.port.is_some()) == Condition::Process {
                    let text = format!(
                        "{name} counts as ready because its process runs: it has no port, and `ready` names nothing else"
                    );
                    self.recorder.event(Event::Note { text })?;
                }
                let (release, what) = (service.release.clone(), service.build.to_string());
                self.recorder.event(Event::Service {
                    service: name.clone(),
                    release,
                    what,
                })?;
            }
        }
        if plan.scenario.seeded && plan.system.seed.is_some() {
            let entry = endpoint::of(plan, backend.as_ref(), plan.entry(), None)?;
            let stored = probe::seed(&self.users, entry, self.order.seed)
                .await
                .map_err(Error::Seed)?;
            self.recorder.event(Event::Note {
                text: format!(
                    "stored {}",
                    format::count(usize::try_from(stored).unwrap_or(usize::MAX), "record")
                ),
            })?;
        }
        Ok(receiver)
    }

    /// The alert receiver, for systems that use `{alerts}`.
    async fn alert_receiver(&self) -> Result<Option<alerts::Receiver>, Error> {
        if !self.order.plan.system.services.values().any(uses_alerts) {
            return Ok(None);
        }
        let (bind, host) = self.order.backend.host_for_services().await?;
        let receiver = alerts::Receiver::start(bind, host, self.recorder.clone())
            .await
            .map_err(Error::Alerts)?;
        self.order.backend.set_alerts_url(&receiver.url());
        // Set once a drill: prepare runs once.
        let _ = self.steps.alerts.set(receiver.switch());
        Ok(Some(receiver))
    }

    fn spec(&self, name: &str, service: &Service) -> Result<Spec, Error> {
        let source = self.order.sources.get(name).cloned();
        let source = source.ok_or_else(|| Error::NotBuilt {
            service: name.to_owned(),
        })?;
        Ok(Spec::of(name, service, source))
    }
}

/// Whether a service has the address of the alert receiver. The loader has checked its texts.
fn uses_alerts(service: &Service) -> bool {
    let command: &[String] = match &service.build {
        Build::Command(argv) => argv,
        _ => &[],
    };
    let texts = service.env.values().chain(&service.args).chain(command);
    let mut templates = texts.filter_map(|text| Template::parse(text).ok());
    templates.any(|template| template.placeholders().any(|name| name == "alerts"))
}

/// Services in the order in which they must start: those named in `after` first. The loader has refused cycles.
fn start_order(services: &BTreeMap<String, Service>) -> Vec<&String> {
    fn visit<'a>(
        name: &'a String,
        services: &'a BTreeMap<String, Service>,
        order: &mut Vec<&'a String>,
        depth: usize,
    ) {
        // A cycle is reported when the file is checked; here it must only end.
        if order.contains(&name) || depth > services.len() {
            return;
        }
        for before in services.get(name).into_iter().flat_map(|service| &service.after) {
            if let Some((before, _)) = services.get_key_value(before) {
                visit(before, services, order, depth + 1);
            }
        }
        order.push(name);
    }
    let mut order = Vec::new();
    for name in services.keys() {
        visit(name, services, &mut order, 0);
    }
    order
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Otherwise no receiver is started, and the address is empty.
    #[test]
    fn a_service_has_the_receiver_s_address_wherever_a_text_names_it() {
        let uses = |build: serde_json::Value, args: serde_json::Value, env: serde_json::Value| {
            let service = json!({ "build": build, "port": 80, "args": args, "env": env });
            uses_alerts(&serde_json::from_value(service).unwrap())
        };
        let plain = || json!({ "command": ["sender"] });
        assert!(!uses(plain(), json!([]), json!({})));
        assert!(uses(plain(), json!(["{alerts}"]), json!({})));
        assert!(uses(plain(), json!([]), json!({ "TO": "{alerts}" })));
        assert!(uses(
            json!({ "command": ["sender", "{alerts}"] }),
            json!([]),
            json!({})
        ));
    }
}
