//! Intents: writes that are journaled before they are sent, so that a crash loses none.
//!
//! A request can outlive its sender: after a kill, a time-out, or a gateway error it may still take effect. An intent
//! therefore records when, and by which clock, it was sent. It stays until it can no longer take effect.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::secret::Fingerprint;
use crate::state::Written;
use crate::webhook::{Field, FieldValue, Key, RemoteId, TokenChange};

/// A write that is about to be sent. It is pending until it is settled. A key has at most one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The webhook's key.
    pub key: Key,
    /// The time of its last send, or up to [`Horizon::SLACK`] earlier.
    pub sent: Stamp,
    /// When another boot or another machine first read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Stamp>,
    /// Whether its outcome no longer matters, because an identical or a later write was confirmed. A send without a
    /// response may still take effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
    /// The write, as far as it is needed to settle it without a response.
    pub write: IntendedWrite,
    /// Earlier writes of this key that it replaced while they could still take effect, the latest first. Their own
    /// `earlier` is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Intent>,
}

/// The request of an intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub enum IntendedWrite {
    /// A POST. Only a list shows whether it took effect.
    Create {
        /// The webhook to create, with the token's fingerprint.
        webhook: Written<Fingerprint>,
        /// The ids that were observed earlier under this name. The created webhook is none of them.
        seen: Vec<RemoteId>,
    },
    /// A PATCH. A list shows its fields, but not its token.
    Patch {
        /// The webhook's id.
        id: RemoteId,
        /// The fields, in the API's format.
        fields: BTreeMap<Field, serde_json::Value>,
        /// The change of the token.
        token: TokenChange<Option<Fingerprint>>,
    },
    /// A DELETE. A list shows whether it took effect.
    Delete {
        /// The webhook's id.
        id: RemoteId,
    },
}

impl IntendedWrite {
    /// Returns a PATCH of these fields.
    pub fn patch(
        id: RemoteId,
        fields: &[(Field, FieldValue)],
        token: TokenChange<Option<Fingerprint>>,
    ) -> Self {
        let spelled = |value: &FieldValue| serde_json::to_value(value).unwrap_or_default();
        Self::Patch {
            id,
            fields: fields
                .iter()
                .map(|(field, value)| (*field, spelled(value)))
                .collect(),
            token,
        }
    }

    /// Returns the id of the webhook that it changes; `None` for a create.
    pub const fn id(&self) -> Option<&RemoteId> {
        match self {
            Self::Create { .. } => None,
            Self::Patch { id, .. } | Self::Delete { id } => Some(id),
        }
    }

    /// Returns the HTTP method.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Create { .. } => "POST",
            Self::Patch { .. } => "PATCH",
            Self::Delete { .. } => "DELETE",
        }
    }

    /// Returns whether it sets or clears a token, which no list shows.
    pub const fn touches_token(&self) -> bool {
        match self {
            Self::Create { webhook, .. } => webhook.token.is_some(),
            Self::Patch { token, .. } => !matches!(token, TokenChange::Keep),
            Self::Delete { .. } => false,
        }
    }
}

/// How long a request without a response may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon(pub Duration);

impl Horizon {
    /// The longest time between an intent's stamp and its send. A later send renews the intent first.
    pub const SLACK: Duration = Duration::from_secs(5);

    /// Returns the slack of this horizon, which is never longer than the horizon itself.
    pub fn slack(self) -> Duration {
        Self::SLACK.min(self.0)
    }

    /// The longest time for establishing a connection, which precedes the send itself.
    pub const CONNECT: Duration = Duration::from_secs(10);

    /// Returns the connection time-out, which is never longer than a nonzero horizon. With a zero horizon, no request
    /// outlives its sender.
    pub fn connect(self) -> Duration {
        if self.0.is_zero() {
            Self::CONNECT
        } else {
            Self::CONNECT.min(self.0)
        }
    }

    /// Returns how long after its stamp an intent may take effect, by default 60 s.
    pub fn whole(self) -> Duration {
        if self.0.is_zero() {
            return self.0;
        }
        let until_sent = self.slack().saturating_add(self.connect());
        self.0.saturating_add(until_sent)
    }
}

impl Default for Horizon {
    /// 45 s: the default request time-out plus 15 s.
    fn default() -> Self {
        Self(Duration::from_secs(45))
    }
}

/// How long a write may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// The remaining time; zero once it has passed.
    pub time: Duration,
    /// Whether the time counts from now, because no clock can tell when the write was sent. This first sight must be
    /// recorded.
    pub first_sight: bool,
}

impl Intent {
    /// Returns the intent of a write that is sent now.
    pub const fn new(key: Key, sent: Stamp, write: IntendedWrite) -> Self {
        Self {
            key,
            sent,
            first_seen: None,
            superseded: false,
            write,
            earlier: Vec::new(),
        }
    }

