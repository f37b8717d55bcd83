//! Random texts that permit a page its own script and style.

/// Returns 32 random hexadecimal digits.
pub(crate) fn nonce() -> Result<String, getrandom::Error> {
    let (high, low) = (getrandom::u64()?, getrandom::u64()?);
    Ok(format!("{high:016x}{low:016x}"))
}
