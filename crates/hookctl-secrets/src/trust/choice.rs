//! What a job says of consent, in a variable that no file can set.

use super::Digest;

/// What `HOOKCTL_TRUST` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Nothing: what was stored counts.
    #[default]
    Unsaid,
    /// `1`: everything has consent.
    Everything,
    /// Digests: exactly these authorities have consent, and nothing that was stored counts.
    Only(Vec<Digest>),
}

/// A text that is neither `1` nor digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is neither 1 nor a digest that `hookctl trust` prints, nor several of them with commas between"
)]
pub struct InvalidChoice;

impl Choice {
    /// Reads the value of the variable.
    ///
    /// # Errors
    /// [`InvalidChoice`]: consent is never guessed.
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
