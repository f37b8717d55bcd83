//! The generation file: the minimum generation of the database beside it.
//!
//! It detects a database that was silently rolled back, by a power loss or a restored copy. The file has two slots
//! that are written in turn, so that one of them is valid even after an interrupted write.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::error::{SledError, io_error};
use super::folder::{GENERATION, open_own};
use super::schema::{self, Generation, InvalidValue};
use hookctl_core::record::Head;
use hookctl_system::input::open_plain;

/// The size of a slot in bytes.
const PLACE: usize = 128;

/// The tree name that the checksum covers.
const NAME: &str = "generation";

/// The open generation file.
pub(super) struct GenerationFile {
    file: Mutex<File>,
    path: PathBuf,
}

/// Returns a tag of the state of a folder's record, without opening the record. Returns `None` if there is none, if nothing
/// was written to it, or if its state cannot be read.
pub(super) fn head(directory: &Path) -> Option<Head> {
    let file = open_plain(&directory.join(GENERATION), File::options().read(true)).ok()?;
    let modified = file.metadata().and_then(|file| file.modified()).ok();
    let mut tag = Vec::new();
    file.take(4 * PLACE as u64).read_to_end(&mut tag).ok()?;
    if tag.is_empty() {
        return None;
    }
    let modified = modified.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    tag.extend(modified.unwrap_or_default().as_nanos().to_be_bytes());
    Some(Head::new(tag))
}

/// The content of the file.
pub(super) enum Found {
    /// The file does not exist.
    Missing,
    /// Neither slot is valid.
    Damaged(InvalidValue),
    /// The later of the valid slots.
    Whole(Generation),
}

impl GenerationFile {
    /// Reads the file in a folder.
    pub(super) fn read(path: &Path) -> Result<Found, SledError> {
        let mut content = Vec::new();
        match open_plain(path, File::options().read(true)) {
            Ok(file) => file
                .take(4 * PLACE as u64)
                .read_to_end(&mut content)
                .map_err(io_error("read", path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
            Err(error) => return Err(io_error("read", path)(error)),
        };
        let places = [0, 1].map(|place| decode(&content, place));
        let latest = places
            .iter()
            .filter_map(|place| place.as_ref().ok())
            .max_by_key(|generation| generation.number);
        Ok(match latest {
            Some(generation) => Found::Whole(*generation),
            None => Found::Damaged(InvalidValue::Checksum),
        })
    }

    /// Opens the file for writing, and creates it if it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, SledError> {
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        let file = open_own(path, &mut options)?;
        Ok(Self {
            file: Mutex::new(file),
            path: path.to_owned(),
        })
    }

    /// Writes the next generation. Durable when this returns.
    pub(super) fn write(&self, generation: Generation) -> Result<(), SledError> {
        let failed = || io_error("write", &self.path);
        let mut value = schema::encode(NAME, b"", &generation)
            .map_err(|error| failed()(io::Error::other(error)))?;
        let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
        value.insert(0, length);
        value.resize(PLACE, 0);
        let place = generation.number % 2 * PLACE as u64;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place))
            .and_then(|_| file.write_all(&value))
            .and_then(|()| file.sync_data())
            .map_err(failed())
    }
}

fn decode(content: &[u8], place: usize) -> Result<Generation, InvalidValue> {
    let start = place * PLACE;
    let (length, value) = content
        .get(start..)
        .and_then(<[u8]>::split_first)
        .ok_or(InvalidValue::Checksum)?;
    let value = value
        .get(..usize::from(*length))
        .ok_or(InvalidValue::Checksum)?;
    schema::decode(NAME, b"", value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &Path) -> Option<u64> {
        match GenerationFile::read(path).unwrap() {
            Found::Whole(generation) => Some(generation.number),
            Found::Missing | Found::Damaged(_) => None,
        }
    }

    #[test]
    fn the_later_of_two_places_holds_and_the_earlier_if_it_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("generation");
        assert!(matches!(
            GenerationFile::read(&path).unwrap(),
            Found::Missing
        ));
        let file = GenerationFile::open(&path).unwrap();
        for number in 1..=4 {
            let records = 2;
            file.write(Generation { number, records }).unwrap();
            assert_eq!(found(&path), Some(number));
        }
        let mut content = std::fs::read(&path).unwrap();
        content[3] ^= 1;
        std::fs::write(&path, &content).unwrap();
        assert_eq!(found(&path), Some(3));
        content[PLACE + 3] ^= 1;
        std::fs::write(&path, &content).unwrap();
        assert_eq!(found(&path), None);
    }
}
