//! Whether the files are older than those that were applied last, as when a CI job runs again.

use std::path::Path;

use hookctl::record::Record;
use hookctl::render::Message;

use crate::git::{Repository, is_hash};
use crate::settings::Settings;

/// How many of the latest changes are searched for one with a commit.
const LATEST: usize = 16;

/// The files of a run, and the shared record that tells which commit was applied last.
pub(crate) struct Files<'a> {
    record: &'a Record,
    webhooks_dir: &'a Path,
    root: &'a Path,
}

impl<'a> Files<'a> {
    /// Returns the files of a run on a shared record. A local record sees the runs of one machine only.
    pub(crate) fn of(settings: &'a Settings, record: &'a Record, sandbox: bool) -> Option<Self> {
        let is_shared = settings.record.shared().is_some() && !sandbox;
        is_shared.then_some(Self {
            record,
            webhooks_dir: &settings.webhooks_dir,
            root: &settings.root,
        })
    }

    /// Returns a notice if the commit of the files is an ancestor of the one that was applied last. Without Git, or if
    /// the clone lacks one of the commits, their order is unknown.
    pub(crate) async fn notice(&self) -> Option<Message> {
        let repository = Repository::around_part(self.webhooks_dir, self.root)?;
        let latest = self.record.history(LATEST).await.ok()?;
        let latest = latest
            .iter()
            .find_map(|entry| Some((entry.at, entry.provenance.as_ref()?)));
        let (at, applied) = latest.filter(|(_, applied)| is_hash(&applied.commit))?;
        let head = ["rev-parse", "--verify", "--end-of-options", "HEAD^{commit}"];
        let head = repository.ask(&head)?;
        let head = head.trim();
        if head == applied.commit {
            return None;
        }
        let is_ancestor = ["merge-base", "--is-ancestor", head, &applied.commit];
        let is_older = repository.agrees(&is_ancestor)?;
        let short = |commit: &str| commit.get(..12).unwrap_or(commit).to_owned();
        is_older.then(|| {
            Message::notice(
                "older-files",
                format!(
                    "the files are of commit {}, which is older than commit {}, applied at {at}; this plan reverts what \
                     changed between them",
                    short(head),
                    short(&applied.commit)
                ),
            )
        })
    }
}
