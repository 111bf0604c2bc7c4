//! Rules about services that speak TLS.
//!
//! Takes a system; gives problems to the loader, which runs [`RULES`].

use std::net::IpAddr;

use super::super::document::at;
use super::super::problem::{Code, Problem};
use super::super::{Service, Tls};
use super::{InSystem, SystemRule, names};

/// All rules.
pub(super) const RULES: &[SystemRule] = &[ports, server_name, trust, files];

/// The services that speak TLS, with their names.
fn speaking<'a>(subject: &InSystem<'a>) -> impl Iterator<Item = (&'a String, &'a Service, &'a Tls)> {
    let services = subject.system.services.iter();
    services.filter_map(|(name, service)| Some((name, service, service.tls.as_ref()?)))
}

fn ports(subject: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, service, tls) in speaking(subject) {
        for (at, port) in tls.ports.iter().enumerate() {
            if let Err(unknown) = names::port(service, port) {
                found.push(unknown.at_value(subject.file, at!["service", name, "tls", "ports", at]));
            }
        }
    }
}

fn server_name(subject: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, _, tls) in speaking(subject) {
        let host = &tls.server_name;
        if host.parse::<IpAddr>().is_err() && !is_host_name(host) {
            let message = format!("`{host}` is not a host name or IP address");
            let path = at!["service", name, "tls", "server_name"];
            let problem = subject.file.value(Code::BadServerName, path, message);
            found
                .push(problem.help("use a name that the service's certificate is valid for, without a port"));
        }
    }
}

/// Whether a certificate can be for such a name (RFC 1123, 2.1; the underscore is common all the same).
fn is_host_name(host: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(fits);
    host.len() <= 253 && host.split('.').all(is_label)
}

fn trust(subject: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, _, tls) in speaking(subject) {
        if tls.ca.is_some() && !tls.verify {
            let path = at!["service", name, "tls", "ca"];
            let message = "`ca` has no effect with `verify = false`";
            let problem = subject.file.key(Code::CaWithoutVerify, path, message);
            found.push(problem.help("remove one of the two"));
        }
    }
}

fn files(subject: &InSystem<'_>, found: &mut Vec<Problem>) {
    for (name, _, tls) in speaking(subject) {
        let client = tls.client.as_ref();
        let files = [
            (&["ca"][..], tls.ca.as_ref()),
            (
                &["client", "certificate"],
                client.map(|client| &client.certificate),
            ),
            (&["client", "key"], client.map(|client| &client.key)),
        ];
        for (keys, file) in files {
            let Some(file) = file.filter(|file| !subject.folder.join(file).is_file()) else {
                continue;
            };
            let table = at!["service", name, "tls"];
            let keys: Vec<_> = keys.iter().map(|key| (*key).into()).collect();
            let path = [table, keys.as_slice()].concat();
            let message = format!("file {} does not exist", file.display());
            let problem = subject.file.value(Code::FileMissing, &path, message);
            found.push(problem.help("the path is relative to the system file"));
        }
    }
}
