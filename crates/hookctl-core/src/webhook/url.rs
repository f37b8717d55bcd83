//! Addresses that webhooks deliver to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::limits::URL_LENGTH;
use crate::address::{self, InvalidAddress};

/// The address that a webhook delivers to, exactly as written.
///
/// The API stores a plain string, so normalizing it would show a difference where none exists. `Display` and `Debug` mask
/// user info and the values of the query.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EndpointUrl(String);

/// Why a text is not a valid [`EndpointUrl`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEndpointUrl {
    /// It is shorter or longer than the API allows.
    #[error("is {length} characters long; the API accepts 1 to 2048")]
    Length {
        /// The length, in Unicode scalar values.
        length: usize,
    },
    /// It is not a valid address.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
}

impl EndpointUrl {
    /// Parses an address from a file.
    ///
    /// # Errors
    /// Returns [`InvalidEndpointUrl`] unless it is absolute http or https, with a host, without user info, and of a
    /// length that the API accepts.
    pub fn parse(text: &str) -> Result<Self, InvalidEndpointUrl> {
        Self::parse_whole(text).map(|(url, _)| url)
    }

    /// Parses an address, and returns it with its parsed form.
    ///
    /// # Errors
    /// Returns the errors of [`EndpointUrl::parse`].
    pub fn parse_whole(text: &str) -> Result<(Self, url::Url), InvalidEndpointUrl> {
        let length = text.chars().count();
        if !URL_LENGTH.contains(&length) {
            return Err(InvalidEndpointUrl::Length { length });
        }
        let url = address::parse(text)?;
        Ok((Self(text.to_owned()), url))
    }

    /// Wraps an address from the API, valid or not.
    pub fn from_remote(text: String) -> Self {
        Self(text)
    }

    /// Returns the address unmasked, as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether both addresses parse to the same URL: case of scheme and host, default port, empty path,
    /// percent-encoding, and punycode are ignored.
    pub fn is_same_as(&self, other: &Self) -> bool {
        address::same(&self.0, &other.0)
    }

    /// Returns whether the API may store one address as the other: both are the same except for a trailing `/`.
    pub fn is_equivalent_to(&self, other: &Self) -> bool {
        let bare = |text: &str| text.trim().trim_end_matches('/').to_owned();
        self.is_same_as(other) || address::same(&bare(&self.0), &bare(&other.0))
    }

    /// Returns the address with its user info replaced by `***`. Returns `None` if it has none.
    pub fn without_user_info(&self) -> Option<Self> {
        let range = address::user_info(&self.0)?;
        let mut text = self.0.clone();
        text.replace_range(range, "***");
        Some(Self(text))
    }

    /// Returns the address with its user info and query values replaced by `***`.
    pub fn masked(&self) -> String {
        address::mask(&self.0)
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.masked())
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EndpointUrl({:?})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_absolute_http_only() {
        for good in [
            "https://a.example",
            "HTTP://a.example:8080/x?y#z",
            "https://münchen.example/",
        ] {
            assert_eq!(EndpointUrl::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "/x",
            "a.example/x",
            "ftp://a.example",
            "https://",
            "https://a b/",
            "https://a\n.example",
        ] {
            assert!(EndpointUrl::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        let url = format!("https://a.example/{}", "ä".repeat(2048 - 18));
        assert!(EndpointUrl::parse(&url).is_ok());
        assert_eq!(
            EndpointUrl::parse(&format!("{url}a")),
            Err(InvalidEndpointUrl::Length { length: 2049 })
        );
    }

    #[test]
    fn a_password_is_never_shown() {
        let text = "https://user:hunter2@a.example/x?t=hunter2";
        assert_eq!(
            EndpointUrl::parse(text),
            Err(InvalidAddress::UserInfo.into())
        );
        let url = EndpointUrl::from_remote(text.to_owned());
        assert_eq!(url.to_string(), "https://***@a.example/x?t=***");
        assert!(!format!("{url:?}").contains("hunter2"));
        let kept = url.without_user_info().unwrap();
        assert_eq!(kept.as_str(), "https://***@a.example/x?t=hunter2");
        let plain = EndpointUrl::from_remote("https://a.example/@x?t=1".to_owned());
        assert_eq!(plain.without_user_info(), None);
    }

    #[test]
    fn equivalence_covers_what_servers_normalise() {
        let url = |text: &str| EndpointUrl::from_remote(text.to_owned());
        assert!(url("HTTPS://A.example:443/x/").is_equivalent_to(&url("https://a.example/x")));
        assert!(
            url("https://münchen.example")
                .is_equivalent_to(&url("https://xn--mnchen-3ya.example/"))
        );
        assert!(!url("https://a.example/x").is_same_as(&url("https://a.example/x/")));
        assert!(!url("https://a.example/x").is_equivalent_to(&url("https://a.example/y")));
        assert!(!url("https://a.example/X").is_equivalent_to(&url("https://a.example/x")));
    }
}
