//! Warnings about valid declarations, individually and together.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::declarations::{Declarations, Present, Token};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, Spanned};
use crate::yaml::Node;
use hookctl_core::secret::SecretSource;
use hookctl_core::webhook::{Key, RemoteId, normal_name};

/// The longest wait that the API's exponential backoff is assumed to reach, in seconds. The API documents no cap;
/// senders of webhooks commonly stop doubling at half an hour.
const LONGEST_WAIT_SECONDS: i64 = 30 * 60;
/// Longer retry schedules are reported, in seconds: an hour.
const LONG_SCHEDULE_SECONDS: i64 = 60 * 60;

/// The properties of a valid declaration that are compared with other declarations.
pub(super) struct Side {
    pub(super) key: Key,
    pub(super) key_span: Span,
    /// `None` for a webhook to delete or release.
    pub(super) address: Option<Address>,
    pub(super) name: String,
    pub(super) name_span: Span,
    pub(super) id: Option<Spanned<RemoteId>>,
}

/// The address of a webhook, in a comparable form.
pub(super) struct Address {
    span: Span,
    /// The address as servers normalize it.
    normal: String,
    host: Option<String>,
}

/// Reports plain HTTP and private hosts.
pub(super) fn address(url: Url, node: &Node, diagnostics: &mut Diagnostics) -> Address {
    if url.scheme() == "http" {
        diagnostics.push(
            node.problem(
                Code::PlainHttp,
                "'url' is plain http",
                "events and the token are sent unencrypted",
            )
            .help("use https, as the API recommends"),
        );
    }
    if let Some(reach) = url.host().and_then(|host| private_reach(&host)) {
        diagnostics.push(
            node.problem(
                Code::PrivateHost,
                "'url' has a host that the API cannot reach",
                reach,
            )
            .help("use a host that is reachable from the internet"),
        );
    }
    let host = url.host_str().map(str::to_owned);
    let mut normal = String::from(url);
    normal.truncate(normal.trim_end_matches('/').len());
    Address {
        span: node.span(),
        normal,
        host,
    }
}

/// Describes where a host can be reached from, unless it is public.
fn private_reach(host: &Host<&str>) -> Option<&'static str> {
    match host {
        Host::Ipv4(address) => private_reach_v4(*address),
        Host::Ipv6(address) => private_reach_v6(*address),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let ends_with = |ending: &str| name.ends_with(ending);
            if name == "localhost" || ends_with(".localhost") {
                Some("this is the machine itself")
            } else if let Ok(address) = name.parse::<IpAddr>() {
                match address {
                    IpAddr::V4(address) => private_reach_v4(address),
                    IpAddr::V6(address) => private_reach_v6(address),
                }
            } else if [".local", ".internal", ".lan", ".home.arpa", ".intranet"]
                .iter()
                .any(|ending| ends_with(ending))
            {
                Some("this name belongs to a private network")
            } else if !name.contains('.') {
                Some("a name without a dot is resolved only on the local network")
            } else {
                None
            }
        }
    }
}

fn private_reach_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [first, second, ..] = address.octets();
    if address.is_loopback() || address.is_unspecified() {
        Some("this is the machine itself")
    } else if address.is_private()
        || address.is_link_local()
        || (first == 100 && (64..128).contains(&second))
    {
        Some("this address belongs to a private network")
    } else {
        None
    }
}

fn private_reach_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(address) = address.to_ipv4_mapped() {
        return private_reach_v4(address);
    }
    if address.is_loopback() || address.is_unspecified() {
        Some("this is the machine itself")
    } else if address.is_unique_local() || address.is_unicast_link_local() {
        Some("this address belongs to a private network")
    } else {
        None
    }
}

/// Reports a token in plain text that begins with `Bearer `, which the API adds itself.
pub(super) fn token_scheme(node: &Node, diagnostics: &mut Diagnostics) {
    let has_scheme = node
        .as_scalar()
        .and_then(|scalar| scalar.text().get(..7))
        .is_some_and(|start| start.eq_ignore_ascii_case("bearer "));
    if has_scheme {
        diagnostics.push(
            node.problem(
                Code::TokenScheme,
                "'bearer_token' begins with 'Bearer '",
                "the API adds this word itself",
            )
            .help("remove it, or the receiver gets it twice"),
        );
    }
}

/// Reports long retry schedules. Each wait is twice the one before.
pub(super) fn retry_schedule(
    max_retries: i64,
    backoff_seconds: i64,
    span: Span,
    diagnostics: &mut Diagnostics,
) {
    let total = schedule_seconds(max_retries, backoff_seconds);
    if total > LONG_SCHEDULE_SECONDS {
        diagnostics.push(
            Diagnostic::new(
                Code::LongRetrySchedule,
                format!(
                    "an event may be delivered {} minutes late",
                    total.div_euclid(60)
                ),
            )
            .at(span, format!("{max_retries} retries from {backoff_seconds} s on"))
            .help(
                "lower 'max_retries' or 'retry_backoff_seconds'; each wait is assumed to double, up to 30 minutes",
            ),
        );
    }
}

fn schedule_seconds(max_retries: i64, backoff_seconds: i64) -> i64 {
    let mut wait = backoff_seconds;
    (0..max_retries)
        .map(|_| {
            let this = wait.min(LONGEST_WAIT_SECONDS);
            wait = this.saturating_mul(2);
            this
        })
        .sum()
}

