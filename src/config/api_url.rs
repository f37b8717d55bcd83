//! The base address of an API, in one form.

use std::fmt;

use url::Url;

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

    /// Returns its host, without a port: a name in lower case, or an address.
    pub fn host(&self) -> String {
        let url = Url::parse(&self.0).ok();
        let host = url.as_ref().and_then(Url::host_str);
        host.unwrap_or_default().to_owned()
    }

    /// Whether what is sent there is protected by TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// Whether it is the machine itself: `localhost`, or a loopback address.
    pub fn is_loopback(&self) -> bool {
        let Ok(url) = Url::parse(&self.0) else {
            return false;
        };
        match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
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
            "http://a.localhost",
        ] {
            assert!(loopback(text), "{text}");
        }
        for text in [
            "http://10.0.0.1",
            "http://localhost.example",
            "http://0.0.0.0",
        ] {
            assert!(!loopback(text), "{text}");
        }
    }
}
