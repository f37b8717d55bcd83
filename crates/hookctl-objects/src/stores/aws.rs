//! S3, and stores with its interface.

use std::sync::Arc;

use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::secret::Filter;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
use url::Url;

use super::renewable::{Renewable, aws_slot};
use super::variables::Variables;
use super::{Built, invalid, one_attempt};
use crate::http_client::{Client, Metadata};
use crate::options::{Credentials, ObjectError, ObjectOptions};

/// The suffix of the names of directory buckets.
const EXPRESS: &str = "--x-s3";

/// The variables of credentials, and whether they are secret.
const CREDENTIALS: [(&str, Key, bool); 10] = [
    ("AWS_ACCESS_KEY_ID", Key::AccessKeyId, false),
    ("AWS_SECRET_ACCESS_KEY", Key::SecretAccessKey, true),
    ("AWS_SESSION_TOKEN", Key::Token, true),
    (
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        Key::WebIdentityTokenFile,
        false,
    ),
    ("AWS_ROLE_ARN", Key::RoleArn, false),
    ("AWS_ROLE_SESSION_NAME", Key::RoleSessionName, false),
    ("AWS_ENDPOINT_URL_STS", Key::StsEndpoint, false),
    (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        Key::ContainerCredentialsRelativeUri,
        false,
    ),
    (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        Key::ContainerCredentialsFullUri,
        false,
    ),
    (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        Key::ContainerAuthorizationTokenFile,
        false,
    ),
];

/// One of them suffices for credentials other than those of the machine.
const SUFFICIENT: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// Returns the endpoint that variables name.
pub(super) fn endpoint(variables: &[(String, String)]) -> Result<Option<ApiBaseUrl>, ObjectError> {
    let names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
    let found = Variables(variables).first(&names);
    let parsed = found.map(ApiBaseUrl::parse).transpose();
    parsed.map_err(|error| ObjectError::Invalid(format!("AWS_ENDPOINT_URL_S3: {error}")))
}

pub(super) fn build(options: &ObjectOptions, bucket: &str) -> Result<Built, ObjectError> {
    if bucket.ends_with(EXPRESS) {
        return Err(ObjectError::ExpressBucket);
    }
    let mut mask = Filter::new();
    let mut metadata = Metadata::default();
    let mut renewable = Renewable::No;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_retry(one_attempt());
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    match &options.credentials {
        Credentials::Program(output) => {
            let slot = aws_slot(output, &mut mask)?;
            builder = builder.with_credentials(Arc::clone(&slot) as _);
            renewable = Renewable::Aws(slot);
        }
        Credentials::Chain(variables) => {
            let variables = Variables(variables);
            if options.region.is_none()
                && let Some(region) = variables.first(&["AWS_REGION", "AWS_DEFAULT_REGION"])
            {
                builder = builder.with_region(region);
            }
            builder = chain(builder, variables, &mut mask, &mut metadata)?;
        }
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.as_str());
    }
    if let Some(key) = &options.kms_key {
        builder = builder.with_sse_kms_encryption(key);
    }
    let client = Client::new(options, metadata, mask)?;
    let store = builder
        .with_http_connector(client.clone())
        .build()
        .map_err(|error| invalid(&error, client.mask()))?;
    Ok(Built {
        store: Box::new(store),
        renewable,
        client,
    })
}

fn chain(
    mut builder: AmazonS3Builder,
    variables: Variables<'_>,
    mask: &mut Filter,
    metadata: &mut Metadata,
) -> Result<AmazonS3Builder, ObjectError> {
    let no_metadata = variables.first(&["AWS_EC2_METADATA_DISABLED"]);
    if variables.first(&SUFFICIENT).is_none()
        && no_metadata.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    {
        return Err(ObjectError::NoCredentials);
    }
    for (name, key, is_secret) in CREDENTIALS {
        let value = if is_secret {
            variables.secret(&[name], mask)
        } else {
            variables.first(&[name])
        };
        if let Some(value) = value {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = variables.first(&["AWS_EC2_METADATA_SERVICE_ENDPOINT"]) {
        let host = Url::parse(endpoint).ok();
        metadata.host = host.and_then(|url| Some(url.host_str()?.to_owned()));
        builder = builder.with_metadata_endpoint(endpoint.trim_end_matches('/'));
    }
    Ok(builder)
}
