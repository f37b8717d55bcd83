//! Where deliveries may go. Pure: addresses are resolved elsewhere.
//!
//! A webhook names any host, also that of a production system, so only loopback addresses are permitted unless the caller
//! names the host. A name is not enough evidence: all of its addresses count.

use std::collections::BTreeSet;
use std::net::IpAddr;

use url::{Host, Url};

/// The permitted destinations: loopback addresses, and named hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    hosts: BTreeSet<String>,
    forward: Option<Url>,
}

/// A text that is not a destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDestination {
    /// It is not a host.
    #[error("not a host name or an address, such as receiver.example.com or 192.0.2.7")]
    Host,
    /// It is not an origin.
    #[error(
        "not an http or https address of a host and a port alone, such as http://127.0.0.1:9000"
    )]
    Origin,
}

/// Why nothing is sent to a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The URL cannot be used.
    #[error("the url is not an http or https address without user information")]
    Url,
    /// The host has no address.
    #[error("'{host}' has no address on this machine")]
    NoAddress {
        /// The host.
        host: String,
    },
    /// The host is not on this machine, and not named.
    #[error("'{host}' is not on this machine ({address}); only --deliver-to {host} permits it")]
    Elsewhere {
        /// The host.
        host: String,
        /// Its address.
        address: IpAddr,
    },
    /// The address is for no receiver.
    #[error("'{host}' has the address {address}, which is not one of a receiver")]
    Special {
        /// The host.
        host: String,
        /// Its address.
        address: IpAddr,
    },
}

impl Destinations {
    /// Permits a host by its name or address.
    ///
    /// # Errors
    /// [`InvalidDestination::Host`]
    pub fn permit(&mut self, host: &str) -> Result<(), InvalidDestination> {
        let bracketed = host.parse().is_ok_and(|address: IpAddr| address.is_ipv6());
        let text = if bracketed {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let parsed = Host::parse(&text).map_err(|_| InvalidDestination::Host)?;
        self.hosts.insert(parsed.to_string());
        Ok(())
    }

    /// Sends everything to another origin. The path and the query of each webhook's URL stay.
    ///
    /// # Errors
    /// [`InvalidDestination::Origin`]
    pub fn forward(&mut self, origin: &str) -> Result<(), InvalidDestination> {
        let url = Url::parse(origin).map_err(|_| InvalidDestination::Origin)?;
        let is_origin = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && is_without_user(&url);
        if !is_origin {
            return Err(InvalidDestination::Origin);
        }
        self.forward = Some(url);
        Ok(())
    }

    /// Returns where a delivery to a URL goes.
    ///
    /// # Errors
    /// [`Refusal::Url`]
    pub fn address(&self, url: &str) -> Result<Url, Refusal> {
        let mut url = Url::parse(url).map_err(|_| Refusal::Url)?;
        if let Some(origin) = &self.forward {
            let mut forwarded = origin.clone();
            forwarded.set_path(url.path());
            forwarded.set_query(url.query());
            url = forwarded;
        }
        url.set_fragment(None);
        let is_usable =
            matches!(url.scheme(), "http" | "https") && url.has_host() && is_without_user(&url);
        if is_usable {
            Ok(url)
        } else {
            Err(Refusal::Url)
        }
    }

    /// Returns whether a host is permitted by its name, whatever its addresses.
    pub fn names(&self, host: &str) -> bool {
        self.hosts.contains(host)
    }

    /// Checks all addresses of a host.
    ///
    /// # Errors
    /// [`Refusal`] if any of them is not permitted, or there is none.
    pub fn check(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Refusal> {
        if addresses.is_empty() {
            let host = host.to_owned();
            return Err(Refusal::NoAddress { host });
        }
        let is_named = self.names(host);
        for address in addresses {
            let (host, address) = (host.to_owned(), address.to_canonical());
            if address.is_loopback() {
                continue;
            }
            if !is_named {
                return Err(Refusal::Elsewhere { host, address });
            }
            if is_special(address) {
                return Err(Refusal::Special { host, address });
            }
        }
        Ok(())
    }
}

fn is_without_user(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

/// Returns whether an address is for no receiver. Link-local addresses are those of the metadata services of clouds.
fn is_special(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    is_link_local || address.is_multicast() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn only_loopback_and_named_hosts_are_permitted() {
        let mut destinations = Destinations::default();
        let local = addresses(&["127.0.0.1", "::1", "127.8.9.1", "::ffff:127.0.0.1"]);
        assert_eq!(destinations.check("localhost", &local), Ok(()));
        for elsewhere in [
            &["192.0.2.7"][..],
            // One address of a name that resolves to both.
            &["127.0.0.1", "192.0.2.7"],
            &["10.0.0.1"],
            &["::ffff:10.0.0.1"],
            &["2001:db8::1"],
            &["0.0.0.0"],
            &["::"],
            &["169.254.169.254"],
        ] {
            let refused = destinations.check("receiver.example", &addresses(elsewhere));
            assert!(
                matches!(refused, Err(Refusal::Elsewhere { .. })),
                "{elsewhere:?}"
            );
        }
        assert_eq!(
            destinations.check("nowhere.example", &[]),
            Err(Refusal::NoAddress {
                host: "nowhere.example".to_owned()
            })
        );
        destinations.permit("Receiver.Example").unwrap();
        destinations.permit("2001:db8::1").unwrap();
        destinations.permit("192.0.2.7").unwrap();
        for (host, address) in [
            ("receiver.example", "10.0.0.1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(destinations.check(host, &addresses(&[address])), Ok(()));
        }
        for special in ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::"] {
            let refused = destinations.check("receiver.example", &addresses(&[special]));
            assert!(matches!(refused, Err(Refusal::Special { .. })), "{special}");
        }
        let other = destinations.check("a.receiver.example", &addresses(&["10.0.0.1"]));
        assert!(other.is_err(), "a host below a named one is another host");
    }

    #[test]
    fn a_destination_is_a_host_and_a_forward_is_an_origin() {
        let mut destinations = Destinations::default();
        for wrong in [
            "",
            "https://a.example",
            "a.example:80",
            "a.example/x",
            "a b",
        ] {
            assert!(destinations.permit(wrong).is_err(), "{wrong}");
        }
        for wrong in [
            "",
            "127.0.0.1:9000",
            "ftp://127.0.0.1",
            "http://127.0.0.1:9000/path",
            "http://127.0.0.1:9000?x",
            "http://user@127.0.0.1:9000",
        ] {
            assert!(destinations.forward(wrong).is_err(), "{wrong}");
        }
        let declared = "https://hooks.example.com/billing?team=a#top";
        let goes =
            |destinations: &Destinations| destinations.address(declared).unwrap().to_string();
        assert_eq!(
            goes(&destinations),
            "https://hooks.example.com/billing?team=a"
        );
        destinations.forward("http://127.0.0.1:9000").unwrap();
        assert_eq!(goes(&destinations), "http://127.0.0.1:9000/billing?team=a");
        let plain = Destinations::default();
        for wrong in ["http://user:word@127.0.0.1/", "file:///etc/passwd", "x"] {
            assert_eq!(plain.address(wrong), Err(Refusal::Url), "{wrong}");
        }
    }
}
