//! Validation, comparison, and masking of addresses.
//!
//! All of them share one parser, so that none takes for a path what another takes for a password. This module does not
//! depend on webhooks or the API.

use std::ops::Range;

use url::{Host, Url};

/// The longest host name, and the longest label, in characters (RFC 1035).
const HOST_LENGTH: usize = 253;
const LABEL_LENGTH: usize = 63;

/// The replacement for hidden parts.
const MASK: &str = "***";

/// Why a text is not a valid HTTP address. No variant contains any part of the text, which may contain a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAddress {
    /// It contains white space or a control character, which URL parsers drop silently.
    #[error("contains white space or a control character")]
    ControlCharacter,
    /// It is not absolute, or cannot be parsed.
    #[error("is not an absolute URL ({reason})")]
    NotAbsolute {
        /// The error of the URL parser.
        reason: &'static str,
    },
    /// The scheme is not http or https.
    #[error("has a scheme other than http and https")]
    Scheme,
    /// It has no host.
    #[error("has no host")]
    NoHost,
    /// The host has invalid characters or an invalid length.
    #[error("has an invalid host: a host consists of letters, digits, '-', '_', and '.'")]
    Host,
    /// It contains user info.
    #[error("contains a user name or password")]
    UserInfo,
}

/// Parses an address.
///
/// # Errors
/// Returns [`InvalidAddress`] unless it is absolute http or https, with a valid host and without user info.
pub fn parse(text: &str) -> Result<Url, InvalidAddress> {
    if text
        .chars()
        .any(|character| character.is_control() || character.is_whitespace())
    {
        return Err(InvalidAddress::ControlCharacter);
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        // For example, a password that contains '/' looks like an invalid port.
        Err(_) if text.contains('@') => return Err(InvalidAddress::UserInfo),
        Err(url::ParseError::EmptyHost) => return Err(InvalidAddress::NoHost),
        Err(error) => {
            return Err(InvalidAddress::NotAbsolute {
                reason: reason(error),
            });
        }
    };
    if authority(text).contains('@') || !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidAddress::UserInfo);
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(InvalidAddress::Scheme);
    }
    match url.host() {
        None | Some(Host::Domain("")) => Err(InvalidAddress::NoHost),
        Some(Host::Domain(name)) if !can_be_host(name) => Err(InvalidAddress::Host),
        Some(_) => Ok(url),
    }
}

fn reason(error: url::ParseError) -> &'static str {
    match error {
        url::ParseError::RelativeUrlWithoutBase => "no scheme and host",
        url::ParseError::InvalidPort => "invalid port",
        url::ParseError::InvalidIpv4Address | url::ParseError::InvalidIpv6Address => {
            "invalid IP address"
        }
        url::ParseError::IdnaError | url::ParseError::InvalidDomainCharacter => "invalid host",
        _ => "not parsable",
    }
}

fn can_be_host(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.len() <= HOST_LENGTH
        && name
            .split('.')
            .all(|label| (1..=LABEL_LENGTH).contains(&label.len()) && label.bytes().all(is_letter))
}

/// Returns where the scheme and the slashes after it end, or 0 without a scheme.
fn scheme_end(text: &str) -> usize {
    let scheme = text.find(':').filter(|end| {
        let (scheme, rest) = text.split_at(*end);
        let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        let is_scheme =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let has_slash = rest.starts_with(":/") || rest.starts_with(":\\");
        is_web || (has_slash && scheme.bytes().all(is_scheme))
    });
    let start = scheme.map_or(0, |end| end + 1);
    let rest = text.get(start..).unwrap_or("");
    text.len() - rest.trim_start_matches(['/', '\\']).len()
}

/// Returns the part between the scheme and the path, as WHATWG parsers determine it.
fn authority(text: &str) -> &str {
    let rest = text.get(scheme_end(text)..).unwrap_or("");
    rest.split(['/', '\\', '?', '#']).next().unwrap_or("")
}

/// Returns whether two texts parse as the same address. Case of scheme and host, default ports, empty paths,
/// percent-encoding, punycode, and surrounding white space make no difference.
pub fn same(one: &str, other: &str) -> bool {
    one == other || normal(one).is_some_and(|one| normal(other) == Some(one))
}

fn normal(text: &str) -> Option<Url> {
    Url::parse(text.trim()).ok()
}

/// Returns the address for display: without user info and values of the query.
///
/// In an invalid address, everything from the scheme to the last `@` counts as user info.
pub fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for range in sensitive(text) {
        masked += text.get(at..range.start).unwrap_or("");
        masked += MASK;
        at = range.end;
    }
    masked + text.get(at..).unwrap_or("")
}

/// Returns the ranges of an address that are never shown, in order.
pub fn sensitive(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = scheme_end(text);
    if let Some(found) = user_info(text) {
        start = found.end + 1;
        if !found.is_empty() {
            ranges.push(found);
        }
    }
    let rest = text.get(start..).unwrap_or("");
    let Some(query) = rest.find(['?', '#']) else {
        return ranges;
    };
    let mut in_fragment = false;
    let mut at = start + query;
    for part in rest
        .get(query..)
        .unwrap_or("")
        .split_inclusive(['?', '&', ';', '#'])
    {
        let bare = part.trim_end_matches(['?', '&', ';', '#']);
        let value = match bare.find('=') {
            Some(sign) => at + sign + 1..at + bare.len(),
            None if in_fragment => at..at,
            None => at..at + bare.len(),
        };
        if !value.is_empty() {
            ranges.push(value);
        }
        in_fragment |= part.ends_with('#');
        at += part.len();
    }
    ranges
}

