//! Storage of the emulator: in memory, or in a file that never contains a token.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contract::{Changes, Token, Webhook};
use super::webhooks::Webhooks;

/// The stored content.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    /// The version of the file format: 1.
    version: u32,
    /// The seed of ids, which distinguishes them from those of other accounts.
    seed: u64,
    /// The number of webhooks ever created.
    made: u32,
    /// The webhooks, in order of creation.
    webhooks: Webhooks,
    /// Deliveries, as added by the caller.
    #[serde(default)]
    events: Vec<Value>,
    /// Delivery attempts, as added by the caller.
    #[serde(default)]
    attempts: Vec<Value>,
    /// The attempts of each event before it was last requested again.
    #[serde(default)]
    spent: BTreeMap<String, u64>,
}

/// The maximum number of events that are kept.
const MOST_EVENTS: usize = 1_000;

/// The state of a file, which changes with each write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            inode,
        }
    }
}

/// The content of an emulator, and where it is stored.
#[derive(Debug)]
pub(super) struct Store {
    content: Content,
    /// The tokens, for tests. They are never written to the file.
    tokens: BTreeMap<String, String>,
    path: Option<PathBuf>,
    /// The file as last read or written. Other processes write it, too.
    stamp: Option<Stamp>,
    /// The number of rows made for deliveries, for their ids.
    rows: u32,
}

impl Store {
    /// Creates an empty store in memory. The same seed produces the same ids.
    pub(super) fn in_memory(seed: u64) -> Self {
        Self {
            content: Content {
                version: 1,
                seed,
                ..Content::default()
            },
            tokens: BTreeMap::new(),
            path: None,
            stamp: None,
            rows: 0,
        }
    }

    /// Opens the store of a file, or an empty one with `seed` if the file does not exist.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read. It is then never overwritten.
    pub(super) fn in_file(path: &Path, seed: u64) -> io::Result<Self> {
        let mut store = Self::in_memory(seed);
        store.path = Some(path.to_owned());
        store.refresh()?;
        Ok(store)
    }

