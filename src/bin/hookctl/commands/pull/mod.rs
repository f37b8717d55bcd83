//! `hookctl pull`: writes what changed at the API into the declarations, in place.

mod args;
mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use hookctl::declaration::{Declarations, load_texts};
use hookctl::plan::safety::Overrides;
use hookctl::plan::{KeyFilter, PlanError, Policy, plan};
use hookctl::pull::{Baseline, Left, Pulled, PulledFile, Scope, Selection, pull, select};
use hookctl::reconcile::{self, PlanInputs, Planned};
use hookctl::record::Remembered;
use hookctl::render::{Message, PullDocument, Styles};
use hookctl::state::DesiredState;
use hookctl::webhook::Key;

use self::files::{read_contents, remove_leftovers, write};
use crate::args::{Form, GlobalArgs};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::files::with_load_options;
use crate::mask;
use crate::opened::{Opened, Opening};
use crate::presenter::{Output, Presenter};
use crate::progress::{self, Phase};
use crate::run::{matches_some, selected};
use crate::settings::Settings;
use crate::signals::{cancel_on_signal, unless_cancelled};
use crate::trust::Asks;
use crate::ui::Ui;

pub(crate) use self::args::PullArgs;

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &PullArgs,
    environment: &Environment,
) -> ExitStatus {
    let mut presenter = Presenter::new(ui, Output::Human, args.dry_run, args.sandbox);
    match run_pull(ui, global, args, environment, &mut presenter).await {
        Ok(status) => status,
        Err(error) => ui.fail(&error, args.output == Form::Json),
    }
}

