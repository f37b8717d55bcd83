//! Hosts that need no consent, and hosts that a CI job allows.

use url::Host;

use hookctl_core::api_url::ApiBaseUrl;

/// The suffix of the API's hosts. The name itself is not one of them.
const API_HOSTS: &str = ".interactly.ai";

/// Returns whether the API key may be sent to an address in a file without consent: this machine, and `*.interactly.ai`
/// over TLS.
pub fn is_free(url: &ApiBaseUrl) -> bool {
    let of_the_api = || match url.host() {
        Some(Host::Domain(name)) => is_below(&name, API_HOSTS),
        _ => false,
    };
    url.is_loopback() || (url.is_https() && of_the_api())
}

/// Returns whether a name has labels before a suffix.
fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|before| !before.is_empty())
}

/// The hosts that a CI job allows (`HOOKCTL_ALLOWED_HOSTS`). All other hosts are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHosts(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exactly(Host<String>),
    /// Every name with this suffix, which begins with a dot.
    Below(String),
}

/// Why a text is not a list of hosts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHosts {
    /// The list is empty.
    #[error("lists no host")]
    Empty,
    /// An item is not a host name.
    #[error("item {number} is not a host name such as api.example.com or *.example.com")]
    Item {
        /// Its number, from 1.
        number: usize,
    },
}

impl AllowedHosts {
    /// Parses a list of host names, separated by commas. `*.example.com` stands for every name below `example.com`.
    ///
    /// # Errors
    /// Returns [`InvalidHosts`] for any invalid item: skipping it would allow too little or too much.
    pub fn parse(text: &str) -> Result<Self, InvalidHosts> {
        let mut patterns = Vec::new();
        for (index, item) in text.split(',').map(str::trim).enumerate() {
            if item.is_empty() {
                continue;
            }
            let pattern = pattern(item).ok_or(InvalidHosts::Item { number: index + 1 })?;
            patterns.push(pattern);
        }
        if patterns.is_empty() {
            return Err(InvalidHosts::Empty);
        }
        Ok(Self(patterns))
    }

    /// Returns whether the host of a URL is allowed.
    pub fn allow(&self, url: &ApiBaseUrl) -> bool {
        let Some(host) = url.host() else {
            return false;
        };
        self.0.iter().any(|pattern| match (pattern, &host) {
            (Pattern::Exactly(allowed), host) => allowed == host,
            (Pattern::Below(suffix), Host::Domain(name)) => is_below(name, suffix),
            (Pattern::Below(_), _) => false,
        })
    }
}

fn pattern(item: &str) -> Option<Pattern> {
    let (name, is_below) = match item.strip_prefix("*.") {
        Some(name) => (name, true),
        None => (item, false),
    };
    let is_bracketed = name.starts_with('[') && name.ends_with(']');
    if name.contains(['/', '\\', '?', '#', '@']) || (name.contains(':') && !is_bracketed) {
        return None;
    }
    // Parsed like a URL, so that both are in the same form.
    let url = ApiBaseUrl::parse(&format!("https://{name}")).ok()?;
    let host = url.host()?;
    if url.as_str() != format!("https://{host}") {
        return None;
    }
    match (host, is_below) {
        (host, false) => Some(Pattern::Exactly(host)),
        (Host::Domain(name), true) => Some(Pattern::Below(format!(".{name}"))),
        (Host::Ipv4(_) | Host::Ipv6(_), true) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> ApiBaseUrl {
        ApiBaseUrl::parse(text).unwrap()
    }

    #[test]
    fn free_are_this_machine_and_the_hosts_of_the_api() {
        for free in [
            "https://api-prod.interactly.ai",
            "https://API-QA.Interactly.AI/workflows",
            "https://a.b.interactly.ai:8443",
            "http://localhost:8787",
            "http://127.1",
            "http://[::1]:80",
            "https://127.0.0.1",
        ] {
            assert!(is_free(&url(free)), "{free}");
        }
        for other in [
            "https://interactly.ai",
            "http://api-prod.interactly.ai",
            "https://evil-interactly.ai",
            "https://a.evil-interactly.ai",
            "https://api.interactly.ai.evil.com",
            "https://interactly.ai.evil.com",
            "https://evil.com/.interactly.ai",
            "https://evil.com/api.interactly.ai",
            "https://api.interactly.ai.",
            // Letters of other scripts that normalize to the same.
            "https://api.interactlу.ai",
            "https://api.interactly.аi",
            "https://api.ınteractly.ai",
            "https://xn--api-.interactly.ai.evil.com",
            "http://a.localhost",
            "http://[::ffff:127.0.0.1]",
            "http://localhost.evil.com",
            "https://10.0.0.1",
        ] {
            assert!(
                ApiBaseUrl::parse(other).map_or(true, |url| !is_free(&url)),
                "{other}"
            );
        }
        for user_info in [
            "https://api.interactly.ai@evil.com",
            "https://a:b@localhost",
        ] {
            assert!(ApiBaseUrl::parse(user_info).is_err());
        }
    }

    #[test]
    fn only_the_hosts_of_the_list_are_allowed() {
        let hosts =
            AllowedHosts::parse(" api.example.com, *.Interactly.ai ,127.0.0.1,[::1],").unwrap();
        for allowed in [
            "https://api.example.com",
            "https://API.example.com:444/x",
            "https://api-prod.interactly.ai",
            "https://a.b.interactly.ai",
            "http://127.1:80",
            "http://[0::1]",
        ] {
            assert!(hosts.allow(&url(allowed)), "{allowed}");
        }
        for other in [
            "https://example.com",
            "https://a.api.example.com",
            "https://api.example.com.evil.com",
            "https://api.example.com.",
            "https://interactly.ai",
            "https://evil-interactly.ai",
            "https://interactly.ai.evil.com",
            "http://127.0.0.2",
            "http://localhost",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(!hosts.allow(&url(other)), "{other}");
        }
    }

    #[test]
    fn a_list_is_understood_as_a_whole_or_not_at_all() {
        for empty in ["", " ", ",", " , "] {
            assert_eq!(AllowedHosts::parse(empty), Err(InvalidHosts::Empty));
        }
        for (text, number) in [
            ("*", 1),
            ("a.example,*.*.example", 2),
            ("*example.com", 1),
            ("https://a.example", 1),
            ("a.example:443", 1),
            ("[::1]:443", 1),
            ("::1", 1),
            ("a.example/x", 1),
            ("me@a.example", 1),
            ("a.example?x", 1),
            ("*.127.0.0.1", 1),
            ("*.", 1),
            ("a b", 1),
            ("\u{fffd}", 1),
        ] {
            let error = AllowedHosts::parse(text).unwrap_err();
            assert_eq!(error, InvalidHosts::Item { number }, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_put_behind_a_host_makes_it_another(before in "[a-z]{1,8}", behind in "[a-z]{1,8}(\\.[a-z]{1,8})?") {
            let genuine = format!("https://{before}.interactly.ai");
            prop_assert!(is_free(&url(&genuine)));
            for other in [
                format!("{genuine}.{behind}"),
                format!("https://{before}-interactly.ai"),
                format!("https://{before}interactly.ai"),
                format!("https://{behind}.example/{before}.interactly.ai"),
            ] {
                prop_assert!(!is_free(&url(&other)), "{}", other);
            }
        }
    }
}
