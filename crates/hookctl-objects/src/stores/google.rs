//! Google Cloud Storage.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hookctl_core::outside::Outside;
use hookctl_core::secret::Filter;
use hookctl_system::input;
use object_store::client::{HttpRequest, HttpService as _};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::{CredentialProvider, StaticCredentialProvider};
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::built::{Built, invalid, one_attempt};
use super::renewable::{Renewable, google_slot};
use super::variables::Variables;
use crate::http_client::{Client, Metadata};
use crate::options::{Credentials, ObjectError, ObjectOptions};

/// The host of the metadata service.
const METADATA_HOST: &str = "metadata.google.internal";
/// A token is replaced this long before it expires.
const MARGIN: Duration = Duration::from_mins(1);
/// The file that `gcloud auth application-default login` writes.
const WELL_KNOWN: &str = "gcloud/application_default_credentials.json";

/// The most bytes of a credentials file.
const MOST_IN_FILE: u64 = 64 * 1024;

/// The source of credentials that variables select.
enum Source {
    Bearer(String),
    Key(String),
    KeyFile(String),
    File(String),
    Metadata,
}

pub(super) fn build(options: &ObjectOptions, bucket: &str) -> Result<Built, ObjectError> {
    let mut mask = Filter::new();
    let mut metadata = Metadata::default();
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_retry(one_attempt());
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_base_url(endpoint.as_str());
    }
    let (client, renewable) = match &options.credentials {
        Credentials::Program(output) => {
            let slot = google_slot(output, &mut mask)?;
            builder = builder.with_credentials(Arc::clone(&slot) as _);
            (
                Client::new(options, metadata, mask)?,
                Renewable::Google(slot),
            )
        }
        Credentials::Chain(variables) => {
            let variables = Variables(variables);
            let source = source(variables, &mut mask)?;
            let names = ["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"];
            let given = variables.first(&names);
            let host = given.unwrap_or(METADATA_HOST).to_owned();
            metadata.authority = given.map(str::to_owned);
            let client = Client::new(options, metadata, mask)?;
            builder = match source {
                Source::Bearer(bearer) => builder.with_credentials(Arc::new(
                    StaticCredentialProvider::new(GcpCredential { bearer }),
                )),
                Source::Key(key) => builder.with_service_account_key(key),
                Source::KeyFile(path) => builder.with_service_account_path(path),
                Source::File(path) => builder.with_application_credentials(path),
                // That of object_store takes the host from the process environment.
                Source::Metadata => builder.with_credentials(Arc::new(MetadataTokens {
                    client: client.clone(),
                    host,
                    latest: Mutex::default(),
                })),
            };
            (client, Renewable::No)
        }
    };
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

fn source(variables: Variables<'_>, mask: &mut Filter) -> Result<Source, ObjectError> {
    let bearer = ["GOOGLE_BEARER_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN"];
    if let Some(token) = variables.secret(&bearer, mask) {
        return Ok(Source::Bearer(token.to_owned()));
    }
    if let Some(key) = variables.secret(&["GOOGLE_SERVICE_ACCOUNT_KEY"], mask) {
        return Ok(Source::Key(key.to_owned()));
    }
    let paths = ["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"];
    if let Some(path) = variables.first(&paths) {
        return Ok(Source::KeyFile(path.to_owned()));
    }
    let path = match variables.first(&["GOOGLE_APPLICATION_CREDENTIALS"]) {
        Some(path) => Some(PathBuf::from(path)),
        None => well_known(variables).filter(|path| path.exists()),
    };
    match path {
        Some(path) => {
            known_type(&path)?;
            Ok(Source::File(path.to_string_lossy().into_owned()))
        }
        None => Ok(Source::Metadata),
    }
}

fn well_known(variables: Variables<'_>) -> Option<PathBuf> {
    if let Some(folder) = variables.first(&["CLOUDSDK_CONFIG"]) {
        return Some(Path::new(folder).join("application_default_credentials.json"));
    }
    let folder = if cfg!(windows) {
        PathBuf::from(variables.first(&["APPDATA"])?)
    } else {
        Path::new(variables.first(&["HOME"])?).join(".config")
    };
    Some(folder.join(WELL_KNOWN))
}

