//! The choice of a CI job, in an environment variable that no file can set.

use super::Digest;

/// The value of `HOOKCTL_TRUST`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Unset: stored consent applies.
    #[default]
    Unsaid,
    /// `1`: consent to everything.
    Everything,
    /// Digests: consent to exactly these authorities. Stored consent does not apply.
    Only(Vec<Digest>),
}

/// A value that is neither `1` nor a list of digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1, or digests printed by `hookctl trust`, separated by commas")]
pub struct InvalidChoice;

impl Choice {
    /// Parses the value of the variable.
    ///
    /// # Errors
    /// Returns [`InvalidChoice`] for any other value, since consent is never guessed.
    pub fn parse(text: Option<&str>) -> Result<Self, InvalidChoice> {
        match text {
            None | Some("") => Ok(Self::Unsaid),
            Some("1") => Ok(Self::Everything),
            Some(text) => text
                .split(',')
                .map(|item| Digest::parse(item.trim()))
                .collect::<Result<_, _>>()
                .map(Self::Only)
                .map_err(|_| InvalidChoice),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_1_and_digests_are_understood() {
        let digest = "ab".repeat(32);
        let parsed = Digest::parse(&digest).unwrap();
        assert_eq!(Choice::parse(None), Ok(Choice::Unsaid));
        assert_eq!(Choice::parse(Some("")), Ok(Choice::Unsaid));
        assert_eq!(Choice::parse(Some("1")), Ok(Choice::Everything));
        assert_eq!(Choice::parse(Some(&digest)), Ok(Choice::Only(vec![parsed])));
        let two = format!("{digest}, {digest}");
        assert_eq!(
            Choice::parse(Some(&two)),
            Ok(Choice::Only(vec![parsed, parsed]))
        );
        for wrong in [
            "0",
            "true",
            "yes",
            "all",
            " 1",
            "1,1",
            ",",
            &digest[1..],
            &format!("{digest},"),
        ] {
            assert_eq!(Choice::parse(Some(wrong)), Err(InvalidChoice), "{wrong}");
        }
    }
}
