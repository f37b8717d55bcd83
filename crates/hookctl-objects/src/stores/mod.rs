//! Stores of object_store, set up from options.

mod aws;
mod azure;
mod built;
mod google;
mod renewable;
mod variables;

use hookctl_core::record::ObjectStore as Cloud;

use crate::options::{Credentials, ObjectError, ObjectOptions};

pub(crate) use built::Built;
pub(crate) use renewable::Renewable;

/// Sets up a store. Sends nothing.
pub(crate) fn build(options: &ObjectOptions) -> Result<Built, ObjectError> {
    let mut options = options.clone();
    if let Credentials::Chain(variables) = &options.credentials {
        variables::check(variables)?;
    }
    if let (Cloud::S3 { .. }, None, Credentials::Chain(variables)) =
        (options.url.store(), &options.endpoint, &options.credentials)
    {
        options.endpoint = aws::endpoint(variables)?;
    }
    let options = &options;
    if let Some(endpoint) = &options.endpoint
        && !endpoint.is_https()
        && !endpoint.is_loopback()
    {
        return Err(ObjectError::PlainHttp(endpoint.clone()));
    }
    match options.url.store() {
        Cloud::S3 { bucket } => aws::build(options, bucket),
        Cloud::Azure { account, container } => {
            only_s3(options)?;
            azure::build(options, account, container)
        }
        Cloud::Google { bucket } => {
            only_s3(options)?;
            google::build(options, bucket)
        }
        _ => Err(ObjectError::Invalid("unknown kind of store".to_owned())),
    }
}

fn only_s3(options: &ObjectOptions) -> Result<(), ObjectError> {
    match options {
        ObjectOptions {
            kms_key: Some(_), ..
        } => Err(ObjectError::OnlyS3 { option: "kms_key" }),
        ObjectOptions {
            region: Some(_), ..
        } => Err(ObjectError::OnlyS3 { option: "region" }),
        _ => Ok(()),
    }
}
