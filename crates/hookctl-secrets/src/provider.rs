//! Secret providers: sources that a program adds to the built-in ones.
//!
//! A file refers to a secret of a provider by text, and only a program can register one. A reference therefore needs no
//! consent: it runs nothing but what the program has chosen to offer.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use hookctl_core::secret::{ProviderName, Secret, SecretReference};

/// What a provider says if it has no secret.
pub type ProviderError = Box<dyn Error + Send + Sync>;

/// The future of a [`SecretProvider`].
pub type ProviderFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Secret, ProviderError>> + Send + 'a>>;

/// A source of secrets, such as the client of a vault.
pub trait SecretProvider: Send + Sync {
    /// Returns the secret of a reference. The reference comes from a file and may be unreviewed: it must select among
    /// the secrets that the files may use.
    ///
    /// The future is dropped after 30 seconds, or when its pass is.
    ///
    /// # Errors
    /// The text of the error must not contain the secret. Each word of it that looks like a credential is masked.
    fn resolve<'a>(&'a self, reference: &'a SecretReference) -> ProviderFuture<'a>;
}

/// The providers of a program, by name. Empty by default.
#[derive(Clone, Default)]
pub struct Providers(BTreeMap<ProviderName, Arc<dyn SecretProvider>>);

/// Two providers have the same name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret provider '{0}' is already registered")]
pub struct DuplicateProvider(pub ProviderName);

impl Providers {
    /// Returns an empty registry.
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Registers a provider.
    ///
    /// # Errors
    /// Returns [`DuplicateProvider`] if the name is taken.
    pub fn register(
        &mut self,
        name: ProviderName,
        provider: impl SecretProvider + 'static,
    ) -> Result<(), DuplicateProvider> {
        if self.0.contains_key(&name) {
            return Err(DuplicateProvider(name));
        }
        self.0.insert(name, Arc::new(provider));
        Ok(())
    }

    /// Returns the names, in order, for the reader of the files.
    pub fn names(&self) -> Vec<ProviderName> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn get(&self, name: &ProviderName) -> Option<&dyn SecretProvider> {
        self.0.get(name).map(AsRef::as_ref)
    }
}

/// Shows the names.
impl fmt::Debug for Providers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