/// Returns the range of the user info, without the `@`. In an invalid address, it extends from the scheme to the last
/// `@`.
pub fn user_info(text: &str) -> Option<Range<usize>> {
    let start = scheme_end(text);
    let last = text.rfind('@').filter(|last| *last >= start)?;
    (!is_behind_the_authority(text)).then_some(start..last)
}

/// Returns whether every `@` of a text is in the path or after it. A host without a dot may be a user whose password
/// contains a `/`.
fn is_behind_the_authority(text: &str) -> bool {
    parse(text).is_ok_and(|url| match url.host() {
        Some(Host::Domain(name)) => name.contains('.'),
        Some(_) => true,
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_can_exist_are_distinguished_from_others() {
        for good in [
            "https://a.example",
            "HTTP://a.example:8080/x?y#z",
            "https://münchen.example/",
            "https://a_b.example.",
            "https://127.0.0.1/@me",
            "https://[::1]:80/",
            "https://localhost",
            "https://a.example/@me?to=a@b",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for (bad, error) in [
            ("https://p.example.com}/x", InvalidAddress::Host),
            ("https://{host}/x", InvalidAddress::Host),
            ("https://$HOST/x", InvalidAddress::Host),
            ("https://*.example", InvalidAddress::Host),
            ("https://a..example", InvalidAddress::Host),
            ("https://a,b.example", InvalidAddress::Host),
            ("https://", InvalidAddress::NoHost),
            ("ftp://a.example", InvalidAddress::Scheme),
            ("hunter2:x", InvalidAddress::Scheme),
            ("https://a b/", InvalidAddress::ControlCharacter),
        ] {
            assert_eq!(parse(bad), Err(error), "{bad}");
        }
        let label = "a".repeat(LABEL_LENGTH);
        assert!(parse(&format!("https://{label}.example")).is_ok());
        assert!(parse(&format!("https://{label}a.example")).is_err());
        assert!(parse(&format!("https://{}", "a.".repeat(127) + "a")).is_err());
        assert!(matches!(
            parse("a.example/x"),
            Err(InvalidAddress::NotAbsolute { .. })
        ));
    }

    #[test]
    fn user_info_of_any_form_is_an_error_and_never_shown() {
        for text in [
            "https://user:hunter2@h.example/x",
            "https://hunter2@h.example",
            "https://:hunter2@h.example",
            "https://user:hun/ter2@h.example",
            "https://user:hunter2/@h.example",
            "https://user:hunter2?@h.example",
            "https://user:hunter2#@h.example",
            "https://user:hunter2@x@h.example",
            "https://user:hunter2\\@h.example",
            "https:/user:hunter2@h.example",
            "https:user:hunter2@h.example",
            "https:\\\\user:hunter2@h.example",
            "https:///user:hunter2@h.example",
            "HTTPS://user:hunter2@h.example",
            "//user:hunter2@h.example",
            "user:hunter2@h.example",
            "ftp://user:hunter2@h.example",
            "https://us er:hunter2@h.example",
            "https://user:hunter2@",
            "https://user:hunter2@h.example:port",
            "https://hunter2@h.example/?a=@b",
        ] {
            let error = parse(text).expect_err(text);
            assert!(!mask(text).contains("hunter2"), "{text}: {}", mask(text));
            assert!(!format!("{error:?} {error}").contains("hunter2"));
        }
        assert_eq!(
            mask("https://user:hunter2@h.example/x"),
            "https://***@h.example/x"
        );
        assert_eq!(mask("https://user:hun/ter2@h"), "https://***@h");
        // A host without a dot does not prove that the rest is a path.
        assert_eq!(mask("https://user/hunter2@h"), "https://***@h");
        assert_eq!(mask("https://user:80/hunter2@h"), "https://***@h");
        assert_eq!(mask("https://a.example/@me"), "https://a.example/@me");
        assert!(parse("https://@h.example").is_err());
    }

    #[test]
    fn values_of_a_query_are_not_shown() {
        for (text, shown) in [
            (
                "https://a.example/x?token=hunter2",
                "https://a.example/x?token=***",
            ),
            (
                "https://a.example?a=&b=c;d=e&&",
                "https://a.example?a=&b=***;d=***&&",
            ),
            ("https://a.example?hunter2", "https://a.example?***"),
            (
                "https://a.example?to=a@b.example",
                "https://a.example?to=***",
            ),
            ("https://a.example?a=b?c=d", "https://a.example?a=***?c=***"),
            ("https://a.example#top", "https://a.example#top"),
            ("https://a.example/#t=hunter2", "https://a.example/#t=***"),
            (
                "https://u:p@a.example?a=b#c",
                "https://***@a.example?a=***#c",
            ),
            ("https://a.example/x", "https://a.example/x"),
            ("", ""),
        ] {
            assert_eq!(mask(text), shown, "{text}");
        }
    }

    #[test]
    fn addresses_that_a_parser_takes_for_the_same_are_the_same() {
        for (one, other) in [
            ("HTTPS://Hooks.Example.com", "https://hooks.example.com/"),
            ("https://a.example:443/x", "https://a.example/x"),
            ("https://münchen.example", "https://xn--mnchen-3ya.example/"),
            (" https://a.example/\n", "https://a.example"),
        ] {
            assert!(same(one, other), "{one}");
        }
        for (one, other) in [
            ("https://a.example/x", "https://a.example/x/"),
            ("https://a.example/X", "https://a.example/x"),
            ("https://a.example", "http://a.example"),
            ("https://a.example?a", "https://a.example"),
            ("nonsense", "other"),
        ] {
            assert!(!same(one, other), "{one}");
        }
    }
}
