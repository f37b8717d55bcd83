//! The base URL of the API, in one normal form.

use std::fmt;

use url::{Host, Url};

use crate::address::{self, InvalidAddress};

/// The base URL of an API: absolute http or https, without a query, a fragment, user info, a trailing `/`, or a
/// trailing `/workflows`, so that paths can be appended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiBaseUrl(String);

/// Why a text is not an [`ApiBaseUrl`]. No variant contains the text, which may contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidApiUrl {
    /// It is not a valid address, or one that must not receive the key.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// It has a query or a fragment, so no path can be appended.
    #[error("must not contain a query or fragment")]
    QueryOrFragment,
}

impl ApiBaseUrl {
    /// Parses a base URL. `https://host`, `https://host/`, and `https://host/workflows` are equal.
    ///
    /// # Errors
    /// Returns [`InvalidApiUrl`] if no path of the API can be appended.
    pub fn parse(text: &str) -> Result<Self, InvalidApiUrl> {
        let url = address::parse(text)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidApiUrl::QueryOrFragment);
        }
        let base = url.as_str().trim_end_matches('/');
        // Only a whole segment: the host may have this name too.
        let is_segment = url.path().trim_end_matches('/').ends_with("/workflows");
        let base = match base.strip_suffix("/workflows") {
            Some(shorter) if is_segment => shorter.trim_end_matches('/'),
            _ => base,
        };
        Ok(Self(base.to_owned()))
    }

    /// Returns the URL, without a trailing `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the URL uses TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// Returns the host, as the HTTP client parses it.
    pub fn host(&self) -> Option<Host<String>> {
        let url = Url::parse(&self.0).ok()?;
        Some(url.host()?.to_owned())
    }

    /// Returns scheme, host, and port, which determine the receiver of requests.
    pub fn origin(&self) -> String {
        Url::parse(&self.0)
            .map_or_else(|_| self.0.clone(), |url| url.origin().ascii_serialization())
    }

    /// Returns whether the host is the machine itself: `localhost`, 127.0.0.0/8, or ::1. Names below `localhost` do not
    /// count, since a resolver may answer them otherwise.
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
    fn loopback_is_distinguished_from_the_rest() {
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
    fn the_origin_is_what_receives_the_requests() {
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
