//! Why it cannot be told what is asked for.

use std::io;
use std::path::PathBuf;

use hookctl_core::outside::{Outside, beginning};

/// How many characters of a program's name a message shows.
const SHOWN: usize = 200;

/// Why it cannot be told what is asked for, or why it is refused whatever there is consent to.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// The address is at none of the hosts that are allowed.
    #[error("{} is not among the hosts that are allowed", Outside::text(origin))]
    HostNotAllowed {
        /// Scheme, host, and port.
        origin: String,
    },
    /// The key of fingerprints is in the repository.
    #[error(
        "the key of fingerprints is in the repository, at {}",
        Outside::path(path)
    )]
    FingerprintKeyInside {
        /// The file.
        path: PathBuf,
    },
    /// The arguments of a program name more than is looked at.
    #[error(
        "the arguments of '{}' name too much for consent to cover it, or lead through too many links",
        Outside::text(&beginning(program, SHOWN))
    )]
    TooManyNames {
        /// The program.
        program: String,
    },
    /// A folder that a program uses holds more than is read.
    #[error(
        "{}, which a program uses, holds too much for consent to cover it",
        Outside::path(path)
    )]
    TooLarge {
        /// The folder.
        path: PathBuf,
    },
    /// A file of the checkout that is run, or that an argument names, cannot be read.
    #[error(
        "could not read {}, which is to be run or used by a program",
        Outside::path(path)
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
