//! The metrics of a watch: what a scrape of the real binary contains, in both formats, and that the alerts, the dashboard,
//! and the page of the documentation name what exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Account, BILLING, Repository};
use crate::watch::Watch;

/// The head and the body of an answer.
fn answer(address: &str, path: &str, header: &str) -> (String, String) {
    use std::io::Write as _;

    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The body of a page, and its status line.
pub(crate) fn page(address: &str, path: &str) -> (String, String) {
    let (head, body) = answer(address, path, "");
    (head.lines().next().unwrap().to_owned(), body)
}

pub(crate) fn metrics(address: &str) -> String {
    page(address, "/metrics").1
}

/// The log of a watch, line by line.
pub(crate) struct Log(pub(crate) std::io::BufReader<std::process::ChildStderr>);

impl Log {
    fn line(&mut self) -> String {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut self.0, &mut line).unwrap();
        line
    }

    /// Reads until a line contains a text.
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            let line = self.line();
            assert!(!line.is_empty(), "the log ended before {text}");
            if line.contains(text) {
                return line;
            }
        }
    }
}

/// Starts a watch that serves metrics. Returns it with its address and its log.
pub(crate) fn serving<'a>(
    repository: &Repository,
    account: &'a Account,
    arguments: &[&str],
) -> (Watch<'a>, String, Log) {
    let mut watch = Watch::start(repository, account, arguments);
    let stderr = watch.child.stderr.take().unwrap();
    let mut log = Log(std::io::BufReader::new(stderr));
    let first = log.line();
    let address = first
        .trim()
        .strip_prefix("metrics at http://")
        .and_then(|rest| rest.strip_suffix("/metrics"))
        .unwrap_or_else(|| panic!("{first}"))
        .to_owned();
    (watch, address, log)
}

