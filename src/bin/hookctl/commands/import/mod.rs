//! `hookctl import`: writes declarations for existing webhooks, and binds them.

mod args;
mod files;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use hookctl::apply::{ApplyEvent, ApplyOptions, Listener};
use hookctl::declaration::Declarations;
use hookctl::diagnostic::Severity;
use hookctl::import::{Imported, declare, file};
use hookctl::outside::Outside;
use hookctl::plan::safety::Overrides;
use hookctl::plan::{Action, KeyFilter, Notice, Plan, Policy, plan};
use hookctl::reconcile::{self, PassError, PlanInputs, Planned, Verdict};
use hookctl::record::Remembered;
use hookctl::remote::http::HttpApi;
use hookctl::state::{DesiredState, ObservedState, ObservedWebhook, UnreadableWebhook};
use hookctl::webhook::{Key, RemoteId};
use tokio_util::sync::CancellationToken;

use self::files::{files, shown, write};
use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::files::with_load_options;
use crate::mask::{leak, masked};
use crate::opened::{Opened, Opening};
use crate::presenter::{Output, Presenter};
use crate::progress::{self, Phase};
use crate::session::{Session, record_error};
use crate::settings::{Given, Settings};
use crate::signals::{begin_writing, cancel_on_signal};
use crate::trust::Asks;
use crate::ui::Ui;

pub(crate) use self::args::ImportArgs;
pub(crate) use self::files::{CONFIG_SCHEMA_FILE, write_config_schema, write_new, write_schema};

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ImportArgs,
    environment: &Environment,
) -> ExitStatus {
    let mut presenter = Presenter::new(ui, Output::Human, args.dry_run, args.sandbox);
    let given = Given::default();
    match import(ui, global, args, environment, &mut presenter, given).await {
        Ok(status) => status,
        Err(error) => presenter.fail(&error),
    }
}

/// Writes the declarations. `given` is what the user just entered in `init`; it needs no further consent.
pub(super) async fn import(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ImportArgs,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
    given: Given,
) -> Result<ExitStatus, CommandError> {
    let cancellation = cancel_on_signal()?;
    let mut settings = presenter.settings(global)?;
    settings.target.given.url |= given.url;
    settings.target.given.key |= given.key;
    let (declared, texts) = declared(&settings, environment, presenter)?;
    let opening = Opening {
        ui,
        settings: &settings,
        environment,
        cancellation: &cancellation,
        sandbox: args.sandbox,
        asks: Asks::Person,
    };
    let Opened {
        session,
        remembered,
    } = opening.open().await?;
    let everything = Policy::default();
    let passes = ImportPasses {
        session: &session,
        settings: &settings,
        cancellation,
    };
    let desired = declared.into_desired(&BTreeMap::new());
    progress::begin(Phase::List);
    let planned = reconcile::prepare(&passes.inputs(&desired, everything), &remembered).await;
    progress::end();
    let planned = planned.map_err(|error| presenter.failed(&error))?;
    let chosen = chosen(args, &planned)?;
    if chosen.is_empty() {
        let unreadable = unreadable(args, &planned);
        if !unreadable.is_empty() {
            return Ok(report_skipped(ui, &[], &unreadable));
        }
        ui.human("Nothing to import: every webhook is declared or bound.\n");
        return Ok(ExitStatus::Success);
    }
    let wishes: BTreeMap<RemoteId, Key> = args
        .wishes
        .iter()
        .map(|(key, id)| (id.clone(), key.clone()))
        .collect();
    let taken: BTreeSet<Key> = desired
        .keys()
        .chain(remembered.last_applied.keys())
        .cloned()
        .collect();
    if let Some((key, _)) = args.wishes.iter().find(|(key, _)| taken.contains(key)) {
        return Err(CommandError::new(
            "key-taken",
            format!("the key '{key}' is already declared or bound"),
        ));
    }
    let (clean, leaking) = without_secrets(&chosen);
    let imported = declare(clean, &wishes, taken);
    let (kept, mut left) = tested(
        imported,
        &texts,
        &settings,
        environment,
        &planned.observed,
        &remembered,
    );
    left.splice(..0, leaking);
    let unreadable = unreadable(args, &planned);
    let status = report_skipped(ui, &left, &unreadable);
    let files = files(&kept, &settings.webhooks_dir, args.file.as_deref())?;
    if args.dry_run {
        for file in &files {
            let path = shown(&file.path, &settings);
            ui.result(&format!("--- {}\n", Outside::path(path)));
            for line in file.text.lines() {
                ui.result(&format!("{}\n", Outside::text(&masked(line))));
            }
            ui.result("\n");
        }
        return Ok(status);
    }
    begin_writing();
    write(&files, &settings)?;
    for file in &files {
        ui.human(&format!(
            "wrote {}\n",
            Outside::path(shown(&file.path, &settings))
        ));
    }
    let (declared, _) = self::declared(&settings, environment, presenter)?;
    let desired = declared.into_desired(&BTreeMap::new());
    let bound = passes.bind(&desired, &kept, &remembered, presenter).await?;
    ui.human(&format!(
        "Imported and bound {bound} of {}. `hookctl sync --dry-run` shows no changes for them.\n",
        chosen.len()
    ));
    Ok(if bound == kept.len() {
        status
    } else {
        ExitStatus::PartlyFailed
    })
}

