//! Credentials of a program, which are replaced while they are in use.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hookctl_core::secret::Filter;
use jiff::Timestamp;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use object_store::azure::AzureCredential;
use object_store::gcp::GcpCredential;

use crate::options::ObjectError;
use crate::program;

/// A credential that can be replaced.
pub(crate) struct Slot<T>(Mutex<(Arc<T>, Option<Timestamp>)>);

impl<T> Slot<T> {
    fn new((credential, expires): (T, Option<Timestamp>)) -> Arc<Self> {
        Arc::new(Self(Mutex::new((Arc::new(credential), expires))))
    }

    fn set(&self, (credential, expires): (T, Option<Timestamp>)) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Arc::new(credential), expires);
    }

    fn get(&self) -> (Arc<T>, Option<Timestamp>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Slot(***)")
    }
}

#[async_trait]
impl<T: Send + Sync> CredentialProvider for Slot<T> {
    type Credential = T;

    async fn get_credential(&self) -> object_store::Result<Arc<T>> {
        Ok(self.get().0)
    }
}

/// The credentials that a new output of their program replaces.
pub(crate) enum Renewable {
    /// Other credentials.
    No,
    Aws(Arc<Slot<AwsCredential>>),
    Azure(Arc<Slot<AzureCredential>>),
    Google(Arc<Slot<GcpCredential>>),
}

impl Renewable {
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        match self {
            Self::No => None,
            Self::Aws(slot) => slot.get().1,
            Self::Azure(slot) => slot.get().1,
            Self::Google(slot) => slot.get().1,
        }
    }

    /// Takes a new output, and keeps its secrets out of messages.
    pub(crate) fn renew(
        &self,
        output: &str,
        now: Timestamp,
        mask: &mut Filter,
    ) -> Result<(), ObjectError> {
        match self {
            Self::No => return Err(ObjectError::NoCredentials),
            Self::Aws(slot) => slot.set(aws(output, now, mask)?),
            Self::Azure(slot) => slot.set(azure(output, now, mask)?),
            Self::Google(slot) => slot.set(google(output, now, mask)?),
        }
        Ok(())
    }
}

/// Returns the slot of the output of a program, and keeps its secrets out of messages.
pub(super) fn aws_slot(
    output: &str,
    mask: &mut Filter,
) -> Result<Arc<Slot<AwsCredential>>, ObjectError> {
    Ok(Slot::new(aws(output, Timestamp::now(), mask)?))
}

/// Like [`aws_slot`].
pub(super) fn azure_slot(
    output: &str,
    mask: &mut Filter,
) -> Result<Arc<Slot<AzureCredential>>, ObjectError> {
    Ok(Slot::new(azure(output, Timestamp::now(), mask)?))
}

/// Like [`aws_slot`].
pub(super) fn google_slot(
    output: &str,
    mask: &mut Filter,
) -> Result<Arc<Slot<GcpCredential>>, ObjectError> {
    Ok(Slot::new(google(output, Timestamp::now(), mask)?))
}

/// A credential, and when it expires.
type Parsed<T> = Result<(T, Option<Timestamp>), ObjectError>;

fn aws(output: &str, now: Timestamp, mask: &mut Filter) -> Parsed<AwsCredential> {
    let keys = program::keys(output, now)?;
    mask.follow_text(&keys.secret);
    if let Some(token) = &keys.token {
        mask.follow_text(token);
    }
    let credential = AwsCredential {
        key_id: keys.id,
        secret_key: keys.secret,
        token: keys.token,
    };
    Ok((credential, keys.expires))
}

fn azure(output: &str, now: Timestamp, mask: &mut Filter) -> Parsed<AzureCredential> {
    let found = program::token(output, now)?;
    mask.follow_text(&found.token);
    Ok((AzureCredential::BearerToken(found.token), found.expires))
}

fn google(output: &str, now: Timestamp, mask: &mut Filter) -> Parsed<GcpCredential> {
    let found = program::token(output, now)?;
    mask.follow_text(&found.token);
    let bearer = found.token;
    Ok((GcpCredential { bearer }, found.expires))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_output_replaces_the_credentials_and_a_bad_one_does_not() {
        let now = Timestamp::UNIX_EPOCH;
        let mask = &mut Filter::new();
        let slot = Slot::new(google("one", now, mask).unwrap());
        let renewable = Renewable::Google(Arc::clone(&slot));
        renewable
            .renew("{\"accessToken\":\"two\",\"expires_on\":60}", now, mask)
            .unwrap();
        assert_eq!(slot.get().0.bearer, "two");
        assert_eq!(
            renewable.expires(),
            Some(Timestamp::from_second(60).unwrap())
        );
        assert!(renewable.renew("", now, mask).is_err());
        assert_eq!(slot.get().0.bearer, "two");
        assert!(Renewable::No.renew("x", now, mask).is_err());
        assert_eq!(format!("{slot:?}"), "Slot(***)");
    }
}