#[test]
fn metrics_tell_what_it_does() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    account.put(
        "5eb7cf5a86d9755df3a6c001",
        "Mine",
        "https://mine.example.com",
    );
    repository.declare("webhooks: { billing: [] }");
    let arguments = ["--interval", "1s", "--metrics", "127.0.0.1:0"];
    let (watch, address, mut log) = serving(&repository, &account, &arguments);
    let address = address.as_str();
    assert_eq!(page(address, "/healthz").0, "HTTP/1.1 200 OK");
    // Alive it is, but nothing that validates was ever seen.
    log.until("the files are invalid");
    assert_eq!(
        page(address, "/readyz").0,
        "HTTP/1.1 503 Service Unavailable"
    );
    let invalid = "hookctl_files_valid{target=\"default\",files=\"declarations\"} 0\n";
    assert!(metrics(address).contains(invalid), "{}", metrics(address));
    repository.declare(BILLING);
    log.until("the files are valid again");
    watch.until("the first pass", |webhooks| webhooks.len() == 2);
    watch.wait("ready", || page(address, "/readyz").0 == "HTTP/1.1 200 OK");
    account.edit("Billing", &json!({ "timeout_seconds": 55 }));
    watch.until_timeout("Billing", 10);
    watch.wait("the count", || {
        metrics(address).contains("hookctl_drift_found_total{target=\"default\"} 1\n")
    });
    let line = log.until("drift corrected");
    for part in [
        "WARN",
        "target=\"default\"",
        "key=\"billing\"",
        "timeout_seconds: 55 -> 10",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    // The requests of a pass are counted at its end.
    watch.wait("the requests", || {
        metrics(address).contains("method=\"PATCH\",status=\"200\"} 1\n")
    });
    let text = metrics(address);
    for expected in [
        "hookctl_passes_total{target=\"default\",reason=\"files\",result=\"success\"} 1\n",
        "hookctl_webhooks{target=\"default\",status=\"in_sync\"} 1\n",
        "hookctl_webhooks{target=\"default\",status=\"unmanaged\"} 1\n",
        "hookctl_pending_changes{target=\"default\"} 0\n",
        "hookctl_files_valid{target=\"default\",files=\"declarations\"} 1\n",
        "hookctl_files_valid{target=\"default\",files=\"configuration\"} 1\n",
        "hookctl_api_requests_total{target=\"default\",method=\"POST\",status=\"200\"} 1\n",
        "hookctl_api_requests_total{target=\"default\",method=\"PATCH\",status=\"200\"} 1\n",
        "hookctl_pass_seconds_bucket{target=\"default\",le=\"+Inf\"}",
        "hookctl_interval_seconds{target=\"default\"} 1",
        "hookctl_last_success_timestamp_seconds{target=\"default\"} 1",
        "hookctl_build_info{target=\"default\",version=\"",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    assert_eq!(page(address, "/other").0, "HTTP/1.1 404 Not Found");
}

/// Counters begin at 0: a counter that appears with its first event has no increase that a query sees.
#[test]
fn every_counter_is_there_before_the_first_event() {
    let (account, repository) = (
        Account::new(),
        Repository::with("webhooks: { billing: [] }"),
    );
    // Other spellings of an address on this machine.
    for address in [":0", "0", "localhost:0"] {
        let arguments = ["--interval", "1h", "--metrics", address];
        let (_watch, address, mut log) = serving(&repository, &account, &arguments);
        log.until("the files are invalid");
        let text = metrics(&address);
        for expected in [
            "hookctl_passes_total{target=\"default\",reason=\"interval\",result=\"failure\"} 0\n",
            "hookctl_lease_lost_total{target=\"default\"} 0\n",
            "hookctl_drift_found_total{target=\"default\"} 0\n",
            "hookctl_api_requests_total{target=\"default\",method=\"DELETE\",status=\"500\"} 0\n",
            "hookctl_webhooks{target=\"default\",status=\"held\"} 0\n",
            "hookctl_last_success_timestamp_seconds{target=\"default\"} 0",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
    }
}

#[test]
fn the_format_is_negotiated() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let arguments = ["--interval", "1h", "--metrics", "127.0.0.1:0"];
    let (_watch, address, _log) = serving(&repository, &account, &arguments);
    let (head, text) = answer(&address, "/metrics", "");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{head}"
    );
    assert!(
        text.contains("# TYPE hookctl_passes_total counter\n"),
        "{text}"
    );
    assert!(text.contains("# TYPE hookctl_build_info gauge\n"), "{text}");
    assert!(
        !text.contains("# EOF") && !text.contains("# UNIT"),
        "{text}"
    );
    let prometheus =
        "Accept: application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5,*/*;q=0.1\r\n";
    let (head, text) = answer(&address, "/metrics", prometheus);
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    assert!(text.contains("# TYPE hookctl_passes counter\n"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

/// The names of a scrape: each family with its samples' names.
fn scraped(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut families = BTreeMap::new();
    for line in text.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (family, kind) = typed.split_once(' ').unwrap();
            let suffixes: &[&str] = match kind {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            let names = suffixes.iter().map(|suffix| format!("{family}{suffix}"));
            families.insert(family.to_owned(), names.collect());
        }
    }
    families
}

/// The metrics of hookctl and its process that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.split(|character: char| !is_part(character))
        .filter(|word| word.starts_with("hookctl_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The values of a key, at any depth.
fn values(document: &Value, key: &str, found: &mut Vec<String>) {
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == key {
                    found.extend(value.as_str().map(str::to_owned));
                }
                values(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| values(item, key, found)),
        _ => {}
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn alerts_dashboard_and_documentation_name_the_metrics_that_exist() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let arguments = ["--interval", "1h", "--metrics", "127.0.0.1:0"];
    let (watch, address, _log) = serving(&repository, &account, &arguments);
    watch.until("the first pass", |webhooks| !webhooks.is_empty());
    let families = scraped(&metrics(&address));
    let samples: BTreeSet<String> = families.values().flatten().cloned().collect();

    let alerts: Value =
        serde_yaml::from_str(&read("examples/deploy/prometheus/alerts.yaml")).unwrap();
    let _: Value =
        serde_yaml::from_str(&read("examples/deploy/prometheus/alerts.test.yaml")).unwrap();
    let dashboard: Value =
        serde_json::from_str(&read("examples/deploy/grafana/dashboard.json")).unwrap();
    let mut queries = Vec::new();
    values(&alerts, "expr", &mut queries);
    assert!(queries.len() >= 6, "{queries:?}");
    let of_alerts = queries.len();
    values(&dashboard, "expr", &mut queries);
    assert!(queries.len() >= of_alerts + 8, "{queries:?}");
    values(&dashboard, "query", &mut queries);
    let used = named(&queries.join("\n"));
    let unknown: Vec<_> = used.difference(&samples).collect();
    assert!(unknown.is_empty(), "{unknown:?} are not in {samples:?}");

    let page = read("docs/monitoring.md");
    let documented = named(&page);
    let missing: Vec<_> = families
        .keys()
        .filter(|name| !documented.contains(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?} are not documented");
    let known: BTreeSet<_> = samples
        .union(&families.into_keys().collect())
        .cloned()
        .collect();
    let unknown: Vec<_> = documented.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "{unknown:?} are documented and do not exist"
    );
    let mut names = Vec::new();
    values(&alerts, "alert", &mut names);
    for name in names {
        assert!(
            page.contains(&format!("`{name}`")),
            "{name} is not documented"
        );
    }
}

/// Collects the files below a folder.
fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Whatever tools are there: every file of a deployment parses, and hookctl accepts those that are for it.
#[test]
fn the_files_of_a_deployment_are_valid() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deploy");
    let mut files = Vec::new();
    files_below(&deploy, &mut files);
    let mut parsed = 0;
    for path in files {
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let text = fs::read_to_string(&path).unwrap();
            for document in serde_yaml::Deserializer::from_str(&text) {
                let document = <Value as serde::Deserialize>::deserialize(document);
                let document = document.unwrap_or_else(|error| panic!("{path:?}: {error}"));
                assert!(document.is_object(), "{path:?}");
                parsed += 1;
            }
        }
    }
    assert!(parsed >= 14, "{parsed} documents");
    let repository = Repository::new();
    let webhooks = deploy.join("kubernetes/base/webhooks");
    for config in ["kubernetes/base/hookctl.yaml", "systemd/hookctl.yaml"] {
        let config = deploy.join(config);
        let (config, folder) = (config.to_str().unwrap(), webhooks.to_str().unwrap());
        repository
            .run(&["--config", config, "--dir", folder, "validate"])
            .code(0);
    }
}
