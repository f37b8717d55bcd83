//! The address that the page and the metrics are served at: a host and a port, a port alone, or `localhost`. No name is resolved.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Parses `127.0.0.1:9090`, `[::1]:9090`, `localhost:9090`, `:9090`, or `9090`. Without a host, it is the loopback
/// address, so that a short form never opens a port to the network.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let invalid = || {
        format!(
            "'{text}' is not an address such as 9090, localhost:9090, 127.0.0.1:9090, or 0.0.0.0:9090"
        )
    };
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let is_loopback = host.is_empty() || host.eq_ignore_ascii_case("localhost");
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !is_loopback || !is_number {
        return Err(invalid());
    }
    let port = port.parse().map_err(|_| invalid())?;
    Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_it_is_loopback() {
        for (text, address) in [
            (":9090", "127.0.0.1:9090"),
            ("9090", "127.0.0.1:9090"),
            ("localhost:9090", "127.0.0.1:9090"),
            ("LOCALHOST:0", "127.0.0.1:0"),
            ("0.0.0.0:9090", "0.0.0.0:9090"),
            ("[::]:9090", "[::]:9090"),
            ("[::1]:9090", "[::1]:9090"),
        ] {
            assert_eq!(listen_address(text), Ok(address.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_an_error_with_examples() {
        for text in [
            "",
            ":",
            "localhost",
            "localhost:",
            "host:9090",
            "65536",
            ":-1",
            "+80",
            "a:b:1",
            "::1",
        ] {
            let error = listen_address(text).unwrap_err();
            assert!(error.contains("localhost:9090"), "{error}");
        }
    }
}