/// Splits off the webhooks that contain a secret of this run: files are committed, so they must not hold one.
fn without_secrets<'a>(
    chosen: &[&'a ObservedWebhook],
) -> (Vec<&'a ObservedWebhook>, Vec<(Imported, String)>) {
    let (mut clean, mut leaking) = (Vec::new(), Vec::new());
    for &webhook in chosen {
        let Some(field) = leak(webhook) else {
            clean.push(webhook);
            continue;
        };
        let why =
            format!("its '{field}' at the API contains a secret of this run, and files must not");
        let refused = declare([webhook], &BTreeMap::new(), BTreeSet::new());
        leaking.extend(refused.into_iter().map(|one| (one, why.clone())));
    }
    (clean, leaking)
}

/// Reports the webhooks that were not imported, and returns the exit status.
fn report_skipped(
    ui: &Ui,
    left: &[(Imported, String)],
    unreadable: &[&UnreadableWebhook],
) -> ExitStatus {
    for webhook in unreadable {
        let webhook = masked(&webhook.to_string());
        ui.message(&format!(
            "warning[not-imported]: {}\n",
            Outside::text(&webhook)
        ));
    }
    for (imported, why) in left {
        // Masked before it is escaped: an escaped secret would not be found.
        let name = format!("{:?}", masked(&imported.name));
        ui.message(&format!(
            "warning[not-imported]: {} ({}): {}\n",
            Outside::text(&name),
            masked(imported.id.as_str()),
            Outside::text(&masked(why))
        ));
    }
    if left.is_empty() && unreadable.is_empty() {
        ExitStatus::Success
    } else {
        ExitStatus::PartlyFailed
    }
}

/// Returns the selected unmanaged webhooks that cannot be read.
fn unreadable<'a>(args: &ImportArgs, planned: &'a Planned) -> Vec<&'a UnreadableWebhook> {
    let is_wanted = |id: &RemoteId| {
        args.wishes.is_empty() || args.wishes.iter().any(|(_, wanted)| wanted == id)
    };
    let notices = planned.plan.notices.iter();
    notices
        .filter_map(|notice| match notice {
            Notice::Unreadable { webhook } if is_wanted(&webhook.id) => Some(webhook),
            _ => None,
        })
        .collect()
}

/// What the passes of an import share.
struct ImportPasses<'a> {
    session: &'a Session,
    settings: &'a Settings,
    cancellation: CancellationToken,
}

impl ImportPasses<'_> {
    fn inputs<'a>(&'a self, desired: &'a DesiredState, policy: Policy) -> PlanInputs<'a, HttpApi> {
        PlanInputs {
            overrides: Overrides::ALL,
            ..self
                .session
                .plan_inputs(self.settings, desired, policy, &self.cancellation)
        }
    }

    /// Binds the imported webhooks, provided that nothing has to be sent. Returns how many were bound.
    async fn bind(
        &self,
        desired: &DesiredState,
        kept: &[Imported],
        remembered: &Remembered,
        presenter: &mut Presenter<'_>,
    ) -> Result<usize, CommandError> {
        let kept: HashSet<&Key> = kept.iter().map(|imported| &imported.key).collect();
        let others = desired.keys().filter(|key| !kept.contains(key));
        let policy = Policy {
            only: KeyFilter::default()
                .except(others.cloned())
                .except(remembered.last_applied.keys().cloned()),
            ..Policy::default()
        };
        let open = self
            .session
            .record()
            .open()
            .await
            .map_err(|error| record_error(&error))?;
        let mut adopts_only = |plan: &Plan| {
            if plan.actions.iter().all(|planned| adopts_as_it_is(planned)) {
                Verdict::Apply
            } else {
                Verdict::Leave
            }
        };
        let inputs = self.inputs(desired, policy);
        // An import sends nothing, so it needs no tokens, and nothing is in flight after an interruption.
        let options = ApplyOptions {
            grace: Duration::ZERO,
            ..ApplyOptions::default()
        };
        let result =
            reconcile::reconcile(&inputs, &options, &open, &Silent, &mut adopts_only).await;
        open.close().await.map_err(|error| record_error(&error))?;
        let report = match result {
            Err(PassError::Interrupted) => {
                return Err(CommandError::new(
                    "interrupted",
                    "interrupted before the imported webhooks were bound; the files are written",
                )
                .hint("`hookctl sync` binds them by name")
                .status(ExitStatus::Interrupted));
            }
            result => result.map_err(|error| presenter.failed(&error))?,
        };
        Ok(report
            .report
            .as_ref()
            .map_or(0, hookctl::report::SyncReport::applied))
    }
}