    /// Reads the file again, if another process has written it.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read. The content stays as it was.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let metadata = match fs::symlink_metadata(path) {
            // Reading a FIFO or a device may block, and a link leads elsewhere.
            Ok(metadata) if !metadata.is_file() => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "it is not a regular file",
                ));
            }
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let stamp = Stamp::of(&metadata);
        if self.stamp == Some(stamp) {
            return Ok(());
        }
        let content: Content = serde_json::from_slice(&fs::read(path)?).map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("not a sandbox file ({error}); move it away to start anew"),
            )
        })?;
        if content.version != 1 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "made by a newer version; move it away to start anew",
            ));
        }
        self.content = content;
        self.stamp = Some(stamp);
        Ok(())
    }

    /// Changes the content, and writes it. Another process cannot write in between.
    fn change<T>(&mut self, change: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        let _lock = self.lock()?;
        self.refresh()?;
        let changed = change(&mut self.content);
        self.save()?;
        Ok(changed)
    }

    /// Waits for the other processes that write the file. The lock ends with the returned file.
    fn lock(&self) -> io::Result<Option<fs::File>> {
        let Some(path) = &self.path else {
            return Ok(None);
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.with_extension("lock"))?;
        lock.lock()?;
        Ok(Some(lock))
    }

    pub(super) fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        self.content.webhooks.iter()
    }

    pub(super) fn token(&self, id: &str) -> Option<&str> {
        self.tokens.get(id).map(String::as_str)
    }

    /// Gives the token of a webhook to the emulator, in memory.
    pub(super) fn give_token(&mut self, id: &str, token: String) {
        self.tokens.insert(id.to_owned(), token);
    }

    pub(super) fn create(&mut self, changes: Changes) -> io::Result<Webhook> {
        let token = changes.token.clone();
        let webhook = self.change(|content| {
            content.made += 1;
            let id = format!("{:016x}{:08x}", content.seed, content.made);
            let webhook = changes.into_webhook(id);
            content.webhooks.put(webhook.clone());
            webhook
        })?;
        self.keep_token(&webhook.id, &token);
        Ok(webhook)
    }

    pub(super) fn update(&mut self, id: &str, changes: &Changes) -> io::Result<Option<Webhook>> {
        let updated = self.change(|content| {
            let webhook = content.webhooks.get_mut(id)?;
            changes.apply(webhook);
            Some(webhook.clone())
        })?;
        if updated.is_some() {
            self.keep_token(id, &changes.token);
        }
        Ok(updated)
    }

    pub(super) fn delete(&mut self, id: &str) -> io::Result<bool> {
        self.tokens.remove(id);
        self.change(|content| content.webhooks.remove(id))
    }

    /// Replaces the webhook with the same id, or appends the webhook.
    pub(super) fn put(&mut self, webhook: Webhook) -> io::Result<()> {
        self.change(|content| content.webhooks.put(webhook))
    }

    pub(super) fn events(&self) -> &[Value] {
        &self.content.events
    }

    pub(super) fn attempts(&self) -> &[Value] {
        &self.content.attempts
    }

    pub(super) fn seed_event(&mut self, event: Value) -> io::Result<()> {
        self.change(|content| content.events.push(event))
    }

    pub(super) fn seed_attempt(&mut self, attempt: Value) -> io::Result<()> {
        self.change(|content| content.attempts.push(attempt))
    }

    /// Returns a new id for a row of a delivery: 24 hexadecimal digits that begin with the time.
    pub(super) fn draw_id(&mut self, at: Timestamp) -> String {
        // Two processes that use one file may count alike, so chance is a part of the id.
        self.rows = self.rows.wrapping_add(1);
        let seconds = u32::try_from(at.as_second()).unwrap_or_default();
        let chance = getrandom::u32().unwrap_or_default();
        format!("{seconds:08x}{chance:08x}{:08x}", self.rows)
    }

    /// Adds events. Of the earlier ones only the latest are kept, with their attempts.
    pub(super) fn add_events(&mut self, events: Vec<Value>) -> io::Result<()> {
        self.change(|content| {
            let most = MOST_EVENTS.max(events.len());
            content.events.extend(events);
            let excess = content.events.len().saturating_sub(most);
            let dropped: BTreeSet<String> = content
                .events
                .drain(..excess)
                .filter_map(|event| own_id(&event))
                .collect();
            let is_kept = |id: Option<&Value>| {
                !id.and_then(Value::as_str)
                    .is_some_and(|id| dropped.contains(id))
            };
            content
                .attempts
                .retain(|attempt| is_kept(attempt.get("event_id")));
            content.spent.retain(|id, _| !dropped.contains(id));
        })
    }

    /// Records an attempt, which `attempt` returns from the event that it updates. Does nothing if the event was removed.
    pub(super) fn record_attempt(
        &mut self,
        event_id: &str,
        attempt: impl FnOnce(&mut Value) -> Value,
    ) -> io::Result<()> {
        self.change(|content| {
            let mut events = content.events.iter_mut();
            if let Some(event) = events.find(|event| has_id(event, event_id)) {
                content.attempts.push(attempt(event));
            }
        })
    }

    /// Returns how many attempts of an event came before it was last requested again.
    pub(super) fn spent(&self, event_id: &str) -> u64 {
        self.content.spent.get(event_id).copied().unwrap_or(0)
    }

    /// Sets an event to pending, by its document id. Returns its event id.
    pub(super) fn retry(&mut self, document_id: &str) -> io::Result<Option<Value>> {
        self.change(|content| {
            let mut events = content.events.iter_mut();
            let event = events
                .find(|event| event.get("_id").and_then(Value::as_str) == Some(document_id))?;
            let event_id = event.get("event_id").cloned().unwrap_or_default();
            let count = event.get("attempts_count").and_then(Value::as_u64);
            if let Some(event) = event.as_object_mut() {
                event.insert("status".to_owned(), json!("pending"));
                event.insert("next_retry_at".to_owned(), Value::Null);
            }
            if let Some(id) = event_id.as_str() {
                content.spent.insert(id.to_owned(), count.unwrap_or(0));
            }
            Some(event_id)
        })
    }

    fn keep_token(&mut self, id: &str, token: &Token) {
        match token {
            Token::Keep => {}
            Token::Set(token) => {
                self.tokens.insert(id.to_owned(), token.clone());
            }
            Token::Clear => {
                self.tokens.remove(id);
            }
        }
    }

    /// Writes the file as a whole or not at all.
    fn save(&mut self) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(&self.content)?)?;
        file.as_file().sync_all()?;
        let written = file.persist(path).map_err(|error| error.error)?;
        self.stamp = Some(Stamp::of(&written.metadata()?));
        Ok(())
    }
}

