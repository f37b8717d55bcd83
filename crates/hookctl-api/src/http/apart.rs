//! A second client of the same account, beside the one that syncs it.

use super::{ClientError, HttpApi, HttpOptions, OnHttpEvent, RetryPolicy};

impl HttpApi {
    /// Creates a client of the same account for requests that may fail, such as those of a display. It sends one request at
    /// a time, attempts each once, and emits no events. It shares no connection, throttle, or count with this client, so
    /// that neither delays the other. Each keeps to the rate limit by itself.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn apart(&self) -> Result<Self, ClientError> {
        let own = &self.options;
        Self::new(HttpOptions {
            base_url: own.base_url.clone(),
            api_key: own.api_key.clone(),
            api_key_source: own.api_key_source.clone(),
            team_id: own.team_id.clone(),
            user_id: own.user_id.clone(),
            connect_timeout: own.connect_timeout,
            request_timeout: own.request_timeout,
            https_only: own.https_only,
            concurrency: 1,
            requests_per_second: own.requests_per_second,
            retry: RetryPolicy::ONCE,
            proxy: own.proxy,
            followed: own.followed.clone(),
            on_event: OnHttpEvent::default(),
        })
    }
}
