//! A watch at a terminal: what it watches, and each change as a plan shows it. Elsewhere, its log says the same.

use std::time::Duration;

use hookctl::outside::Outside;
use hookctl::render::{Detail, LooseSettings, RenderContext, RunStats, Styles};
use hookctl::watch::{Passed, Reason};

use super::args::WatchArgs;
use crate::mask;
use crate::session::Session;
use crate::settings::Settings;
use crate::ui::Ui;

/// Says what is watched, for which account, and how the watch ends.
pub(super) fn banner(ui: &Ui, args: &WatchArgs, settings: &Settings, session: &Session) {
    if !ui.shows_progress() {
        return;
    }
    let styles = Styles::new(ui.color_err());
    let here = std::env::current_dir().unwrap_or_default();
    let folder = &settings.webhooks_dir;
    let folder = Outside::path(folder.strip_prefix(here).unwrap_or(folder));
    let target = hookctl::render::sanitize(&settings.target.name);
    let api = if args.sandbox {
        "the sandbox".to_owned()
    } else {
        hookctl::render::sanitize(session.account().api()).into_owned()
    };
    let (bold, aside) = (styles.headline, styles.aside);
    ui.message(&format!(
        "{bold}Watching {folder}{bold:#} for target {target}, at {api}\n\
         {aside}Syncs on every save, and looks for drift every {}. Ctrl-C ends the watch.{aside:#}\n\n",
        interval(args.interval),
    ));
}

/// Says that the watch has ended.
pub(super) fn ended(ui: &Ui) {
    if ui.shows_progress() {
        ui.message("The watch has ended.\n");
    }
}

/// Shows a pass. A check for drift that finds none shows nothing.
pub(super) fn show(ui: &Ui, settings: &Settings, is_sandbox: bool, passed: &Passed, requests: u64) {
    if !ui.shows_progress() {
        return;
    }
    let plan = &*mask::shown(&passed.report.plan);
    if plan.actions.is_empty() && passed.reason == Reason::Interval {
        return;
    }
    let styles = Styles::new(ui.color_err());
    let context = RenderContext {
        target: &settings.target.name,
        sandbox: is_sandbox,
        dry_run: false,
        settings: &LooseSettings::NONE,
    };
    let detail = Detail::that_fits(plan);
    let now = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
    let (aside, reason) = (styles.aside, why(passed.reason));
    let mut text = format!("{aside}{now}  {reason}{aside:#}\n");
    text += &hookctl::render::plan(plan, context, &styles, detail);
    if let Some(report) = &passed.report.report {
        let mut report = report.clone();
        report.results.iter_mut().for_each(mask::result);
        let stats = RunStats {
            requests,
            duration: passed.took,
        };
        text += &hookctl::render::report(plan, &report, stats, &styles, detail);
    }
    ui.message(&format!("{text}\n"));
}

/// Renders the time between two checks as it is usually written.
fn interval(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds >= 60 && seconds.is_multiple_of(60) && time.subsec_nanos() == 0 {
        format!("{}m", seconds / 60)
    } else {
        format!("{time:?}")
    }
}

/// Returns why a pass ran.
const fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Start => "the watch starts",
        Reason::Files => "the files changed",
        Reason::Interval => "drift was found",
        Reason::Retry => "after a failure",
        Reason::Grace => "the files are stable, so orphans are pruned",
        Reason::Request => "requested by a signal",
    }
}