fn has_id(row: &Value, event_id: &str) -> bool {
    row.get("event_id").and_then(Value::as_str) == Some(event_id)
}

fn own_id(row: &Value) -> Option<String> {
    Some(row.get("event_id")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    fn body() -> Changes {
        contract::create(&json!({
            "name": "A", "url": "https://a.example", "actions": ["workflow_created"],
            "bearer_token": "hunter2"
        }))
        .unwrap()
    }

    #[test]
    fn a_file_is_read_back_and_holds_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox").join("qa.json");
        let mut store = Store::in_file(&path, 7).unwrap();
        let made = store.create(body()).unwrap();
        assert_eq!(made.id, "000000000000000700000001");
        assert_eq!(store.token(&made.id), Some("hunter2"));
        let again = Store::in_file(&path, 8).unwrap();
        assert!(again.webhooks().eq(store.webhooks()));
        assert_eq!(again.content.seed, 7);
        assert!(!fs::read_to_string(&path).unwrap().contains("hunter2"));
    }

    #[test]
    fn processes_that_share_a_file_keep_the_changes_of_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qa.json");
        let mut one = Store::in_file(&path, 7).unwrap();
        let mut other = Store::in_file(&path, 8).unwrap();
        let first = one.create(body()).unwrap();
        let second = other.create(body()).unwrap();
        one.seed_event(json!({ "event_id": "e", "_id": "d" }))
            .unwrap();
        assert_eq!(other.retry("d").unwrap(), Some(json!("e")));
        one.refresh().unwrap();
        for store in [&one, &other] {
            let ids: Vec<_> = store.webhooks().map(|one| &one.id).collect();
            assert_eq!(ids, [&first.id, &second.id]);
            assert_eq!(store.events()[0]["status"], "pending");
        }
    }

    #[test]
    fn only_the_latest_events_are_kept_with_their_attempts() {
        let mut store = Store::in_memory(7);
        let event = |number: usize| json!({ "event_id": format!("e{number}") });
        for number in 0..3 {
            store.add_events(vec![event(number)]).unwrap();
            let recorded = store.record_attempt(&format!("e{number}"), |event| event.clone());
            recorded.unwrap();
        }
        let more = (3..MOST_EVENTS + 2).map(event).collect();
        store.add_events(more).unwrap();
        assert_eq!(store.events().len(), MOST_EVENTS);
        assert_eq!(store.attempts(), [event(2)]);
        // Events that are made together are kept together.
        let many = (0..MOST_EVENTS + 5).map(event).collect();
        store.add_events(many).unwrap();
        assert_eq!(store.events().len(), MOST_EVENTS + 5);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qa.json");
        fs::write(&path, "{").unwrap();
        let error = Store::in_file(&path, 7).unwrap_err().to_string();
        assert!(error.starts_with("not a sandbox file"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "{");
    }
}
