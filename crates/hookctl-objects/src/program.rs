//! Credentials from the output of a program, as object_store holds them.

use jiff::Timestamp;
use serde::Deserialize;

use crate::options::ObjectError;

/// The keys of `credential_process`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Process {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<Timestamp>,
}

/// The output of `az account get-access-token`, or of a token endpoint.
#[derive(Deserialize)]
struct Token {
    #[serde(alias = "access_token", rename = "accessToken")]
    access_token: String,
    /// Seconds since the epoch. Some tools print other forms, which are ignored.
    #[serde(default)]
    expires_on: serde_json::Value,
}

/// Keys of S3.
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) expires: Option<Timestamp>,
}

/// An access token.
pub(crate) struct AccessToken {
    pub(crate) token: String,
    pub(crate) expires: Option<Timestamp>,
}

/// Parses the JSON of `credential_process`.
pub(crate) fn keys(output: &str, now: Timestamp) -> Result<Keys, ObjectError> {
    let found: Process = serde_json::from_str(output)
        .map_err(|_| ObjectError::Program("not the JSON of credential_process"))?;
    if found.version != 1 {
        return Err(ObjectError::Program("not version 1 of credential_process"));
    }
    not_expired(found.expiration, now)?;
    for text in [&found.access_key_id, &found.secret_access_key]
        .into_iter()
        .chain(&found.session_token)
    {
        sendable(text)?;
    }
    Ok(Keys {
        id: found.access_key_id,
        secret: found.secret_access_key,
        token: found.session_token,
        expires: found.expiration,
    })
}

/// Parses an access token.
pub(crate) fn token(output: &str, now: Timestamp) -> Result<AccessToken, ObjectError> {
    let text = output.trim();
    let mut expires = None;
    let token = if text.starts_with('{') {
        let found: Token = serde_json::from_str(text)
            .map_err(|_| ObjectError::Program("JSON without an accessToken"))?;
        let seconds = found.expires_on.as_i64();
        expires = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
        found.access_token
    } else {
        text.to_owned()
    };
    not_expired(expires, now)?;
    sendable(&token)?;
    Ok(AccessToken { token, expires })
}

fn not_expired(expiration: Option<Timestamp>, now: Timestamp) -> Result<(), ObjectError> {
    match expiration {
        Some(at) if at <= now => Err(ObjectError::Expired(at)),
        _ => Ok(()),
    }
}

/// Refuses what a header cannot carry.
fn sendable(text: &str) -> Result<(), ObjectError> {
    if text.is_empty() {
        Err(ObjectError::Program("a value is empty"))
    } else if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(ObjectError::Program(
            "a value has white space or other characters that no header carries",
        ))
    }
}
