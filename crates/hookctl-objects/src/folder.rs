//! The folder of one account's record.

use std::fmt::Write as _;

use hookctl_core::record::Account;

/// The version of the layout.
const LAYOUT: &str = "v1";

/// Returns the folder of an account's record, `v1/<target>-<8 hex digits of BLAKE3(base URL)>`, below the prefix of the
/// record's address.
///
/// ```
/// use hookctl_core::record::Account;
/// use hookctl_objects::folder;
///
/// let account = Account::new("prod", "https://api.example.com");
/// assert_eq!(folder(&account), "v1/prod-84647c2b");
/// ```
pub fn folder(account: &Account) -> String {
    let digest = blake3::hash(account.api().as_bytes()).to_hex();
    let digest = digest.get(..8).unwrap_or_default();
    format!("{LAYOUT}/{}-{digest}", part(account.target()))
}

/// Returns a text as part of an object's name. Other characters than those of an address become `=` and two hex digits for
/// each byte, so that no two texts have the same part.
fn part(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            part.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(part, "={byte:02x}");
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_different_folders() {
        let of = |target: &str, api: &str| folder(&Account::new(target, api));
        let one = of("prod", "https://a.example");
        assert!(one.starts_with("v1/prod-"), "{one}");
        assert_eq!(one.len(), "v1/prod-".len() + 8);
        assert_ne!(one, of("prod", "https://b.example"));
        assert_ne!(one, of("qa", "https://a.example"));
        assert!(of("a b", "x").starts_with("v1/a=20b-"));
        assert!(of("a=b", "x").starts_with("v1/a=3db-"));
        assert!(of("../ä", "x").starts_with("v1/..=2f=c3=a4-"));
    }
}