/// Compares the declarations with each other. `sides` are in file order.
pub(super) fn side_by_side(
    sides: &[Side],
    declarations: &Declarations,
    diagnostics: &mut Diagnostics,
) {
    pinned_twice(sides, diagnostics);
    named_twice(sides, diagnostics);
    let present: Vec<Sender<'_>> = sides
        .iter()
        .filter_map(|side| {
            Some(Sender {
                key: &side.key,
                address: side.address.as_ref()?,
                webhook: declarations.present.get(&side.key)?,
            })
        })
        .collect();
    delivered_twice(&present, diagnostics);
    tokens_to_many(&present, diagnostics);
}

/// An enabled webhook.
#[derive(Clone, Copy)]
struct Sender<'a> {
    key: &'a Key,
    address: &'a Address,
    webhook: &'a Present,
}

fn pinned_twice(sides: &[Side], diagnostics: &mut Diagnostics) {
    let mut first_by_id: HashMap<&RemoteId, &Side> = HashMap::new();
    for side in sides {
        let Some(id) = &side.id else { continue };
        match first_by_id.get(&id.value) {
            None => {
                first_by_id.insert(&id.value, side);
            }
            Some(first) => {
                let place = first.id.as_ref().map_or(first.key_span, |id| id.span);
                diagnostics.push(
                    Diagnostic::new(
                        Code::DuplicateId,
                        format!("'{}' and '{}' pin the same id", first.key, side.key),
                    )
                    .at(id.span, "the second one")
                    .and(place, "the first one")
                    .help("remove one of the pins: a webhook has one declaration"),
                );
            }
        }
    }
}

fn named_twice(sides: &[Side], diagnostics: &mut Diagnostics) {
    let mut first_by_name: HashMap<String, &Side> = HashMap::new();
    for side in sides {
        let name = normal_name(&side.name);
        let Some(first) = first_by_name.get(&name) else {
            first_by_name.insert(name, side);
            continue;
        };
        if first.id.is_some() && side.id.is_some() {
            continue;
        }
        diagnostics.push(
            Diagnostic::new(
                Code::AmbiguousName,
                format!("'{}' and '{}' have the same name", first.key, side.key),
            )
            .at(side.name_span, "the second one")
            .and(first.name_span, "the first one")
            .help(
                "give each its own name, or pin both with 'id': without the local record, webhooks are found by name",
            ),
        );
    }
}

fn delivered_twice(senders: &[Sender<'_>], diagnostics: &mut Diagnostics) {
    let mut by_url: HashMap<&str, Vec<Sender<'_>>> = HashMap::new();
    for sender in senders.iter().filter(|sender| sender.webhook.spec.enabled) {
        let actions = &sender.webhook.spec.actions;
        let others = by_url.entry(&sender.address.normal).or_default();
        let overlapping = others
            .iter()
            .find(|other| other.webhook.spec.actions.overlaps(actions));
        let Some(first) = overlapping else {
            others.push(*sender);
            continue;
        };
        diagnostics.push(
            Diagnostic::new(
                Code::DuplicateDelivery,
                format!(
                    "'{}' and '{}' send the same events to one address",
                    first.key, sender.key
                ),
            )
            .at(sender.address.span, "each event arrives here twice")
            .and(first.address.span, "and here")
            .help("merge their actions in one webhook, or disable one of the two"),
        );
        others.push(*sender);
    }
}

fn tokens_to_many(senders: &[Sender<'_>], diagnostics: &mut Diagnostics) {
    /// The first host and range of a source, and whether it has further hosts.
    struct Use<'a> {
        host: &'a str,
        span: Span,
        is_reported: bool,
    }
    let mut uses: HashMap<&SecretSource, Use<'_>> = HashMap::new();
    for sender in senders {
        let address = sender.address;
        let (Token::Managed(source), Some(host)) = (&sender.webhook.token, &address.host) else {
            continue;
        };
        let first = uses.entry(&source.value).or_insert(Use {
            host,
            span: address.span,
            is_reported: false,
        });
        if first.host == *host || first.is_reported {
            continue;
        }
        first.is_reported = true;
        diagnostics.push(
            Diagnostic::new(
                Code::SharedToken,
                format!("one token is sent to '{}' and '{host}'", first.host),
            )
            .at(address.span, "sent here")
            .and(first.span, "and here")
            .help(
                "give each receiver its own token, so that none can impersonate the API to another",
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_only_the_own_network_reaches() {
        let reach = |url: &str| {
            let url = Url::parse(url).unwrap();
            private_reach(&url.host().unwrap()).is_some()
        };
        for private in [
            "http://localhost",
            "http://a.localhost",
            "https://127.0.0.1",
            "https://127.1",
            "https://0x7f000001",
            "https://0.0.0.0",
            "https://10.1.2.3",
            "https://192.168.0.1",
            "https://172.31.0.1",
            "https://169.254.169.254",
            "https://100.64.0.1",
            "https://[::1]",
            "https://[fd00::1]",
            "https://[fe80::1]",
            "https://[::ffff:10.0.0.1]",
            "https://printer.local",
            "https://a.internal",
            "https://hooks",
            "https://localhost.",
        ] {
            assert!(reach(private), "{private}");
        }
        for public in [
            "https://example.com",
            "https://8.8.8.8",
            "https://172.32.0.1",
            "https://100.128.0.1",
            "https://[2606:4700::1111]",
            "https://localhost.example.com",
        ] {
            assert!(!reach(public), "{public}");
        }
    }

    #[test]
    fn waits_double_up_to_half_an_hour() {
        assert_eq!(schedule_seconds(0, 300), 0);
        assert_eq!(schedule_seconds(3, 10), 70);
        assert_eq!(schedule_seconds(10, 1), 1023);
        // 300 + 600 + 1200, then 1800 for each of the other seven.
        assert_eq!(schedule_seconds(10, 300), 2100 + 7 * 1800);
        assert_eq!(schedule_seconds(i64::from(u8::MAX), i64::MAX), 255 * 1800);
    }
}
