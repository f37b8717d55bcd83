//! The JSON documents conform to their checked-in schemas, which are interfaces.

use std::fs;
use std::path::Path;

use hookctl::sandbox::Fault;
use serde_json::{Value, json};

use crate::harness::{Account, BILLING, Repository};

pub(crate) fn validator(name: &str) -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("schemas")
        .join(name);
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[track_caller]
pub(crate) fn conforms(validator: &jsonschema::Validator, document: &Value) {
    let problems: Vec<_> = validator
        .iter_errors(document)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{problems:#?}\n{document:#}");
}

/// A plan with every kind of action, cause, and notice that one run can have.
pub(crate) fn everything() -> (Account, Repository) {
    let account = Account::new();
    let mut repository = Repository::with(
        "webhooks:
  edited: { url: 'https://edited.example.com', actions: all }
  drifted: { url: 'https://drifted.example.com', actions: all }
  token: { url: 'https://token.example.com', actions: all, bearer_token: { env: TOKEN } }
  gone: { url: 'https://gone.example.com', actions: all }
  absent: { url: 'https://absent.example.com', actions: all }
  orphan: { url: 'https://orphan.example.com', actions: all }
  forgotten: { url: 'https://forgotten.example.com', actions: all }
",
    );
    repository.set("TOKEN", "s3cr3t-one");
    repository.settled(&account);
    repository.set("TOKEN", "s3cr3t-two");
    account.edit("drifted", &json!({ "max_retries": 7 }));
    account.sandbox.remove("gone").unwrap();
    account.sandbox.remove("forgotten").unwrap();
    account.put(
        "5eb7cf5a86d9755df3a6c001",
        "adopted",
        "https://elsewhere.example.com",
    );
    account.put(
        "5eb7cf5a86d9755df3a6c002",
        "unmanaged",
        "https://u.example.com",
    );
    account.edit(
        "adopted",
        &json!({ "has_bearer_token": true, "actions": ["workflow_paused"] }),
    );
    repository.declare(
        "webhooks:
  new: { url: 'https://new.example.com', actions: all, bearer_token: { env: TOKEN } }
  edited: { url: 'https://edited.example.com/v2', actions: all, enabled: false }
  drifted: { url: 'https://drifted.example.com', actions: all }
  token: { url: 'https://token.example.com', actions: all, bearer_token: { env: TOKEN } }
  gone: { url: 'https://gone.example.com', actions: all }
  absent: { state: absent }
  adopted: { url: 'http://adopted.example.com', actions: all }
",
    );
    account.requests();
    (account, repository)
}

#[test]
fn a_plan_with_everything_conforms() {
    let schema = validator("plan-v1.schema.json");
    let (account, repository) = everything();
    let (code, plan) = repository.plan(&account, &["--prune"]);
    conforms(&schema, &plan);
    assert_eq!(code, 2);
    assert_eq!(
        plan["summary"],
        json!({ "create": 1, "update": 3, "delete": 2, "adopt": 1, "recreate": 1, "forget": 1,
                "unchanged": 0, "orphan": 0, "unmanaged": 1, "failed": 0 })
    );
    let document = repository
        .sync(&account, &["--prune", "--output", "json"])
        .code(0)
        .json();
    conforms(&schema, &document);
    let (code, plan) = repository.plan(&account, &["--prune"]);
    conforms(&schema, &plan);
    assert_eq!(code, 0, "{plan:#}");
}

#[test]
fn the_plan_for_people_shows_everything() {
    let (account, repository) = everything();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{24}", "(an id of 24 digits)   ");
    settings.add_filter(r"\d+\.\d+ s", "(time)");
    settings.bind(|| {
        let plan = repository.sync(&account, &["--dry-run", "--prune"]).code(0);
        insta::assert_snapshot!("plan", plan.stdout);
        let diff = repository.sync(&account, &["--dry-run", "--prune", "--output", "diff"]);
        insta::assert_snapshot!("diff", diff.code(0).stdout);
        let comment = repository.sync(&account, &["--dry-run", "--prune", "--output", "markdown"]);
        insta::assert_snapshot!("markdown", comment.code(0).stdout);
        let url = account.sandbox.base_url();
        let colored = repository
            .run(&[
                "--color",
                "always",
                "--api-url",
                &url,
                "sync",
                "--dry-run",
                "--prune",
            ])
            .code(0);
        insta::assert_snapshot!("plan_in_colour", colored.stdout.replace('\u{1b}', "^"));
        repository.write("hookctl.yaml", "concurrency: 1\n");
        account.fault(
            "PATCH",
            1,
            Fault::Answer {
                status: 400,
                headers: Vec::new(),
                body: "{\"message\":\"not today\"}".to_owned(),
            },
        );
        let report = repository.sync(&account, &["--prune"]).code(4);
        let (_, report) = report.stdout.split_once("Plan: ").unwrap();
        insta::assert_snapshot!("report", report);
    });
}

#[test]
fn a_comment_fits_and_says_what_it_leaves_out() {
    let account = Account::new();
    let many = (0..400).map(|number| {
        format!("  hook-{number}: {{ url: 'https://a.example.com/{number}', actions: all }}")
    });
    let many = many.collect::<Vec<_>>().join("\n");
    let repository = Repository::with(&format!("webhooks:\n{many}"));
    let comment = |arguments: &[&str]| {
        let mut all = vec!["--output", "markdown"];
        all.extend(arguments);
        repository.sync(&account, &all).code(0).stdout
    };
    let plan = comment(&["--dry-run"]);
    assert!(plan.len() <= 65_536, "{}", plan.len());
    let shown = plan.matches("<details>").count();
    assert_eq!(plan.matches("</details>").count(), shown);
    let left = format!("… and {} of 400 more", 400 - shown);
    assert!(plan.contains(&left), "{left}");
    let applied = comment(&[]);
    assert!(applied.starts_with("**Applied: 400 created."), "{applied}");
    assert_eq!(
        comment(&["--dry-run"]),
        "No changes. 400 webhooks are as declared. (target default)\n"
    );
    let broken = Repository::with("webhooks: { a: { url: x, actions: all } }");
    let failed = broken.sync(&account, &["--dry-run", "--output", "markdown"]);
    let text = failed.code(1).stdout;
    assert!(text.starts_with("**No plan"), "{text}");
    assert!(text.contains("**error** `invalid-url`"), "{text}");
}

#[test]
fn failures_conform() {
    let schema = validator("plan-v1.schema.json");
    let (account, repository) = everything();
    let failed = |number| {
        let body = "{\"message\":\"no\"}".to_owned();
        account.fault(
            "POST",
            number,
            Fault::Answer {
                status: 400,
                headers: Vec::new(),
                body,
            },
        );
    };
    (1..=12).for_each(failed);
    let document = repository
        .sync(&account, &["--prune", "--output", "json"])
        .code(4)
        .json();
    conforms(&schema, &document);
    let results: Vec<_> = document["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["result"].as_str().unwrap())
        .collect();
    for result in ["applied", "failed", "not_attempted"] {
        assert!(results.contains(&result), "{results:?}");
    }

    let empty = Repository::new();
    conforms(
        &schema,
        &empty.run(&["sync", "--output", "json"]).code(1).json(),
    );
    let usage = empty.run(&["sync", "--output", "json", "--nonsense"]);
    conforms(&schema, &usage.code(64).json());
    let refused = Repository::with("webhooks: {}\n");
    let document = refused.sync(&account, &["--output", "json"]).code(5).json();
    conforms(&schema, &document);
}

#[test]
fn validation_conforms() {
    let schema = validator("validate-v1.schema.json");
    let good = Repository::with(BILLING);
    let document = good.run(&["validate", "--output", "json"]).code(0).json();
    conforms(&schema, &document);
    assert_eq!(document["webhooks"], 1);
    for broken in [
        "webhooks: [",
        "webhooks:\n  A: { url: x, actions: 5 }\n",
        "\u{0}",
    ] {
        let repository = Repository::with(broken);
        let document = repository
            .run(&["validate", "--output", "json"])
            .code(1)
            .json();
        conforms(&schema, &document);
        assert_eq!(document["valid"], false);
    }
    let nowhere = Repository::new();
    let document = nowhere
        .run(&["validate", "--output", "json"])
        .code(1)
        .json();
    conforms(&schema, &document);
}

#[test]
fn a_flood_of_creates_hides_no_delete_in_a_comment() {
    let account = Account::new();
    let text = |names: &[String]| {
        let lines = names.iter().map(|name| {
            format!("  {name}: {{ url: 'https://{name}.example.com', actions: all }}\n")
        });
        format!("webhooks:\n{}", lines.collect::<Vec<_>>().concat())
    };
    let named = |word: &str, count: usize| -> Vec<String> {
        (0..count)
            .map(|number| format!("{word}-{number:03}"))
            .collect()
    };
    // In the order of a plan the deletes come in the middle, or last.
    let kept = "zz-kept".to_owned();
    let old = [named("old", 3), vec![kept.clone()]].concat();
    let repository = Repository::with(&text(&old));
    repository.settled(&account);
    let flood = [named("new", 600), vec![kept]].concat();
    let flood = text(&flood).replace("zz-kept: {", "zz-kept: { enabled: false,");
    repository.declare(&flood);
    let comment = ["--dry-run", "--prune", "--force", "--output", "markdown"];
    let run = repository.sync(&account, &comment).code(0);
    assert!(
        run.stdout.len() <= hookctl::render::LONGEST,
        "{}",
        run.stdout.len()
    );
    let heads: Vec<_> = run
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("<details><summary>"))
        .map(|head| head.split("</b>").next().unwrap())
        .collect();
    let expected = [
        "delete <b>old-000",
        "delete <b>old-001",
        "delete <b>old-002",
        "update <b>zz-kept",
        "create <b>new-000",
    ];
    assert_eq!(heads[..5], expected);
    let left = 604 - heads.len();
    run.shows(&format!(
        "… and {left} of 604 more ({left} create) that do not fit"
    ));
    // Many that matter are counted by their kinds too.
    let old = named("old", 300);
    let repository = Repository::with(&text(&old));
    let account = Account::new();
    repository.settled(&account);
    repository.declare(&flood);
    let run = repository.sync(&account, &comment).code(0);
    assert!(
        run.stdout.contains("delete, 601 create) that do not fit"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_schema_of_a_program_has_the_keys_of_its_providers() {
    let vault = hookctl::secret::ProviderName::parse("vault").unwrap();
    let document = serde_json::json!({ "webhooks": { "a": {
        "url": "https://a.example.com", "actions": "all", "bearer_token": { "vault": "clinic/billing#token" },
    } } });
    let is_valid = |providers: &[hookctl::secret::ProviderName]| {
        let schema = hookctl::declaration::json_schema(providers);
        jsonschema::draft202012::new(&schema)
            .unwrap()
            .is_valid(&document)
    };
    assert!(is_valid(&[vault]));
    assert!(!is_valid(&[]), "the command line has no providers");
}
