//! The address that a webhook delivers to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::limits::URL_LENGTH;

/// The address that a webhook delivers to, kept exactly as it was written: the API stores a plain
/// string, so normalising it here would make a difference where there is none.
///
/// `Display` and `Debug` mask a password in the user info. The rest of the address, the query
/// included, is configuration that a reviewer has to see.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EndpointUrl(String);

/// Why a text is not an [`EndpointUrl`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpointUrl {
    /// Shorter or longer than the API allows.
    #[error("is {length} characters long; the API takes 1 to 2048")]
    Length {
        /// The length found, in Unicode scalar values.
        length: usize,
    },
    /// Not absolute, or not parsable at all.
    #[error("is not an absolute URL ({reason})")]
    NotAbsolute {
        /// What the URL parser says.
        reason: String,
    },
    /// A scheme other than http and https.
    #[error("has the scheme '{scheme}'; only https (and http) can receive events")]
    Scheme {
        /// The scheme found.
        scheme: String,
    },
    /// No host.
    #[error("has no host")]
    NoHost,
    /// White space or a control character, which the URL parser would silently drop.
    #[error("holds white space or a control character")]
    ControlCharacter,
}

impl EndpointUrl {
    /// Reads an address that a person wrote.
    ///
    /// # Errors
    /// [`InvalidEndpointUrl`] unless it is absolute http or https with a host and of a length that the
    /// API takes.
    pub fn parse(text: &str) -> Result<Self, InvalidEndpointUrl> {
        Self::parse_whole(text).map(|(url, _)| url)
    }

    /// The same with its parts, for whoever looks at them next.
    ///
    /// # Errors
    /// As [`EndpointUrl::parse`].
    pub(crate) fn parse_whole(text: &str) -> Result<(Self, url::Url), InvalidEndpointUrl> {
        let length = text.chars().count();
        if !URL_LENGTH.contains(&length) {
            return Err(InvalidEndpointUrl::Length { length });
        }
        if text
            .chars()
            .any(|character| character.is_control() || character.is_whitespace())
        {
            return Err(InvalidEndpointUrl::ControlCharacter);
        }
        let url = url::Url::parse(text).map_err(|error| match error {
            url::ParseError::EmptyHost => InvalidEndpointUrl::NoHost,
            other => InvalidEndpointUrl::NotAbsolute {
                reason: other.to_string(),
            },
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidEndpointUrl::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(InvalidEndpointUrl::NoHost);
        }
        Ok((Self(text.to_owned()), url))
    }

    /// Takes an address as the API returned it, whatever it is.
    pub fn from_remote(text: String) -> Self {
        Self(text)
    }

    /// The address as it is sent, a password included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the other address means the same after the normalising that servers do: case of scheme
    /// and host, default port, percent-encoding, punycode, a trailing slash.
    pub fn is_equivalent_to(&self, other: &Self) -> bool {
        let normal = |text: &str| {
            url::Url::parse(text.trim())
                .map(|url| url.as_str().trim_end_matches('/').to_owned())
                .ok()
        };
        self == other
            || normal(&self.0).is_some_and(|mine| normal(&other.0).as_ref() == Some(&mine))
    }

    /// The address with a password in its user info replaced by `***`.
    pub fn masked(&self) -> String {
        // User info ends with an @: most addresses need no second look.
        if !self.0.contains('@') {
            return self.0.clone();
        }
        match url::Url::parse(&self.0) {
            Ok(mut url) if url.password().is_some() => match url.set_password(Some("***")) {
                Ok(()) => url.to_string(),
                Err(()) => url.scheme().to_owned() + "://***",
            },
            _ => self.0.clone(),
        }
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
        let url = EndpointUrl::parse("https://user:hunter2@a.example/x").unwrap();
        assert_eq!(url.to_string(), "https://user:***@a.example/x");
        assert!(!format!("{url:?}").contains("hunter2"));
    }

    #[test]
    fn equivalence_covers_what_servers_normalise() {
        let url = |text: &str| EndpointUrl::from_remote(text.to_owned());
        assert!(url("HTTPS://A.example:443/x/").is_equivalent_to(&url("https://a.example/x")));
        assert!(
            url("https://münchen.example")
                .is_equivalent_to(&url("https://xn--mnchen-3ya.example/"))
        );
        assert!(!url("https://a.example/x").is_equivalent_to(&url("https://a.example/y")));
        assert!(!url("https://a.example/X").is_equivalent_to(&url("https://a.example/x")));
    }
}
