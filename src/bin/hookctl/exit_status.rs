//! The exit codes: part of the interface, the same whatever the output format.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// 0: done, or nothing to do.
    Success,
    /// 1: an error; nothing, or nothing certain, was written.
    Error,
    /// 2: only with `--dry-run --detailed-exitcode`: the files ask for changes.
    Changes,
    /// 3: only with `--dry-run --detailed-exitcode`: there is only drift.
    Drift,
    /// 4: a partly failed apply.
    PartlyFailed,
    /// 5: refused by a safety rule.
    Refused,
    /// 64: wrong usage.
    Usage,
    /// 130: interrupted, after what was in flight has been settled and recorded.
    Interrupted,
}

impl ExitStatus {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Error => 1,
            Self::Changes => 2,
            Self::Drift => 3,
            Self::PartlyFailed => 4,
            Self::Refused => 5,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
