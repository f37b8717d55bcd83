//! How an object store is reached, as data.

use std::fmt;
use std::time::Duration;

use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::outside::Outside;
use hookctl_core::record::RecordUrl;
use zeroize::Zeroizing;

/// How an object store is reached.
#[derive(Clone, Debug)]
pub struct ObjectOptions {
    /// The address of the record.
    pub url: RecordUrl,
    /// The folder of one account's record below the prefix of the address: see [`folder`](crate::folder()).
    pub folder: String,
    /// The region of an S3 bucket. `None` takes `AWS_REGION` or `AWS_DEFAULT_REGION` of the variables, or `us-east-1`.
    pub region: Option<String>,
    /// The base URL of another store with the same interface, or of an emulator. HTTPS, or HTTP to this machine. On Azure,
    /// the endpoint of the account. `None` takes `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` of the variables for S3, or the
    /// cloud's own.
    pub endpoint: Option<ApiBaseUrl>,
    /// The key of AWS KMS with which S3 encrypts the objects. `None` leaves it to the bucket.
    pub kms_key: Option<String>,
    /// The credentials.
    pub credentials: Credentials,
    /// The most time to connect.
    pub connect_timeout: Duration,
    /// The most time of a call, refreshed credentials included. A list may take this time for each of its pages.
    pub request_timeout: Duration,
    /// Whether requests go through the proxy of the system. Requests to this machine and to services for the credentials
    /// of machines never do.
    pub proxy: bool,
}

impl ObjectOptions {
    /// Returns the options of a record on a cloud's own store, with the credentials of the environment's variables.
    pub const fn new(url: RecordUrl, folder: String, variables: Vec<(String, String)>) -> Self {
        Self {
            url,
            folder,
            region: None,
            endpoint: None,
            kms_key: None,
            credentials: Credentials::Chain(variables),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            proxy: true,
        }
    }
}

/// The source of the credentials of a store. Its `Debug` shows no values.
#[derive(Clone)]
pub enum Credentials {
    /// The variables of an environment, by name. The standard variables of each cloud are used, in the order of its tools,
    /// and finally the metadata service of the machine. Other variables are ignored.
    Chain(Vec<(String, String)>),
    /// The output of a program. For S3, the JSON of `credential_process`. Otherwise an access token, either alone or as
    /// `accessToken` or `access_token` of a JSON object.
    Program(Zeroizing<String>),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(variables) => write!(formatter, "Chain({} variables)", variables.len()),
            Self::Program(_) => formatter.write_str("Program(***)"),
        }
    }
}

/// Why a store cannot be used. Detected without a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The endpoint uses HTTP to another machine.
    #[error("the endpoint {} must use https", Outside::text(.0.as_str()))]
    PlainHttp(ApiBaseUrl),
    /// The store has no such setting.
    #[error("'{option}' applies to s3:// only")]
    OnlyS3 {
        /// The name of the setting.
        option: &'static str,
    },
    /// The bucket is a directory bucket of S3 Express, which lists without order.
    #[error("directory buckets of S3 Express are not supported")]
    ExpressBucket,
    /// The folder is no part of an object's name.
    #[error("the folder is not a valid name of objects")]
    Folder,
    /// A variable has a line break or another character that no request can carry. Its value may be secret.
    #[error("the variable {name} has a line break or another character that no request can carry")]
    Variable {
        /// The name of the variable.
        name: String,
    },
    /// The output of the program is not credentials. Contains no part of it.
    #[error("the output of the program is not credentials: {0}")]
    Program(&'static str),
    /// The credentials of the program are expired.
    #[error("the credentials of the program expired at {0}")]
    Expired(jiff::Timestamp),
    /// The variables contain no credentials, and forbid the metadata service.
    #[error("no credentials were found")]
    NoCredentials,
    /// The credentials file is of a kind that is not supported.
    #[error("the credentials file is of type '{}', which is not supported", Outside::text(.0))]
    CredentialsType(String),
    /// The configuration is invalid.
    #[error("{}", Outside::text(.0))]
    Invalid(String),
    /// The HTTP client could not be set up.
    #[error("could not set up the HTTP client")]
    Client {
        /// The cause.
        source: reqwest::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secrets() {
        let url = RecordUrl::parse("s3://bucket/x").unwrap();
        let variables = vec![("AWS_SECRET_ACCESS_KEY".to_owned(), "hunter2".to_owned())];
        let mut options = ObjectOptions::new(url, "v1/a".to_owned(), variables);
        assert!(!format!("{options:?}").contains("hunter2"));
        options.credentials = Credentials::Program(Zeroizing::new("hunter2".to_owned()));
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
