//! The commits that the files are compared with.

use crate::environment::Environment;
use crate::git::{Repository, is_hash};

/// The usual names of the server's main branches.
const TRUNKS: [&str; 2] = ["refs/remotes/origin/main", "refs/remotes/origin/master"];

/// The server's default branch. Ignored if it is not a symbolic ref: then it is a branch that was pushed by this name.
const SERVERS_HEAD: &str = "refs/remotes/origin/HEAD";

/// The variables in which CI systems name the target branch and the default branch.
const TARGETS: [&str; 2] = ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"];
const DEFAULT: &str = "CI_DEFAULT_BRANCH";

/// The variable in which a CI system names the commit where a change began.
const DIFF_BASE: &str = "CI_MERGE_REQUEST_DIFF_BASE_SHA";

/// The commits to compare with.
#[derive(Default)]
pub(super) struct Baselines {
    /// HEAD first, since the work tree may differ from it.
    pub(super) commits: Vec<String>,
    /// Why a commit to compare with is missing.
    pub(super) missing: Option<String>,
}

/// Finds HEAD, and each commit where it left a branch of the server. Without any, uses the parents of HEAD.
///
/// All of them count, since an author who can push a branch could otherwise choose among them.
pub(super) fn baselines(repository: &Repository, environment: &Environment) -> Baselines {
    let mut found = Baselines::default();
    let Some(line) = repository.ask(&["rev-list", "--parents", "--max-count=1", "HEAD"]) else {
        return found;
    };
    let mut line = line.split_whitespace().map(str::to_owned);
    let Some(head) = line.next() else {
        return found;
    };
    let parents: Vec<String> = line.collect();
    let target = TARGETS
        .into_iter()
        .find_map(|name| environment.setting(name));
    let tips = tips(repository, environment, target.as_deref());
    let mut forks = Vec::new();
    for (name, tip) in &tips {
        if *tip == head {
            continue;
        }
        match repository.ask(&["merge-base", "--all", &head, tip]) {
            Some(bases) => forks.extend(bases.lines().map(str::to_owned)),
            None => found.missing = Some(format!("{name} has no commit in common with this one")),
        }
    }
    if let Some(base) = environment.setting(DIFF_BASE).filter(|base| is_hash(base)) {
        let name = format!("{base}^{{commit}}");
        if repository.agrees(&["cat-file", "-e", &name]) == Some(true) {
            forks.push(base);
        }
    }
    forks.retain(|fork| *fork != head);
    forks.sort();
    forks.dedup();
    if forks.is_empty() {
        // CI systems merge a change with its target, which then is a parent.
        let is_merge = parents.len() > 1;
        let is_here = |branch: &String| tips.iter().any(|(name, _)| *name == remote(branch));
        if let Some(branch) = target.filter(|branch| !is_merge && !is_here(branch)) {
            found.missing = Some(format!("the branch {branch} was not fetched"));
        }
        forks = parents;
    }
    found.commits.push(head);
    found.commits.extend(forks);
    found
}

fn remote(branch: &str) -> String {
    format!("refs/remotes/origin/{branch}")
}

/// Returns the local refs of the server's branches that a change may target.
fn tips(
    repository: &Repository,
    environment: &Environment,
    target: Option<&str>,
) -> Vec<(String, String)> {
    let named = [target.map(str::to_owned), environment.setting(DEFAULT)];
    let named: Vec<String> = named
        .into_iter()
        .flatten()
        .map(|name| remote(&name))
        .collect();
    let mut question = vec![
        "for-each-ref",
        "--format=%(refname)%00%(objectname)%00%(symref)",
        SERVERS_HEAD,
    ];
    question.extend(TRUNKS);
    question.extend(named.iter().map(String::as_str));
    let answer = repository.ask(&question).unwrap_or_default();
    let mut tips: Vec<(String, String)> = answer
        .lines()
        .filter_map(|line| {
            let mut parts = line.split('\0');
            let (name, tip, led) = (parts.next()?, parts.next()?, parts.next()?);
            let counts = name != SERVERS_HEAD || !led.is_empty();
            counts.then(|| (name.to_owned(), tip.to_owned()))
        })
        .collect();
    tips.dedup_by(|one, other| one.1 == other.1 && one.0 == SERVERS_HEAD);
    tips
}