async fn run_pull(
    ui: &Ui,
    global: &GlobalArgs,
    args: &PullArgs,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<ExitStatus, CommandError> {
    let cancellation = cancel_on_signal()?;
    let settings = presenter.settings(global)?;
    let only = selected(&args.keys)?;
    let (declared, texts) =
        presenter.declarations_and_texts(crate::files::read(&settings, environment))?;
    let opening = Opening {
        ui,
        settings: &settings,
        environment,
        cancellation: &cancellation,
        sandbox: args.sandbox,
        asks: Asks::a_person_unless(args.output == Form::Json),
    };
    let states = observe(&opening, declared, only, presenter).await?;
    let selection = states.selection(args);
    if !args.dry_run {
        remove_leftovers(&texts, &settings);
    }
    let (mut pulled, left) = edited(&states, texts, &selection, &settings, environment)?;
    let mut failure = None;
    if !args.dry_run
        && let Err(failed) = write(&pulled.files, &settings)
    {
        if failed.replaced == 0 {
            return Err(failed.error);
        }
        states.keep_only(failed.replaced, &mut pulled);
        failure = Some(failed.error);
    }
    states.leave_held(&mut pulled);
    let messages = messages(&pulled.files, &left, &states.desired, &settings);
    let mut document = PullDocument::new(
        presenter.context(),
        &pulled.files,
        &selection.changed,
        &left,
        &pulled.plan,
        messages.other_targets.clone(),
    );
    if let Some(error) = &failure {
        document.fail(error.clone().into_message());
    }
    document.filter_texts(mask::masked);
    show(ui, args, &document, messages, presenter);
    if let Some(error) = failure {
        return Ok(presenter.fail(&error));
    }
    Ok(if left.iter().any(|left| left.reason.is_failure()) {
        ExitStatus::PartlyFailed
    } else if args.detailed_exitcode && document.changes_files() {
        ExitStatus::Drift
    } else {
        ExitStatus::Success
    })
}

/// The states that a pull compares.
struct States {
    desired: DesiredState,
    remembered: Remembered,
    planned: Planned,
    policy: Policy,
    /// The webhooks that a sync leaves alone since a rollback. They are planned nevertheless.
    held: BTreeSet<Key>,
}

/// Reads the list and the record, and plans. Resolves no token: a pull never writes one.
async fn observe(
    opening: &Opening<'_>,
    declared: Declarations,
    only: KeyFilter,
    presenter: &mut Presenter<'_>,
) -> Result<States, CommandError> {
    let Opened {
        session,
        remembered,
    } = opening.open().await?;
    let desired = declared.into_desired(&BTreeMap::new());
    let known = desired.keys().chain(remembered.last_applied.keys());
    matches_some("KEY-GLOB", &only, known)?;
    let policy = Policy {
        only,
        ..Policy::default()
    };
    let inputs = PlanInputs {
        // A pull sends no write, so there is nothing to refuse.
        overrides: Overrides::ALL,
        ..session.plan_inputs(
            opening.settings,
            &desired,
            policy.clone(),
            opening.cancellation,
        )
    };
    progress::begin(Phase::List);
    let planning = reconcile::prepare(&inputs, &remembered);
    let planned = unless_cancelled(opening.cancellation, planning).await?;
    progress::end();
    let mut planned = planned.map_err(|error| presenter.failed(&error))?;
    let mut remembered = (*remembered).clone();
    planned.settled.apply_to(&mut remembered.last_applied);
    let held: BTreeSet<Key> = planned.plan.held.iter().cloned().collect();
    let policy = Policy {
        retry_held: true,
        ..policy
    };
    if !held.is_empty() {
        let (observed, last_applied) = (&planned.observed, &remembered.last_applied);
        planned.plan =
            plan(&desired, observed, last_applied, &policy).map_err(|error| no_plan(&error))?;
    }
    Ok(States {
        desired,
        remembered,
        planned,
        policy,
        held,
    })
}

impl States {
    fn selection(&self, args: &PullArgs) -> Selection {
        let unsettled = self.planned.settled.unsettled.iter();
        let scope = Scope {
            fields: args.field.iter().copied().collect(),
            overwrites_edits: args.overwrite_edits,
            unsettled: unsettled.map(|one| one.intent.key.clone()).collect(),
            held: self.held.clone(),
        };
        select(&self.planned.plan, &scope, &mask::is_secret)
    }

    /// Keeps the first files of a pull, of which only these were written. The changes of the others remain in the plan.
    fn keep_only(&self, replaced: usize, pulled: &mut Pulled) {
        let lost = pulled.files.split_off(replaced.min(pulled.files.len()));
        let lost = lost.iter().flat_map(|file| &file.written);
        let lost: BTreeSet<&Key> = lost.map(|written| &written.key).collect();
        let actions = &mut pulled.plan.actions;
        actions.retain(|planned| !lost.contains(&planned.key));
        let before = self.planned.plan.actions.iter();
        actions.extend(
            before
                .filter(|planned| lost.contains(&planned.key))
                .cloned(),
        );
    }

    /// Removes the held webhooks from the plan, unless their declarations have changed, which ends the hold.
    fn leave_held(&self, pulled: &mut Pulled) {
        let written = pulled.files.iter().flat_map(|file| &file.written);
        let written: BTreeSet<&Key> = written.map(|written| &written.key).collect();
        let stays = |key: &Key| !self.held.contains(key) || written.contains(key);
        pulled.plan.actions.retain(|planned| stays(&planned.key));
    }
}

/// Edits the texts of the files, and proves the result. Returns it with everything that is left.
fn edited(
    states: &States,
    mut texts: Vec<(PathBuf, String)>,
    selection: &Selection,
    settings: &Settings,
    environment: &Environment,
) -> Result<(Pulled, Vec<Left>), CommandError> {
    let webhooks = &states.desired.webhooks;
    let declaring = selection.changed.iter().filter_map(|change| {
        let webhook = webhooks.get(&change.new.key)?;
        Some(webhook.origin.key.path.to_path_buf())
    });
    let declaring: BTreeSet<PathBuf> = declaring.collect();
    read_contents(&mut texts, |path| declaring.contains(path), settings)?;
    let load = |texts: &[(PathBuf, String)]| {
        with_load_options(settings, environment, |options| load_texts(texts, options))
    };
    let baseline = Baseline {
        texts: &texts,
        target: &settings.target.name,
        load: &load,
        desired: &states.desired,
        observed: &states.planned.observed,
        last_applied: &states.remembered.last_applied,
        policy: &states.policy,
        plan: &states.planned.plan,
    };
    let values = selection.changed.iter();
    let values = values.map(|change| change.new.clone()).collect();
    let mut pulled = pull(&baseline, values).map_err(|error| no_plan(&error))?;
    let mut left = selection.left.clone();
    left.append(&mut pulled.left);
    left.sort_by(|one, other| (&one.key, one.field).cmp(&(&other.key, other.field)));
    Ok((pulled, left))
}

fn no_plan(error: &PlanError) -> CommandError {
    CommandError::new("no-plan", format!("could not plan: {error}"))
}

/// The messages of a pull.
struct Messages {
    left: Vec<Message>,
    other_targets: Vec<Message>,
}

fn messages(
    files: &[PulledFile],
    left: &[Left],
    desired: &DesiredState,
    settings: &Settings,
) -> Messages {
    let located = left.iter().map(|left| {
        let webhook = desired.webhooks.get(&left.key);
        let location = webhook.map(|webhook| match left.field {
            Some(field) => webhook.origin.of_field(field.as_str()),
            None => &webhook.origin.key,
        });
        Message::of_left(left, location)
    });
    let mut other_targets = BTreeMap::new();
    for file in files {
        for written in &file.written {
            let known = settings.known_targets.iter();
            let others: Vec<String> = known
                .filter(|target| **target != settings.target.name)
                .filter(|target| {
                    written
                        .targets
                        .as_ref()
                        .is_none_or(|all| all.contains(target))
                })
                .cloned()
                .collect();
            if !others.is_empty() {
                let place = (file.path.clone(), written.line);
                other_targets.entry(&written.key).or_insert_with(|| {
                    Message::of_other_targets(written.key.as_str(), place, &others)
                });
            }
        }
    }
    Messages {
        left: located.collect(),
        other_targets: other_targets.into_values().collect(),
    }
}

fn show(
    ui: &Ui,
    args: &PullArgs,
    document: &PullDocument,
    messages: Messages,
    presenter: &mut Presenter<'_>,
) {
    if args.output == Form::Json {
        ui.result(&document.to_text());
        return;
    }
    let styles = Styles::new(ui.color_out());
    if !ui.is_quiet() {
        if args.dry_run {
            // Not wrapped, so that it can be applied.
            ui.result(&document.diffs(&styles));
        }
        ui.human(&document.lines(&styles));
    }
    for message in messages.left.into_iter().chain(messages.other_targets) {
        presenter.report(message);
    }
    ui.human(&document.summary(&styles));
}
