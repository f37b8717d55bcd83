//! The commits that a change of files is compared with.

use crate::environment::Environment;
use crate::git::Repository;

/// The branches of the server that changes are made against, by the names that they mostly have.
const TRUNKS: [&str; 2] = ["refs/remotes/origin/main", "refs/remotes/origin/master"];

/// What the server calls its own branch; not a branch if anybody pushed one of that name.
const SERVERS_HEAD: &str = "refs/remotes/origin/HEAD";

/// In which variables CI systems name the branch that a change is made against, and the default branch.
const TARGETS: [&str; 2] = ["GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"];
const DEFAULT: &str = "CI_DEFAULT_BRANCH";

/// In which variable a CI system names the commit that a change began at.
const DIFF_BASE: &str = "CI_MERGE_REQUEST_DIFF_BASE_SHA";

/// The commits to compare with.
#[derive(Default)]
pub(super) struct Baselines {
    /// HEAD first: the work tree may differ from it.
    pub(super) commits: Vec<String>,
    /// What should be compared with and is not here.
    pub(super) missing: Option<String>,
}

/// Finds HEAD, and each commit at which it left a branch of the server; where it left none, the commits before it.
///
/// All of them count: whoever can push a branch could choose among them.
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
        // A CI system makes a merge of a change and its target, so the target is among them.
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

/// The branches of the server that a change may be made against, as far as they are here.
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

fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
