//! What was read last, in a file of this machine: the next process reads only what changed since, and notices a record that
//! was set back.
//!
//! The file is no part of the record, and nothing depends on it. One that cannot be read counts as absent.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hookctl_system::input::read_regular;
use serde::{Deserialize, Serialize};

use super::blobs::Version;
use super::format::{self, BaseBody, HeadBody};
use super::read::{Known, ReadHead, SinceBase, State};
use crate::sled::folder::{REPLICA, prepare};

/// The most bytes of the file. The content of a record of 100,000 webhooks is about a quarter of that.
const LARGEST: u64 = 256 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct ReplicaBody<'a> {
    head: HeadBody,
    e_tag: Option<String>,
    version: Option<String>,
    epoch: u64,
    entries: u64,
    bytes: u64,
    state: BaseBody<'a>,
}

/// Returns the file in a folder for what is read of a record. `place` names the record: its address and its account.
pub fn replica_file(folder: &Path, place: &str) -> PathBuf {
    let name = blake3::hash(place.as_bytes()).to_hex();
    let name = name.get(..16).unwrap_or_default();
    folder.join(format!("{REPLICA}{name}.json"))
}

/// Reads what the last process read.
pub(super) fn load(file: &Path) -> Option<Known> {
    let content = read_regular(file, LARGEST).ok()?;
    let body: ReplicaBody<'static> = format::decode("replica", &content).ok()?;
    if body.head.holder.is_some() || body.head.moved_to.is_some() {
        return None;
    }
    Some(Known {
        state: State {
            record: body.head.record.clone(),
            tail: body.head.tail,
            epoch: body.epoch,
            remembered: body.state.into_remembered(),
            since_base: SinceBase {
                entries: body.entries,
                bytes: body.bytes,
            },
        },
        head: ReadHead {
            body: body.head,
            version: Version {
                e_tag: body.e_tag,
                version: body.version,
            },
        },
    })
}

/// Keeps what was read, for the next process.
///
/// # Errors
/// If the file cannot be written. The next process then reads more.
pub(super) fn save(file: &Path, known: &Known) -> io::Result<()> {
    let Known { head, state } = known;
    let content = format::encode(&ReplicaBody {
        head: head.body.clone(),
        e_tag: head.version.e_tag.clone(),
        version: head.version.version.clone(),
        epoch: state.epoch,
        entries: state.since_base.entries,
        bytes: state.since_base.bytes,
        state: BaseBody::of(&state.record, &state.remembered),
    })
    .map_err(io::Error::other)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    prepare(folder).map_err(io::Error::other)?;
    let mut unfinished = tempfile::Builder::new()
        .prefix(REPLICA)
        .tempfile_in(folder)?;
    unfinished.write_all(&content)?;
    unfinished.persist(file)?;
    Ok(())
}
