//! The API and the record in memory: what the ports promise, without a network or a disk.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hookctl::remote::{ApiError, DeleteAnswer, Page, SendGate, WebhookApi};
use hookctl::secret::Secret;
use hookctl::state::{ObservedState, ObservedWebhook};
use hookctl::webhook::{EndpointUrl, Field, FieldValue, RemoteId, TokenChange, WebhookSpec};

/// An account that stores names trimmed and URLs without a trailing slash.
pub(crate) struct MemoryApi {
    webhooks: Mutex<BTreeMap<RemoteId, ObservedWebhook>>,
    made: Mutex<u32>,
}

impl MemoryApi {
    pub(crate) fn new(observed: &ObservedState) -> Self {
        Self {
            webhooks: Mutex::new(observed.webhooks.clone()),
            made: Mutex::new(0),
        }
    }

    pub(crate) fn observed(&self) -> ObservedState {
        self.webhooks.lock().unwrap().values().cloned().collect()
    }
}

/// What the API makes of what it is sent.
pub(crate) fn stored(mut spec: WebhookSpec) -> WebhookSpec {
    spec.name = spec.name.trim().to_owned();
    spec.url = EndpointUrl::from_remote(spec.url.as_str().trim_end_matches('/').to_owned());
    spec
}

impl WebhookApi for MemoryApi {
    async fn page(&self, page: u32, size: u32) -> Result<Page, ApiError> {
        let webhooks = self.webhooks.lock().unwrap();
        let skip = (page as usize - 1) * size as usize;
        Ok(Page {
            webhooks: webhooks
                .values()
                .skip(skip)
                .take(size as usize)
                .cloned()
                .collect(),
            unreadable: Vec::new(),
            total: Some(webhooks.len() as u64),
            bytes: 0,
        })
    }

    async fn create(
        &self,
        spec: &WebhookSpec,
        token: Option<&Secret>,
        _: &impl SendGate,
    ) -> Result<Option<ObservedWebhook>, ApiError> {
        let mut made = self.made.lock().unwrap();
        *made += 1;
        let webhook = ObservedWebhook {
            id: RemoteId::parse(&format!("made-{made}")).unwrap(),
            spec: stored(spec.clone()),
            has_bearer_token: token.is_some(),
        };
        self.webhooks
            .lock()
            .unwrap()
            .insert(webhook.id.clone(), webhook.clone());
        Ok(Some(webhook))
    }

    async fn patch(
        &self,
        id: &RemoteId,
        fields: &[(Field, FieldValue)],
        token: TokenChange<&Secret>,
        _: &impl SendGate,
    ) -> Result<Option<ObservedWebhook>, ApiError> {
        assert!(
            !fields.is_empty() || !matches!(token, TokenChange::Keep),
            "an empty PATCH"
        );
        let mut webhooks = self.webhooks.lock().unwrap();
        let Some(webhook) = webhooks.get_mut(id) else {
            return Err(ApiError::Gone { id: id.clone() });
        };
        for (field, value) in fields {
            match (field, value) {
                (Field::Name, FieldValue::Text(name)) => webhook.spec.name.clone_from(name),
                (Field::Url, FieldValue::Url(url)) => webhook.spec.url.clone_from(url),
                (Field::Actions, FieldValue::Actions(actions)) => {
                    webhook.spec.actions.clone_from(actions);
                }
                (Field::Enabled, FieldValue::Flag(enabled)) => webhook.spec.enabled = *enabled,
                (Field::TimeoutSeconds, FieldValue::Number(number)) => {
                    webhook.spec.timeout_seconds = *number;
                }
                (Field::MaxRetries, FieldValue::Number(number)) => {
                    webhook.spec.max_retries = *number;
                }
                (Field::RetryBackoffSeconds, FieldValue::Number(number)) => {
                    webhook.spec.retry_backoff_seconds = *number;
                }
                wrong => panic!("a value of the wrong type: {wrong:?}"),
            }
        }
        webhook.spec = stored(webhook.spec.clone());
        match token {
            TokenChange::Keep => {}
            TokenChange::Set(_) => webhook.has_bearer_token = true,
            TokenChange::Clear => webhook.has_bearer_token = false,
        }
        Ok(Some(webhook.clone()))
    }

    async fn delete(&self, id: &RemoteId, _: &impl SendGate) -> Result<DeleteAnswer, ApiError> {
        match self.webhooks.lock().unwrap().remove(id) {
            Some(_) => Ok(DeleteAnswer::Done),
            None => Err(ApiError::Gone { id: id.clone() }),
        }
    }
}
