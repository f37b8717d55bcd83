//! A remote of a program's own: any account of webhooks that can be listed, created, patched, and deleted.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookctl::apply::{ApplyOptions, Silent};
use hookctl::clock::SystemClock;
use hookctl::declaration::{LoadOptions, load_texts};
use hookctl::plan::Plan;
use hookctl::reconcile::{PlanInputs, Verdict, reconcile};
use hookctl::record::{Account, MemoryRecord, Record};
use hookctl::remote::{ApiError, DeleteAnswer, Page, SendGate, WebhookApi};
use hookctl::secret::Secret;
use hookctl::state::ObservedWebhook;
use hookctl::webhook::{Field, FieldValue, RemoteId, TokenChange, WebhookSpec};

/// An account in memory; a client of another system elsewhere.
#[derive(Default)]
struct Accounts(Mutex<BTreeMap<RemoteId, ObservedWebhook>>);

impl Accounts {
    fn webhooks(&self) -> MutexGuard<'_, BTreeMap<RemoteId, ObservedWebhook>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sets a field of a webhook.
fn set(spec: &mut WebhookSpec, field: Field, value: FieldValue) {
    match (field, value) {
        (Field::Name, FieldValue::Text(name)) => spec.name = name,
        (Field::Url, FieldValue::Url(url)) => spec.url = url,
        (Field::Actions, FieldValue::Actions(actions)) => spec.actions = actions,
        (Field::Enabled, FieldValue::Flag(enabled)) => spec.enabled = enabled,
        (Field::TimeoutSeconds, FieldValue::Number(number)) => spec.timeout_seconds = number,
        (Field::MaxRetries, FieldValue::Number(number)) => spec.max_retries = number,
        (Field::RetryBackoffSeconds, FieldValue::Number(number)) => {
            spec.retry_backoff_seconds = number;
        }
        // A plan contains no other combination.
        _ => {}
    }
}

impl WebhookApi for Accounts {
    async fn page(&self, page: u32, size: u32) -> Result<Page, ApiError> {
        let webhooks = self.webhooks();
        let skipped = page.saturating_sub(1) as usize * size as usize;
        let listed = webhooks.values().skip(skipped).take(size as usize);
        Ok(Page {
            webhooks: listed.cloned().collect(),
            unreadable: Vec::new(),
            total: Some(webhooks.len() as u64),
            bytes: 0,
        })
    }

    // ANCHOR: create
    async fn create(
        &self,
        spec: &WebhookSpec,
        token: Option<&Secret>,
        gate: &impl SendGate,
    ) -> Result<Option<ObservedWebhook>, ApiError> {
        // Asked right before each send. A request whose outcome is unknown is reported with `gate.unanswered()`.
        gate.permit().await.map_err(|_| ApiError::Withheld)?;
        let mut webhooks = self.webhooks();
        let id = RemoteId::parse(&format!("webhook-{}", webhooks.len() + 1));
        let created = ObservedWebhook {
            id: id.map_err(|error| ApiError::UnknownOutcome {
                reason: error.to_string(),
            })?,
            spec: spec.clone(),
            has_bearer_token: token.is_some(),
        };
        webhooks.insert(created.id.clone(), created.clone());
        Ok(Some(created))
    }
    // ANCHOR_END: create

    async fn patch(
        &self,
        id: &RemoteId,
        fields: &[(Field, FieldValue)],
        token: TokenChange<&Secret>,
        gate: &impl SendGate,
    ) -> Result<Option<ObservedWebhook>, ApiError> {
        gate.permit().await.map_err(|_| ApiError::Withheld)?;
        let mut webhooks = self.webhooks();
        let found = webhooks.get_mut(id);
        let webhook = found.ok_or_else(|| ApiError::Gone { id: id.clone() })?;
        for (field, value) in fields {
            set(&mut webhook.spec, *field, value.clone());
        }
        match token {
            TokenChange::Keep => {}
            TokenChange::Set(_) => webhook.has_bearer_token = true,
            TokenChange::Clear => webhook.has_bearer_token = false,
        }
        Ok(Some(webhook.clone()))
    }

    async fn delete(&self, id: &RemoteId, gate: &impl SendGate) -> Result<DeleteAnswer, ApiError> {
        gate.permit().await.map_err(|_| ApiError::Withheld)?;
        match self.webhooks().remove(id) {
            Some(_) => Ok(DeleteAnswer::Done),
            None => Err(ApiError::Gone { id: id.clone() }),
        }
    }
}

/// Runs one pass, and returns how many actions it had.
async fn pass(accounts: &Accounts, record: &Record, text: &str) -> Result<usize, Box<dyn Error>> {
    let files = [("billing.yaml".into(), text.to_owned())];
    let loaded = load_texts(&files, &LoadOptions::below(Path::new("/")));
    let declarations = loaded.declarations.ok_or("the file does not validate")?;
    let desired = declarations.into_desired(&BTreeMap::new());
    let clock = SystemClock::shared();
    let inputs = PlanInputs::new(accounts, &desired, &clock);
    let mut apply = |_: &Plan| Verdict::Apply;
    let options = ApplyOptions::default();
    let open = record.open().await?;
    let report = reconcile(&inputs, &options, &open, &Silent, &mut apply).await?;
    open.close().await?;
    Ok(report.results().len())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let accounts = Accounts::default();
    // The address names the account in the record.
    let account = Account::new("default", "memory:accounts");
    let record = Record::new(MemoryRecord::new(), account);
    let text = |retries: u32| {
        format!(
            "webhooks: {{ billing: {{ url: 'https://hooks.example.com', actions: all, max_retries: {retries} }} }}"
        )
    };
    assert_eq!(pass(&accounts, &record, &text(1)).await?, 1);
    assert_eq!(pass(&accounts, &record, &text(2)).await?, 1);
    assert_eq!(pass(&accounts, &record, &text(2)).await?, 0);
    let webhooks = accounts.webhooks();
    assert!(
        webhooks
            .values()
            .all(|webhook| webhook.spec.max_retries == 2)
    );
    assert_eq!(webhooks.len(), 1);
    Ok(())
}
