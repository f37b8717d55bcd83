//! Storage of the emulator: in memory, or in a file that never contains a token.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contract::{Changes, Token, Webhook};

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
    webhooks: Vec<Webhook>,
    /// Deliveries, as added by the caller.
    #[serde(default)]
    events: Vec<Value>,
    /// Delivery attempts, as added by the caller.
    #[serde(default)]
    attempts: Vec<Value>,
}

/// The content of an emulator, and where it is stored.
#[derive(Debug)]
pub(super) struct Store {
    content: Content,
    /// The tokens, for tests. They are never written to the file.
    tokens: BTreeMap<String, String>,
    path: Option<PathBuf>,
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
        }
    }

    /// Opens the store of a file, or an empty one with `seed` if the file does not exist.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read. It is then never overwritten.
    pub(super) fn in_file(path: &Path, seed: u64) -> io::Result<Self> {
        let mut store = Self::in_memory(seed);
        let content = match fs::symlink_metadata(path) {
            // Reading a FIFO or a device may block, and a link leads elsewhere.
            Ok(metadata) if !metadata.is_file() => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file",
            )),
            Ok(_) => fs::read(path),
            Err(error) => Err(error),
        };
        match content {
            Ok(text) => {
                let content: Content = serde_json::from_slice(&text).map_err(|error| {
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
                store.content = content;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        store.path = Some(path.to_owned());
        Ok(store)
    }

    pub(super) fn webhooks(&self) -> &[Webhook] {
        &self.content.webhooks
    }

    pub(super) fn token(&self, id: &str) -> Option<&str> {
        self.tokens.get(id).map(String::as_str)
    }

    pub(super) fn create(&mut self, changes: Changes) -> io::Result<Webhook> {
        self.content.made += 1;
        let id = format!("{:016x}{:08x}", self.content.seed, self.content.made);
        self.keep_token(&id, &changes.token);
        let webhook = changes.into_webhook(id);
        self.content.webhooks.push(webhook.clone());
        self.save()?;
        Ok(webhook)
    }

    pub(super) fn update(&mut self, id: &str, changes: &Changes) -> io::Result<Option<Webhook>> {
        let found = self
            .content
            .webhooks
            .iter_mut()
            .find(|webhook| webhook.id == id);
        let Some(webhook) = found else {
            return Ok(None);
        };
        changes.apply(webhook);
        let webhook = webhook.clone();
        self.keep_token(id, &changes.token);
        self.save()?;
        Ok(Some(webhook))
    }

    pub(super) fn delete(&mut self, id: &str) -> io::Result<bool> {
        let before = self.content.webhooks.len();
        self.content.webhooks.retain(|webhook| webhook.id != id);
        self.tokens.remove(id);
        let deleted = self.content.webhooks.len() < before;
        if deleted {
            self.save()?;
        }
        Ok(deleted)
    }

    /// Replaces the webhook with the same id, or appends the webhook.
    pub(super) fn put(&mut self, webhook: Webhook) -> io::Result<()> {
        match self
            .content
            .webhooks
            .iter_mut()
            .find(|known| known.id == webhook.id)
        {
            Some(known) => *known = webhook,
            None => self.content.webhooks.push(webhook),
        }
        self.save()
    }

    pub(super) fn events(&self) -> &[Value] {
        &self.content.events
    }

    pub(super) fn attempts(&self) -> &[Value] {
        &self.content.attempts
    }

    pub(super) fn seed_event(&mut self, event: Value) -> io::Result<()> {
        self.content.events.push(event);
        self.save()
    }

    pub(super) fn seed_attempt(&mut self, attempt: Value) -> io::Result<()> {
        self.content.attempts.push(attempt);
        self.save()
    }

    /// Sets an event to pending, by its document id. Returns its event id.
    pub(super) fn retry(&mut self, document_id: &str) -> io::Result<Option<Value>> {
        let found = self
            .content
            .events
            .iter_mut()
            .find(|event| event.get("_id").and_then(Value::as_str) == Some(document_id));
        let Some(event) = found else {
            return Ok(None);
        };
        if let Some(event) = event.as_object_mut() {
            event.insert("status".to_owned(), json!("pending"));
        }
        let event_id = event.get("event_id").cloned().unwrap_or_default();
        self.save()?;
        Ok(Some(event_id))
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
    fn save(&self) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(&self.content)?)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
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
        assert_eq!(again.webhooks(), store.webhooks());
        assert_eq!(again.content.seed, 7);
        assert!(!fs::read_to_string(&path).unwrap().contains("hunter2"));
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
