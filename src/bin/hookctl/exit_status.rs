//! The exit codes. They are part of the interface, and do not depend on the output format.

use std::process::ExitCode;

/// How the program exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// 0: done, or nothing to do.
    Success,
    /// 1: an error. Nothing was written, or the outcome is unknown.
    Error,
    /// 2: the files ask for changes. Only with `--dry-run --detailed-exitcode`.
    Changes,
    /// 3: only drift. Only with `--dry-run --detailed-exitcode`.
    Drift,
    /// 4: a partly failed apply.
    PartlyFailed,
    /// 5: refused by a safety rule.
    Refused,
    /// 6: deliveries fail. A sync with a verification was applied.
    DeliveriesFail,
    /// 64: wrong usage.
    Usage,
    /// 130: interrupted, after requests in flight were settled and recorded.
    Interrupted,
}

impl ExitStatus {
    /// Returns the exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Error => 1,
            Self::Changes => 2,
            Self::Drift => 3,
            Self::PartlyFailed => 4,
            Self::Refused => 5,
            Self::DeliveriesFail => 6,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }

    /// Returns the status of a run with two results.
    pub(crate) const fn or(self, other: Self) -> Self {
        if self.rank() <= other.rank() {
            self
        } else {
            other
        }
    }

    /// Returns the precedence where several statuses apply; the lowest wins.
    const fn rank(self) -> u8 {
        match self {
            Self::Usage => 0,
            Self::Interrupted => 1,
            Self::Error => 2,
            Self::Refused => 3,
            Self::PartlyFailed => 4,
            Self::DeliveriesFail => 5,
            Self::Changes => 6,
            Self::Drift => 7,
            Self::Success => 8,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
