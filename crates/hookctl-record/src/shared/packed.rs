//! Checkpoints are compressed: a record of 100,000 webhooks fits in one object.

use std::io::{self, Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// The most bytes of a checkpoint before it is compressed. A record of 100,000 webhooks is about a quarter of that.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Returns the compressed content, or `None` if it could not be read back.
pub(super) fn pack(content: &[u8]) -> Option<Vec<u8>> {
    if content.len() as u64 > LARGEST {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

/// Returns the content of a compressed object.
///
/// # Errors
/// If it is not compressed, or is larger than any that [`pack`] makes.
pub(super) fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    GzDecoder::new(packed)
        .take(LARGEST + 1)
        .read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_read_back() {
        let content = b"{\"a\":1}".repeat(9);
        assert_eq!(unpack(&pack(&content).unwrap()).unwrap(), content);
    }

    #[test]
    fn content_that_is_larger_than_any_checkpoint_is_refused() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        io::copy(&mut io::repeat(b' ').take(LARGEST + 1), &mut encoder).unwrap();
        let packed = encoder.finish().unwrap();
        assert!(packed.len() < 4 * 1024 * 1024);
        assert_eq!(
            unpack(&packed).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        assert!(unpack(b"{}").is_err());
        assert!(unpack(packed.get(..99).unwrap()).is_err());
    }
}