    /// Returns this intent and those that it replaced, the latest first.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.earlier)
    }

    /// Returns the fingerprint of the latest token that a PATCH among this intent and those that it replaced sets.
    pub fn sets_token(&self) -> Option<&Fingerprint> {
        self.chain().find_map(|one| match &one.write {
            IntendedWrite::Patch {
                token: TokenChange::Set(token),
                ..
            } => token.as_ref(),
            _ => None,
        })
    }

    /// Returns this intent, and those that it replaced, under another key.
    #[must_use]
    pub fn renamed(self, key: &Key) -> Self {
        let rename = |intent: Self| intent.renamed(key);
        Self {
            key: key.clone(),
            earlier: self.earlier.into_iter().map(rename).collect(),
            ..self
        }
    }

    /// Returns the superseded form of intents whose outcome no longer matters: the first, which is the latest, with
    /// the rest in `earlier`. Returns `None` without intents.
    pub fn superseded(intents: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut intents = intents.into_iter().map(|intent| Self {
            superseded: true,
            earlier: Vec::new(),
            ..intent
        });
        let latest = intents.next()?;
        Some(Self {
            earlier: intents.collect(),
            ..latest
        })
    }

    /// Returns this intent, and those that it replaced, as first seen now where no clock can tell when they were sent.
    #[must_use]
    pub fn seen(self, now: &Stamp, horizon: Horizon) -> Self {
        let is_first = self.remaining(now, horizon).first_sight;
        let earlier = self.earlier.into_iter();
        Self {
            first_seen: if is_first {
                Some(now.clone())
            } else {
                self.first_seen
            },
            earlier: earlier.map(|one| one.seen(now, horizon)).collect(),
            ..self
        }
    }

    /// Returns whether the write may still take effect.
    pub fn is_open(&self, now: &Stamp, horizon: Horizon) -> bool {
        !self.remaining(now, horizon).time.is_zero()
    }

    /// Returns how long the write may still take effect.
    pub fn remaining(&self, now: &Stamp, horizon: Horizon) -> Remaining {
        let whole = horizon.whole();
        let seen = self.first_seen.as_ref();
        let passed = self
            .sent
            .elapsed(now)
            .or_else(|| seen.and_then(|seen| seen.elapsed(now)));
        Remaining {
            time: whole.saturating_sub(passed.unwrap_or_default()),
            first_sight: passed.is_none() && !whole.is_zero(),
        }
    }
}

/// The writes whose outcome is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pending {
    /// The writes, by key.
    pub intents: BTreeMap<Key, Intent>,
    /// The known ids that were observed before these writes. No create made any of them. They matter only while a
    /// write is pending.
    pub seen: BTreeSet<RemoteId>,
}

impl Pending {
    /// Returns whether there is nothing to settle.
    pub fn is_empty(&self) -> bool {
        self.intents.is_empty()
    }

    /// Returns the pending write of a key.
    pub fn of(&self, key: &Key) -> Option<&Intent> {
        self.intents.get(key)
    }

    /// Returns the fingerprint of the token that a pending write of a key sets. Ignores superseded writes, since the
    /// record has a later fingerprint.
    pub fn token_of(&self, key: &Key) -> Option<&Fingerprint> {
        match &self.of(key).filter(|intent| !intent.superseded)?.write {
            IntendedWrite::Create { webhook, .. } => webhook.token.as_ref(),
            IntendedWrite::Patch {
                token: TokenChange::Set(token),
                ..
            } => token.as_ref(),
            IntendedWrite::Patch { .. } | IntendedWrite::Delete { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Writer;

    fn stamp(boot: &str, uptime_ms: u64) -> Stamp {
        Stamp {
            at: jiff::Timestamp::UNIX_EPOCH,
            uptime_ms,
            writer: Writer {
                host: "host".to_owned(),
                boot: Some(boot.to_owned()),
                run: String::new(),
            },
        }
    }

    fn delete(id: &str) -> IntendedWrite {
        IntendedWrite::Delete {
            id: RemoteId::parse(id).unwrap(),
        }
    }

    #[test]
    fn a_write_of_this_boot_counts_from_its_sending() {
        let key = Key::parse("a").unwrap();
        let intent = Intent::new(key, stamp("x", 10_000), delete("id"));
        let remaining = |uptime| intent.remaining(&stamp("x", uptime), Horizon::default());
        assert_eq!(remaining(10_000).time, Duration::from_mins(1));
        assert_eq!(remaining(69_999).time, Duration::from_millis(1));
        assert_eq!(remaining(70_000).time, Duration::ZERO);
        assert!(!remaining(80_000).first_sight);
    }

    #[test]
    fn a_write_of_another_boot_counts_from_its_first_sight_and_a_crash_loop_does_not_renew_it() {
        let key = Key::parse("a").unwrap();
        let mut intent = Intent::new(key, stamp("before", 10_000), delete("id"));
        let now = stamp("x", 90_000);
        let remaining = intent.remaining(&now, Horizon::default());
        assert_eq!(remaining.time, Duration::from_mins(1));
        assert!(remaining.first_sight);
        intent.first_seen = Some(now);
        let remaining = intent.remaining(&stamp("x", 100_000), Horizon::default());
        assert_eq!(remaining.time, Duration::from_secs(50));
        assert!(!remaining.first_sight);
    }

    #[test]
    fn without_a_horizon_nothing_is_waited_for() {
        let key = Key::parse("a").unwrap();
        let intent = Intent::new(key, stamp("before", 10_000), delete("id"));
        let remaining = intent.remaining(&stamp("x", 0), Horizon(Duration::ZERO));
        assert_eq!(remaining.time, Duration::ZERO);
        assert!(!remaining.first_sight);
    }
}
