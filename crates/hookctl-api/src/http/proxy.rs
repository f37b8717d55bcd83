//! Validation of the proxy in the environment. Pure: the caller looks up variables.
//!
//! The HTTP client ignores an invalid proxy and connects directly. If all traffic must use the proxy, that would bypass
//! it and expose the API key. So an invalid proxy is an error before the first request.

use hyper::Uri;

use super::options::ClientError;

/// The variables that the client reads for a scheme. The first one of each pair takes precedence.
const HTTPS: [[&str; 2]; 2] = [["HTTPS_PROXY", "https_proxy"], ["ALL_PROXY", "all_proxy"]];
const HTTP: [[&str; 2]; 2] = [["HTTP_PROXY", "http_proxy"], ["ALL_PROXY", "all_proxy"]];

/// Checks the proxies for requests to a base URL.
///
/// # Errors
/// Returns [`ClientError::Proxy`] with the name of the variable, but not its value, which may contain a password.
pub fn check_proxy(
    base_url: &str,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(), ClientError> {
    let variables = if base_url.starts_with("https:") {
        HTTPS
    } else {
        HTTP
    };
    for pair in variables {
        let set = pair
            .into_iter()
            .find_map(|variable| Some((variable, lookup(variable)?)));
        if let Some((variable, value)) = set
            && !value.is_empty()
            && !is_usable(&value)
        {
            return Err(ClientError::Proxy { variable });
        }
    }
    Ok(())
}

/// Returns whether the client accepts an address. Without a scheme, it is plain http.
fn is_usable(value: &str) -> bool {
    let Ok(uri) = value.parse::<Uri>() else {
        return false;
    };
    let scheme = uri.scheme_str().unwrap_or("http");
    uri.authority().is_some_and(|authority| {
        let address = authority.as_str();
        let address = address.rsplit_once('@').map_or(address, |(_, host)| host);
        // The colons of an IPv6 address are in brackets.
        let end = address.rsplit_once(']').map_or(address, |(_, end)| end);
        matches!(scheme, "http" | "https")
            && !authority.host().is_empty()
            && end.contains(':') == authority.port_u16().is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: &str, variables: &[(&str, &str)]) -> Result<(), String> {
        let lookup = |name: &str| {
            let mut variables = variables.iter();
            let found = variables.find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        check_proxy(base_url, lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn a_proxy_that_the_client_would_ignore_is_an_error_that_shows_no_value() {
        for usable in [
            "",
            "proxy.example.com:3128",
            "http://user:pass@proxy.example.com:3128",
            "https://proxy.example.com/",
            "http://[::1]:3128",
        ] {
            let set = [("HTTPS_PROXY", usable)];
            assert_eq!(check("https://api.example.com", &set), Ok(()), "{usable}");
        }
        for unusable in [
            "http://",
            "http://user:hunter2 @proxy.example.com",
            "http://user:hunter2@",
            "ftp://user:hunter2@proxy.example.com",
            "socks5://user:hunter2@proxy.example.com",
            "/hunter2",
            "http://proxy.example.com:hunter2",
        ] {
            let error = check("https://api.example.com", &[("HTTPS_PROXY", unusable)]).unwrap_err();
            assert!(error.contains("HTTPS_PROXY"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn only_the_variables_that_the_client_reads_count() {
        let bad = "http://";
        let check = |url: &str, name| check(url, &[(name, bad)]).is_err();
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            assert!(check("https://api.example.com", name), "{name}");
        }
        for name in ["HTTP_PROXY", "http_proxy", "NO_PROXY"] {
            assert!(!check("https://api.example.com", name), "{name}");
        }
        assert!(check("http://api.example.com", "http_proxy"));
        let shadowed = [("HTTPS_PROXY", "proxy.example.com"), ("https_proxy", bad)];
        assert_eq!(
            super::tests::check("https://api.example.com", &shadowed),
            Ok(())
        );
    }
}