struct Silent;

impl Listener for Silent {
    fn on(&self, _: ApplyEvent<'_>) {}
}

fn adopts_as_it_is(planned: &hookctl::plan::PlannedAction) -> bool {
    matches!(&planned.action, Action::Adopt(adoption) if adoption.patch.is_none())
}

/// Loads the declarations. A missing folder declares nothing.
fn declared(
    settings: &Settings,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<(Declarations, Vec<(PathBuf, String)>), CommandError> {
    let folder = &settings.webhooks_dir;
    let exists = folder.try_exists().map_err(|error| {
        let message = format!("could not read {}: {error}", Outside::path(folder));
        CommandError::new("unreadable", message)
    })?;
    if exists {
        return presenter.declarations_and_texts(crate::files::read(settings, environment));
    }
    let loaded = with_load_options(settings, environment, |options| {
        hookctl::declaration::load_texts(&[], options)
    });
    loaded
        .declarations
        .map(|declarations| (declarations, Vec::new()))
        .ok_or_else(|| CommandError::new("invalid-declarations", "could not load any declarations"))
}

/// Returns the webhooks to import: the named ones, or all unmanaged ones.
fn chosen<'a>(
    args: &ImportArgs,
    planned: &'a Planned,
) -> Result<Vec<&'a ObservedWebhook>, CommandError> {
    let unmanaged: BTreeSet<&RemoteId> = planned.plan.unmanaged.iter().map(|one| &one.id).collect();
    for (key, id) in &args.wishes {
        if !planned.observed.exists(id) {
            return Err(CommandError::new(
                "no-such-webhook",
                format!("{key}={id}: the API has no webhook with this id"),
            ));
        }
        if !unmanaged.contains(id) {
            return Err(CommandError::new(
                "already-managed",
                format!("{key}={id}: this webhook is already declared or bound"),
            )
            .hint("`hookctl record show` lists the bound keys"));
        }
    }
    let mut chosen: Vec<&ObservedWebhook> = planned
        .observed
        .webhooks
        .values()
        .filter(|webhook| {
            unmanaged.contains(&webhook.id)
                && (args.wishes.is_empty() || args.wishes.iter().any(|(_, id)| *id == webhook.id))
        })
        .collect();
    chosen.sort_by(|one, other| {
        one.spec
            .name
            .cmp(&other.spec.name)
            .then(one.id.cmp(&other.id))
    });
    Ok(chosen)
}

/// Splits the declarations into those that plan as an adoption without a request, and the others with the reason.
fn tested(
    imported: Vec<Imported>,
    texts: &[(PathBuf, String)],
    settings: &Settings,
    environment: &Environment,
    observed: &ObservedState,
    remembered: &Remembered,
) -> (Vec<Imported>, Vec<(Imported, String)>) {
    let (mut kept, mut left) = (Vec::new(), Vec::new());
    // Each file alone, to find its own problems; then all together, to find conflicts.
    for one in imported {
        let text = (PathBuf::from("imported.yaml"), file([&one], 0));
        let loaded = with_load_options(settings, environment, |options| {
            hookctl::declaration::load_texts(&[text], options)
        });
        let error = loaded
            .diagnostics
            .iter()
            .find(|diagnostic| diagnostic.severity == Severity::Error);
        match error {
            Some(error) => left.push((one, error.message.clone())),
            None => kept.push(one),
        }
    }
    let mut all = texts.to_vec();
    // A file each, since all together may be larger than a file may be.
    let each = kept.iter().map(|one| {
        let name = format!("{}.yaml", one.key);
        (PathBuf::from(name), file([one], 0))
    });
    all.extend(each);
    let loaded = with_load_options(settings, environment, |options| {
        hookctl::declaration::load_texts(&all, options)
    });
    let Some(declarations) = loaded.declarations else {
        let why = loaded
            .diagnostics
            .iter()
            .find(|diagnostic| diagnostic.severity == Severity::Error)
            .map_or_else(String::new, |error| error.message.clone());
        left.extend(kept.into_iter().map(|one| (one, why.clone())));
        return (Vec::new(), left);
    };
    let desired: DesiredState = declarations.into_desired(&BTreeMap::new());
    match plan(
        &desired,
        observed,
        &remembered.last_applied,
        &Policy::default(),
    ) {
        Ok(plan) => {
            let adopted: BTreeSet<&Key> = plan
                .actions
                .iter()
                .filter(|planned| adopts_as_it_is(planned))
                .map(|planned| &planned.key)
                .collect();
            let (fine, other): (Vec<_>, Vec<_>) =
                kept.into_iter().partition(|one| adopted.contains(&one.key));
            let why = "its fields at the API cannot be declared unchanged".to_owned();
            left.extend(other.into_iter().map(|one| (one, why.clone())));
            (fine, left)
        }
        Err(error) => {
            let why = error.to_string();
            left.extend(kept.into_iter().map(|one| (one, why.clone())));
            (Vec::new(), left)
        }
    }
}
