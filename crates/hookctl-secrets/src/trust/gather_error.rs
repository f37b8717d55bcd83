//! Why the grants could not be determined.

use std::io;
use std::path::PathBuf;

use hookctl_core::outside::{Outside, beginning};

/// The most characters of a program's name in a message.
const SHOWN: usize = 200;

/// Why the grants could not be determined, or why the request is refused regardless of consent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatherError {
    /// The URL's host is not allowed.
    #[error("{} is not among the allowed hosts", Outside::text(origin))]
    HostNotAllowed {
        /// Scheme, host, and port.
        origin: String,
    },
    /// The fingerprint key is in the repository.
    #[error("the fingerprint key is in the repository, at {}", Outside::path(path))]
    FingerprintKeyInside {
        /// The file.
        path: PathBuf,
    },
    /// The arguments of a program contain too many names or links.
    #[error(
        "the arguments of '{}' contain too many names or links for consent to cover",
        Outside::text(&beginning(program, SHOWN))
    )]
    TooManyNames {
        /// The program.
        program: String,
    },
    /// A folder that a program uses has too many or too large files.
    #[error(
        "{}, which a program uses, is too large for consent to cover",
        Outside::path(path)
    )]
    TooLarge {
        /// The folder.
        path: PathBuf,
    },
    /// A file of the checkout that a program is, or that its arguments name, cannot be read.
    #[error("could not read {}, which a program uses", Outside::path(path))]
    Content {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}
