//! S3, and stores with its interface.

use std::sync::Arc;

use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::secret::Filter;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};
use url::Url;

use super::built::{Built, invalid, one_attempt};
use super::renewable::{Renewable, aws_slot};
use super::variables::Variables;
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
    let (builder, renewable) = configured(options, bucket, &mut mask, &mut metadata)?;
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

fn configured(
    options: &ObjectOptions,
    bucket: &str,
    mask: &mut Filter,
    metadata: &mut Metadata,
) -> Result<(AmazonS3Builder, Renewable), ObjectError> {
    let mut renewable = Renewable::No;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_retry(one_attempt());
    match &options.credentials {
        Credentials::Program(output) => {
            let slot = aws_slot(output, mask)?;
            builder = builder.with_credentials(Arc::clone(&slot) as _);
            renewable = Renewable::Aws(slot);
        }
        Credentials::Chain(variables) => {
            builder = chain(builder, Variables(variables), mask, metadata)?;
        }
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.as_str());
    }
    if let Some(key) = &options.kms_key {
        builder = builder.with_sse_kms_encryption(key);
    }
    Ok((builder, renewable))
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
    if let Some(region) = variables.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]) {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = variables.first(&["AWS_EC2_METADATA_SERVICE_ENDPOINT"]) {
        let url = Url::parse(endpoint).ok();
        metadata.authority = url.map(|url| url.authority().to_owned());
        builder = builder.with_metadata_endpoint(endpoint.trim_end_matches('/'));
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use hookctl_core::record::RecordUrl;

    use super::*;

    fn variables(given: &[(&str, &str)]) -> Vec<(String, String)> {
        let given = given.iter();
        given
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn options(given: &[(&str, &str)]) -> ObjectOptions {
        let url = RecordUrl::parse("s3://bucket/x").unwrap();
        ObjectOptions::new(url, "v1/a".to_owned(), variables(given))
    }

    fn value(options: &ObjectOptions, key: Key) -> Option<String> {
        let (mut mask, mut metadata) = (Filter::new(), Metadata::default());
        let (builder, _) = configured(options, "bucket", &mut mask, &mut metadata).unwrap();
        builder.get_config_value(&key)
    }

    #[test]
    fn the_standard_variables_are_used_and_settings_win() {
        let mut options = options(&[
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", ""),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
        ]);
        assert_eq!(value(&options, Key::AccessKeyId).as_deref(), Some("id"));
        assert_eq!(
            value(&options, Key::SecretAccessKey).as_deref(),
            Some("secret")
        );
        assert_eq!(value(&options, Key::Token), None);
        assert_eq!(value(&options, Key::Region).as_deref(), Some("eu-west-1"));
        options.region = Some("eu-central-1".to_owned());
        options.endpoint = Some(ApiBaseUrl::parse("https://r2.example/").unwrap());
        options.kms_key = Some("alias/hooks".to_owned());
        assert_eq!(
            value(&options, Key::Region).as_deref(),
            Some("eu-central-1")
        );
        assert_eq!(
            value(&options, Key::Endpoint).as_deref(),
            Some("https://r2.example")
        );
        let encryption = "aws_sse_kms_key_id".parse().unwrap();
        assert_eq!(value(&options, encryption).as_deref(), Some("alias/hooks"));
    }

    #[test]
    fn variables_change_nothing_but_credentials_and_places() {
        let options = options(&[
            ("AWS_SKIP_SIGNATURE", "true"),
            ("AWS_CONDITIONAL_PUT", "disabled"),
            ("AWS_BUCKET", "other"),
            ("AWS_ALLOW_HTTP", "true"),
        ]);
        assert_eq!(
            value(&options, Key::SkipSignature).as_deref(),
            Some("false")
        );
        assert_eq!(
            value(&options, Key::ConditionalPut).as_deref(),
            Some("etag")
        );
        assert_eq!(value(&options, Key::Bucket).as_deref(), Some("bucket"));
    }

    #[test]
    fn what_cannot_work_is_refused_without_a_request() {
        let refused = |options: &ObjectOptions, bucket| build(options, bucket).err().unwrap();
        let none = [("AWS_EC2_METADATA_DISABLED", "true")];
        assert!(matches!(
            refused(&options(&none), "bucket"),
            ObjectError::NoCredentials
        ));
        let half = [("AWS_ACCESS_KEY_ID", "id")];
        let error = refused(&options(&half), "bucket").to_string();
        assert!(error.contains("SecretAccessKey"), "{error}");
        let express = refused(&options(&[]), "a--use1-az4--x-s3");
        assert!(matches!(express, ObjectError::ExpressBucket));
        let endpoint = variables(&[("AWS_ENDPOINT_URL_S3", "not a url")]);
        assert!(super::endpoint(&endpoint).is_err());
    }
}
