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

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_json_of_credential_process_is_read() {
        let found = keys(
            "{\n  \"Version\": 1,\n  \"AccessKeyId\": \"ASIA1\",\n  \"SecretAccessKey\": \"a+/b=\",
              \"SessionToken\": \"t\", \"Expiration\": \"2026-01-01T13:00:00+00:00\"}\n",
            now(),
        )
        .unwrap();
        assert_eq!(
            (&*found.id, &*found.secret, found.token.as_deref()),
            ("ASIA1", "a+/b=", Some("t"))
        );
        assert_eq!(found.expires, "2026-01-01T13:00:00Z".parse().ok());
        let short =
            "{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"SessionToken\":null}";
        assert!(keys(short, now()).unwrap().token.is_none());
    }

    #[test]
    fn other_outputs_are_refused_and_not_shown() {
        for output in [
            "",
            "hunter2",
            "{}",
            "{\"Version\":2,\"AccessKeyId\":\"hunter2\",\"SecretAccessKey\":\"b\"}",
            "{\"Version\":1,\"AccessKeyId\":\"\",\"SecretAccessKey\":\"hunter2\"}",
            "{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"hunter2\\n\"}",
            "{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Expiration\":\"2026-01-01T12:00:00Z\"}",
        ] {
            let error = keys(output, now()).err().unwrap().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        for output in [
            "",
            " ",
            "{}",
            "hunter 2",
            "a\nhunter2",
            "{\"accessToken\":1}",
            "{\"accessToken\":\"a\",\"expires_on\":1}",
        ] {
            let error = token(output, now()).err().unwrap().to_string();
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn an_access_token_is_read_alone_or_from_json() {
        for output in [
            "ya29.abc\n",
            "{\"accessToken\": \"ya29.abc\", \"expires_on\": 1800000000, \"tokenType\": \"Bearer\"}",
            "{\"access_token\":\"ya29.abc\",\"expires_on\":\"later\"}",
        ] {
            assert_eq!(token(output, now()).unwrap().token, "ya29.abc");
        }
    }
}
