//! Azure Blob Storage.

use std::sync::Arc;

use hookctl_core::secret::Filter;
use http::header::HeaderValue;
use object_store::azure::{AzureConfigKey as Key, MicrosoftAzureBuilder};
use url::Url;

use super::built::{Built, invalid, one_attempt};
use super::renewable::{Renewable, azure_slot};
use super::variables::Variables;
use crate::http_client::{Client, Metadata};
use crate::options::{Credentials, ObjectError, ObjectOptions};

/// The variables of credentials: alternative names, and whether they are secret.
const CREDENTIALS: [(&[&str], Key, bool); 9] = [
    (
        &[
            "AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_ACCESS_KEY",
            "AZURE_STORAGE_KEY",
        ],
        Key::AccessKey,
        true,
    ),
    (
        &["AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"],
        Key::SasKey,
        true,
    ),
    (&["AZURE_STORAGE_TOKEN"], Key::Token, true),
    (&["AZURE_CLIENT_ID"], Key::ClientId, false),
    (&["AZURE_CLIENT_SECRET"], Key::ClientSecret, true),
    (&["AZURE_TENANT_ID"], Key::AuthorityId, false),
    (&["AZURE_AUTHORITY_HOST"], Key::AuthorityHost, false),
    (
        &["AZURE_FEDERATED_TOKEN_FILE"],
        Key::FederatedTokenFile,
        false,
    ),
    (&["IDENTITY_ENDPOINT"], Key::MsiEndpoint, false),
];

pub(super) fn build(
    options: &ObjectOptions,
    account: &str,
    container: &str,
) -> Result<Built, ObjectError> {
    let mut mask = Filter::new();
    let mut metadata = Metadata::default();
    let mut renewable = Renewable::No;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_container_name(container)
        .with_retry(one_attempt());
    match &options.credentials {
        Credentials::Program(output) => {
            let slot = azure_slot(output, &mut mask)?;
            builder = builder.with_credentials(Arc::clone(&slot) as _);
            renewable = Renewable::Azure(slot);
        }
        Credentials::Chain(variables) => {
            let variables = Variables(variables);
            builder = chain(builder, variables, &mut mask);
            let header = variables.secret(&["IDENTITY_HEADER"], &mut mask);
            let url = variables.first(&["IDENTITY_ENDPOINT"]);
            let url = url.and_then(|endpoint| Url::parse(endpoint).ok());
            metadata.authority = url.map(|url| url.authority().to_owned());
            metadata.identity = header.and_then(|value| HeaderValue::from_str(value).ok());
        }
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.as_str().to_owned());
    }
    let client = Client::new(options, metadata, mask)?;
    let store = builder
        .with_http_connector(client.clone())
        .build()
        .map_err(|error| invalid(&error, &client.mask()))?;
    Ok(Built {
        store: Box::new(store),
        renewable,
        client,
    })
}

fn chain(
    mut builder: MicrosoftAzureBuilder,
    variables: Variables<'_>,
    mask: &mut Filter,
) -> MicrosoftAzureBuilder {
    for (names, key, is_secret) in CREDENTIALS {
        let value = if is_secret {
            variables.secret(names, mask)
        } else {
            variables.first(names)
        };
        if let Some(value) = value {
            builder = builder.with_config(key, value.trim_end_matches('/'));
        }
    }
    builder
}
