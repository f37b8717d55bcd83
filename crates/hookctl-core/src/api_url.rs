//! The base address of an API, in one form.

use std::fmt;

use url::{Host, Url};

use crate::address::{self, InvalidAddress};

/// The base address of an API: absolute http or https, without a query, a fragment, user info, a
/// trailing `/`, or a trailing `/workflows`, so that a path can be put behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiBaseUrl(String);

/// Why a text is not an [`ApiBaseUrl`]. No variant holds the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApiUrl {
    /// Not an address at all, or one that the key is never sent to.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// A query or fragment, behind which no path can be put.
    #[error("must not contain a query or fragment")]
    QueryOrFragment,
}

impl ApiBaseUrl {
    /// Reads a base address. `https://host`, `https://host/`, and `https://host/workflows` are the same.
    ///
    /// # Errors
    /// [`InvalidApiUrl`] if a path cannot be put behind it to get an address of the API.
    pub fn parse(text: &str) -> Result<Self, InvalidApiUrl> {
        let url = address::parse(text)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidApiUrl::QueryOrFragment);
        }
        let base = url.as_str().trim_end_matches('/');
        // Only a whole path segment is dropped; a host may be called so as well.
        let is_segment = url.path().trim_end_matches('/').ends_with("/workflows");
        let base = match base.strip_suffix("/workflows") {
            Some(shorter) if is_segment => shorter.trim_end_matches('/'),
            _ => base,
        };
        Ok(Self(base.to_owned()))
    }

    /// The address, without a trailing `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is sent there is protected by TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// Returns the host, as the client that sends the request reads it.
    pub fn host(&self) -> Option<Host<String>> {
        let url = Url::parse(&self.0).ok()?;
        Some(url.host()?.to_owned())
    }

    /// Returns scheme, host, and port: who receives what is sent, whatever the path.
    pub fn origin(&self) -> String {
        Url::parse(&self.0)
            .map_or_else(|_| self.0.clone(), |url| url.origin().ascii_serialization())
    }

    /// Whether it is the machine itself: `localhost`, 127.0.0.0/8, or ::1. A name below `localhost` is one that
    /// a resolver may answer otherwise.
    pub fn is_loopback(&self) -> bool {
        match self.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }
}

impl fmt::Display for ApiBaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_one_base() {
        for (text, base) in [
            ("https://api.example", "https://api.example"),
            ("HTTPS://API.example:443/", "https://api.example"),
            ("https://api.example/workflows", "https://api.example"),
            ("https://api.example/workflows/", "https://api.example"),
            ("https://api.example//", "https://api.example"),
            ("https://api.example/x/workflows", "https://api.example/x"),
            (
                "https://api.example/my-workflows",
                "https://api.example/my-workflows",
            ),
            ("https://workflows", "https://workflows"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(ApiBaseUrl::parse(text).unwrap().as_str(), base, "{text}");
        }
    }

    #[test]
    fn what_no_path_can_be_put_behind_is_refused() {
        for (text, error) in [
            ("https://", InvalidAddress::NoHost.into()),
            ("ftp://api.example", InvalidAddress::Scheme.into()),
            ("https://a@api.example", InvalidAddress::UserInfo.into()),
            ("https://:b@api.example", InvalidAddress::UserInfo.into()),
            ("https://api.example}", InvalidAddress::Host.into()),
            (
                "https://api.example\n",
                InvalidAddress::ControlCharacter.into(),
            ),
            ("https://api.example?a", InvalidApiUrl::QueryOrFragment),
            ("https://api.example/#", InvalidApiUrl::QueryOrFragment),
        ] {
            assert_eq!(ApiBaseUrl::parse(text), Err(error), "{text}");
        }
        assert!(ApiBaseUrl::parse("api.example").is_err());
        assert!(ApiBaseUrl::parse("").is_err());
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        let loopback = |text: &str| ApiBaseUrl::parse(text).unwrap().is_loopback();
        for text in [
            "http://localhost:1",
            "http://127.9.9.9",
            "http://[::1]:80",
            "http://127.1",
            "http://0x7f.1:80",
            "http://LOCALHOST",
        ] {
            assert!(loopback(text), "{text}");
        }
        for text in [
            "http://10.0.0.1",
            "http://localhost.example",
            "http://0.0.0.0",
            "http://a.localhost",
            "http://localhost.",
            "http://[::ffff:127.0.0.1]",
            "http://[::]",
            "http://127.0.0.1.example",
        ] {
            assert!(!loopback(text), "{text}");
        }
    }

    #[test]
    fn the_origin_is_who_receives_what_is_sent() {
        for (text, origin) in [
            ("https://API.example:443/x/workflows", "https://api.example"),
            ("http://[::1]:80/a", "http://[::1]"),
            ("https://api.example:8443", "https://api.example:8443"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(ApiBaseUrl::parse(text).unwrap().origin(), origin, "{text}");
        }
    }
}
