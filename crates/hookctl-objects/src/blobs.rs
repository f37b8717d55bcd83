//! The port of the shared record over object_store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use hookctl_core::outside::Outside;
use hookctl_record::shared::{Blob, BlobError, BlobErrorKind, BlobFuture, Blobs, Version, Written};
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{Extensions, GetOptions, ObjectStore, PutMode, PutOptions, UpdateVersion};

use crate::failure::Failure;
use crate::http_client::{Client, OfObject};
use crate::options::{ObjectError, ObjectOptions};
use crate::stores::{self, Renewable};

/// The most names of a list.
const MOST_LISTED: usize = 100_000;

/// The objects of one account's record on an object store. Clones share connections and credentials.
///
/// Its `Debug` shows no secrets.
#[derive(Clone)]
pub struct ObjectBlobs(Arc<Inner>);

struct Inner {
    store: Box<dyn ObjectStore>,
    renewable: Renewable,
    client: Client,
    /// The bucket, for messages.
    place: String,
    /// The prefix of the names of all objects.
    root: String,
    timeout: Duration,
}

impl ObjectBlobs {
    /// Returns the objects of a record. Sends nothing, but reads files that variables name.
    ///
    /// # Errors
    /// Returns [`ObjectError`] if the options do not suit the store.
    pub fn new(options: &ObjectOptions) -> Result<Self, ObjectError> {
        let root = format!("{}/{}", options.url.prefix(), options.folder);
        let parsed = Path::parse(&root).map_err(|_| ObjectError::Folder)?;
        let built = stores::build(options)?;
        Ok(Self(Arc::new(Inner {
            store: built.store,
            renewable: built.renewable,
            client: built.client,
            place: options.url.store().to_string(),
            root: parsed.to_string(),
            timeout: options.request_timeout,
        })))
    }

    /// Returns when the credentials of a program expire, if their output says so.
    pub fn expires(&self) -> Option<Timestamp> {
        self.0.renewable.expires()
    }

    /// Replaces the credentials of a program by its new output.
    ///
    /// # Errors
    /// Returns [`ObjectError::Program`] and [`ObjectError::Expired`], or [`ObjectError::NoCredentials`] if the credentials
    /// are not those of a program. The former ones stay in use.
    pub fn renew(&self, output: &str) -> Result<(), ObjectError> {
        let mut mask = self.0.client.mask_mut();
        self.0.renewable.renew(output, Timestamp::now(), &mut mask)
    }
}

impl Inner {
    fn path(&self, name: &str) -> Result<Path, BlobError> {
        let full = format!("{}/{name}", self.root);
        Path::parse(full).map_err(|_| {
            let text = format!("'{}' is not a valid name of an object", Outside::text(name));
            BlobError::new(BlobErrorKind::Denied, text)
        })
    }

    /// Runs a call, which is given up when its time is over.
    async fn within<T>(
        &self,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Failure::of(&error, &self.client.mask())),
            Err(_) => Err(Failure::TimedOut),
        }
    }

    async fn write(
        &self,
        name: &str,
        content: Vec<u8>,
        mode: PutMode,
    ) -> Result<Written, BlobError> {
        let path = self.path(name)?;
        let creates = mode == PutMode::Create;
        let options = PutOptions {
            mode,
            extensions: marked(),
            ..PutOptions::default()
        };
        let call = self.store.put_opts(&path, content.into(), options);
        match self.within(call).await {
            Ok(done) => Ok(Written::Done(Version {
                e_tag: done.e_tag,
                version: done.version,
            })),
            Err(failure) if failure.refuses_write(creates) => Ok(Written::Refused),
            Err(failure) => Err(failure.error(&format!("write {name}"), &self.place)),
        }
    }

    async fn read(&self, name: &str, unless: Option<&Version>) -> Result<Blob, BlobError> {
        let path = self.path(name)?;
        let options = GetOptions {
            if_none_match: unless.and_then(|version| version.e_tag.clone()),
            extensions: marked(),
            ..GetOptions::default()
        };
        let call = async {
            let found = self.store.get_opts(&path, options).await?;
            let version = Version {
                e_tag: found.meta.e_tag.clone(),
                version: found.meta.version.clone(),
            };
            Ok((found.bytes().await?, version))
        };
        match self.within(call).await {
            Ok((_, version)) if unless == Some(&version) => Ok(Blob::Unchanged),
            Ok((content, version)) => Ok(Blob::Found {
                content: content.into(),
                version,
            }),
            Err(failure) if failure.is_unchanged() && unless.is_some() => Ok(Blob::Unchanged),
            Err(failure) if failure.misses_object() => Ok(Blob::Missing),
            Err(failure) => Err(failure.error(&format!("read {name}"), &self.place)),
        }
    }

    async fn list(&self, folder: &str, after: &str) -> Result<Vec<String>, BlobError> {
        let prefix = self.path(folder.trim_end_matches('/'))?;
        let mut pages = if after.is_empty() {
            self.store.list(Some(&prefix))
        } else {
            self.store
                .list_with_offset(Some(&prefix), &self.path(after)?)
        };
        let failed = |failure: Failure| failure.error(&format!("list {folder}"), &self.place);
        let mut names = Vec::new();
        let mut listed = 0_usize;
        while let Some(found) = self.within(pages.try_next()).await.map_err(failed)? {
            listed += 1;
            if listed > MOST_LISTED {
                return Err(failed(Failure::TooMany));
            }
            let name = found.location.as_ref().strip_prefix(&*self.root);
            let name = name.and_then(|name| name.strip_prefix('/'));
            // An emulator may ignore the offset.
            names.extend(name.filter(|name| *name > after).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Marks a request as one for an object.
fn marked() -> Extensions {
    let mut extensions = Extensions::new();
    extensions.insert(OfObject);
    extensions
}

impl Blobs for ObjectBlobs {
    fn create(&self, name: &str, content: Vec<u8>) -> BlobFuture<'_, Written> {
        let name = name.to_owned();
        Box::pin(async move { self.0.write(&name, content, PutMode::Create).await })
    }

    fn swap(&self, name: &str, content: Vec<u8>, version: &Version) -> BlobFuture<'_, Written> {
        let name = name.to_owned();
        let mode = PutMode::Update(UpdateVersion {
            e_tag: version.e_tag.clone(),
            version: version.version.clone(),
        });
        Box::pin(async move { self.0.write(&name, content, mode).await })
    }

    fn read(&self, name: &str, unless: Option<&Version>) -> BlobFuture<'_, Blob> {
        let name = name.to_owned();
        let unless = unless.cloned();
        Box::pin(async move { self.0.read(&name, unless.as_ref()).await })
    }

    fn list_after(&self, folder: &str, after: &str) -> BlobFuture<'_, Vec<String>> {
        let folder = folder.to_owned();
        let after = after.to_owned();
        Box::pin(async move { self.0.list(&folder, &after).await })
    }
}

impl fmt::Debug for ObjectBlobs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ObjectBlobs")
            .field("place", &self.0.place)
            .field("root", &self.0.root)
            .finish_non_exhaustive()
    }
}
