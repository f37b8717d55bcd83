//! Writes that are about to be sent: written down before they leave, so that a crash forgets none.
//!
//! A request can outlive its sender: after a kill, a time-out, or a gateway's answer it may still take effect. So
//! an intent says when it was sent, by which clock, and stays until it can no longer take effect.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Stamp;
use crate::secret::Fingerprint;
use crate::state::Written;
use crate::webhook::{Field, FieldValue, Key, RemoteId, TokenChange};

/// A write that is about to be sent. It is pending until it is settled; a key has one at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The key.
    pub key: Key,
    /// A moment before its last send, at most [`Horizon::SLACK`] before it.
    pub sent: Stamp,
    /// When another boot or another machine first saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Stamp>,
    /// Whether its outcome no longer matters, because an identical or a later write was confirmed. What may
    /// still arrive is the effect of a send without an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
    /// What is sent, as far as it matters if its answer is never seen.
    pub write: IntendedWrite,
    /// Earlier writes of this key that it replaced while they could still take effect, the latest first. Theirs are
    /// empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Intent>,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub enum IntendedWrite {
    /// A POST: only a list tells whether it happened.
    Create {
        /// What is sent, and what is to be remembered of it.
        webhook: Written<Fingerprint>,
        /// The webhooks of this name that were observed before: never taken for the one that it makes.
        seen: Vec<RemoteId>,
    },
    /// A PATCH: its fields can be compared; its token cannot.
    Patch {
        /// The webhook.
        id: RemoteId,
        /// The fields, as the API spells them.
        fields: BTreeMap<Field, serde_json::Value>,
        /// What it does with the token.
        token: TokenChange<Option<Fingerprint>>,
    },
    /// A DELETE: the list tells.
    Delete {
        /// The webhook.
        id: RemoteId,
    },
}

impl IntendedWrite {
    /// A PATCH of these fields.
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

    /// The webhook that it changes; `None` for a create.
    pub const fn id(&self) -> Option<&RemoteId> {
        match self {
            Self::Create { .. } => None,
            Self::Patch { id, .. } | Self::Delete { id } => Some(id),
        }
    }

    /// The HTTP method, for people.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Create { .. } => "POST",
            Self::Patch { .. } => "PATCH",
            Self::Delete { .. } => "DELETE",
        }
    }

    /// Whether it sets or clears a token, so that no list tells its effect.
    pub const fn touches_token(&self) -> bool {
        match self {
            Self::Create { webhook, .. } => webhook.token.is_some(),
            Self::Patch { token, .. } => !matches!(token, TokenChange::Keep),
            Self::Delete { .. } => false,
        }
    }
}

/// How long a request without an answer may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon(pub Duration);

impl Horizon {
    /// The most that a send may come after the moment that its intent names. A send that would come later writes
    /// its intent anew first.
    pub const SLACK: Duration = Duration::from_secs(5);

    /// Returns the slack of this horizon: never longer than the horizon itself.
    pub fn slack(self) -> Duration {
        Self::SLACK.min(self.0)
    }

    /// The most that a connection may take to be made, which comes before the send itself.
    pub const CONNECT: Duration = Duration::from_secs(10);

    /// Returns how long a connection may take: never longer than the horizon itself, unless that is zero, where nothing
    /// outlives its sender.
    pub fn connect(self) -> Duration {
        if self.0.is_zero() {
            Self::CONNECT
        } else {
            Self::CONNECT.min(self.0)
        }
    }

    /// Returns how long after its intent a write may still take effect: by default 60 s.
    pub fn whole(self) -> Duration {
        if self.0.is_zero() {
            return self.0;
        }
        let until_sent = self.slack().saturating_add(self.connect());
        self.0.saturating_add(until_sent)
    }
}

impl Default for Horizon {
    /// 45 s: the default request time-out, and 15 s more.
    fn default() -> Self {
        Self(Duration::from_secs(45))
    }
}

/// How long a write may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// The time until it no longer can; zero if that time has passed.
    pub time: Duration,
    /// Whether it counts from now, because no clock tells when it was sent: then this first sight has to be
    /// written down.
    pub first_sight: bool,
}

impl Intent {
    /// An intent of a write that is sent now.
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

    /// Returns it and those that it replaced, the latest first.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.earlier)
    }

    /// Returns it, and those that it replaced, under another key.
    #[must_use]
    pub fn renamed(self, key: &Key) -> Self {
        let rename = |intent: Self| intent.renamed(key);
        Self {
            key: key.clone(),
            earlier: self.earlier.into_iter().map(rename).collect(),
            ..self
        }
    }

    /// Returns what is left of it once its outcome no longer matters: the latest of `intents`, the others behind
    /// it.
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

    /// Returns whether it may still take effect.
    pub fn is_open(&self, now: &Stamp, horizon: Horizon) -> bool {
        !self.remaining(now, horizon).time.is_zero()
    }

    /// Returns how long it may still take effect.
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

/// The writes whose outcome is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pending {
    /// The writes, by key.
    pub intents: BTreeMap<Key, Intent>,
    /// The ids that were observed before those writes, as far as is known: no create made any of them. They matter only
    /// while a write is pending.
    pub seen: BTreeSet<RemoteId>,
}

impl Pending {
    /// Whether there is nothing to settle.
    pub fn is_empty(&self) -> bool {
        self.intents.is_empty()
    }

    /// The pending write of a key.
    pub fn of(&self, key: &Key) -> Option<&Intent> {
        self.intents.get(key)
    }

    /// The fingerprint of a token that a pending write sent for a key. One that was superseded is of no use: the
    /// record has a later one.
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
    fn a_write_of_another_boot_counts_from_its_first_sight_which_a_crash_loop_does_not_renew() {
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