/// Refuses a credentials file of another kind than object_store knows, such as one of workload identity federation.
fn known_type(path: &Path) -> Result<(), ObjectError> {
    #[derive(Deserialize)]
    struct File {
        r#type: String,
    }
    let text = input::read_regular(path, MOST_IN_FILE).map_err(|error| {
        let path = Outside::path(path);
        ObjectError::Invalid(format!(
            "could not read the credentials file {path}: {error}"
        ))
    })?;
    let text = Zeroizing::new(text);
    match serde_json::from_slice::<File>(&text) {
        Ok(file) if matches!(&*file.r#type, "service_account" | "authorized_user") => Ok(()),
        Ok(file) => Err(ObjectError::CredentialsType(file.r#type)),
        Err(_) => Err(ObjectError::Invalid(
            "the credentials file is not that of a service account or user".to_owned(),
        )),
    }
}

/// The tokens of the machine's service account.
struct MetadataTokens {
    client: Client,
    host: String,
    latest: Mutex<Option<(Arc<GcpCredential>, Instant)>>,
}

impl fmt::Debug for MetadataTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MetadataTokens(***)")
    }
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: u64,
}

impl MetadataTokens {
    async fn fetch(&self) -> object_store::Result<Token> {
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic {
                store: "GCS",
                source,
            };
        let url = format!(
            "http://{}/computeMetadata/v1/instance/service-accounts/default/token",
            self.host
        );
        let mut request = HttpRequest::new(Vec::new().into());
        *request.uri_mut() = url.parse().map_err(|error| failed(Box::new(error)))?;
        let flavor = http::HeaderValue::from_static("Google");
        request.headers_mut().insert("metadata-flavor", flavor);
        let response = self.client.call(request).await;
        let response = response.map_err(|error| failed(Box::new(error)))?;
        let body = response.into_body().bytes().await;
        let body = body.map_err(|error| failed(Box::new(error)))?;
        serde_json::from_slice(&body)
            .map_err(|_| failed("the metadata service sent no token".into()))
    }
}

#[async_trait]
impl CredentialProvider for MetadataTokens {
    type Credential = GcpCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
        let mut latest = self.latest.lock().await;
        let now = Instant::now();
        if let Some((credential, until)) = &*latest
            && now + MARGIN < *until
        {
            return Ok(Arc::clone(credential));
        }
        let token = self.fetch().await?;
        let credential = Arc::new(GcpCredential {
            bearer: token.access_token,
        });
        *latest = Some((
            Arc::clone(&credential),
            now + Duration::from_secs(token.expires_in),
        ));
        Ok(credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source_of(given: &[(&str, &str)]) -> Result<Source, ObjectError> {
        let given: Vec<_> = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        source(Variables(&given), &mut Filter::new())
    }

    #[test]
    fn the_most_explicit_credentials_win() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("application_default_credentials.json");
        let config = ("CLOUDSDK_CONFIG", folder.path().to_str().unwrap());
        assert!(matches!(source_of(&[config]), Ok(Source::Metadata)));
        std::fs::write(&path, "{\"type\":\"authorized_user\"}").unwrap();
        assert!(
            matches!(source_of(&[config]), Ok(Source::File(found)) if found == *path.to_str().unwrap())
        );
        let key = ("GOOGLE_SERVICE_ACCOUNT_KEY", "{}");
        assert!(matches!(source_of(&[config, key]), Ok(Source::Key(_))));
        let token = ("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29");
        assert!(matches!(
            source_of(&[config, key, token]),
            Ok(Source::Bearer(_))
        ));
    }

    #[test]
    fn workload_identity_federation_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "{\"type\":\"external_account\",\"token\":\"hunter2\"}",
        )
        .unwrap();
        let path = (
            "GOOGLE_APPLICATION_CREDENTIALS",
            file.path().to_str().unwrap(),
        );
        let error = source_of(&[path]).err().unwrap();
        assert!(
            matches!(&error, ObjectError::CredentialsType(found) if found == "external_account")
        );
        std::fs::write(file.path(), "hunter2").unwrap();
        let error = source_of(&[path]).err().unwrap().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        let missing = ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/x.json");
        assert!(source_of(&[missing]).is_err());
    }
}
