//! Which requests may read the page: those that name this server, over a connection that may.
//!
//! A browser sends the name in the address bar as `Host`, also if that name leads here only because another site's name
//! server says so. A page that answered to any name could be read by that site's script.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap};

/// The names that the page is served under.
#[derive(Debug)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// Takes the names of `--http-host`.
    pub(super) fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| normal(name).to_owned()).collect())
    }

    /// Returns whether a request may read the page. Without `--http-host`, only a loopback connection may, under a loopback
    /// name: an address for a scraper does not publish the page.
    pub(super) fn allow(&self, headers: &HeaderMap, local: Option<IpAddr>) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let Some(host) = host.to_str().ok().and_then(without_port) else {
            return false;
        };
        let host = host.to_ascii_lowercase();
        let host = normal(&host);
        if self.0.iter().any(|name| name == host) {
            return true;
        }
        local.is_some_and(|local| local.to_canonical().is_loopback()) && is_loopback(host)
    }
}

/// Parses a name for `--http-host`.
pub(super) fn http_host(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_address = normal(&name).parse::<IpAddr>().is_ok();
    if is_address || (!name.is_empty() && name.bytes().all(is_name)) {
        Ok(name)
    } else {
        Err(format!(
            "'{text}' is not the name or the address of a host, without a scheme and a port"
        ))
    }
}

/// Returns the host of a `Host` header. `None` if it has no valid form.
fn without_port(host: &str) -> Option<&str> {
    let end = match host.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (host, port) = host.split_at_checked(end)?;
    let digits = port.strip_prefix(':').unwrap_or(port);
    let is_port = port.is_empty() || (port.len() > 1 && port.starts_with(':'));
    (is_port && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(host)
}

/// Returns a host without the brackets of an address and the dot at the end of a name.
fn normal(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or_else(|| host.strip_suffix('.').unwrap_or(host))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn allows(names: &[&str], local: &str, hosts: &[&str]) -> bool {
        let names: Vec<String> = names.iter().map(|name| http_host(name).unwrap()).collect();
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_str(host).unwrap());
        }
        Hosts::new(&names).allow(&headers, Some(local.parse().unwrap()))
    }

    #[test]
    fn a_loopback_connection_may_name_a_loopback_host() {
        for host in [
            "localhost",
            "LOCALHOST:9090",
            "localhost.",
            "127.0.0.1:9090",
            "127.1.2.3",
            "[::1]:9090",
            "[::1]",
        ] {
            assert!(allows(&[], "127.0.0.1", &[host]), "{host}");
            assert!(allows(&[], "::ffff:127.0.0.1", &[host]), "{host}");
            assert!(!allows(&[], "10.0.0.5", &[host]), "{host} over the network");
        }
    }

    #[test]
    fn any_other_name_is_refused() {
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "localhost:9090:1",
            "localhost:",
            "localhost:x",
            "user@localhost",
            "127.0.0.1.evil.example",
            "10.0.0.5",
            "[::1",
            "[::1]x",
            "::1",
        ] {
            assert!(!allows(&[], "127.0.0.1", &[host]), "{host}");
        }
        assert!(!allows(&[], "127.0.0.1", &[]));
        assert!(!allows(&[], "127.0.0.1", &["localhost", "localhost"]));
    }

    #[test]
    fn a_given_name_is_allowed_over_the_network() {
        let names = ["Hooks.internal", "10.0.0.5", "[fd00::1]"];
        for host in [
            "hooks.internal",
            "HOOKS.internal.:80",
            "10.0.0.5:9090",
            "[fd00::1]:80",
        ] {
            assert!(allows(&names, "10.0.0.5", &[host]), "{host}");
        }
        assert!(!allows(&names, "10.0.0.5", &["localhost"]));
        for wrong in ["", "http://x", "x:80", "x/y", "[::1]:80", "a b"] {
            assert!(http_host(wrong).is_err(), "{wrong}");
        }
    }
}
