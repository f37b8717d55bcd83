//! Files in several styles, before and after a pull.

mod random;
mod targets;

use super::*;
use hookctl_core::webhook::{EndpointUrl, WorkflowAction};

fn value(key: &str, field: &str, written: &str) -> NewValue {
    let field = Field::named(field).unwrap();
    let text = || written.to_owned();
    NewValue {
        key: Key::parse(key).unwrap(),
        field,
        value: match field {
            Field::Name => FieldValue::Text(text()),
            Field::Url => FieldValue::Url(EndpointUrl::from_remote(text())),
            Field::Actions if written == "all" => {
                FieldValue::Actions(WorkflowAction::KNOWN.into_iter().collect())
            }
            Field::Actions => FieldValue::Actions(
                written
                    .split_whitespace()
                    .map(WorkflowAction::from)
                    .collect(),
            ),
            Field::Enabled => FieldValue::Flag(written == "true"),
            _ => FieldValue::Number(written.parse().unwrap()),
        },
    }
}

/// Pulls values into a text. Each is `key field value`.
fn pulled(text: &str, values: &[&str]) -> (String, Vec<String>) {
    let values = values.iter().map(|line| {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap();
        value(word(), word(), word())
    });
    let result = rewrite(text, "qa", values.collect());
    let refused = result
        .refused
        .iter()
        .map(|(key, field, reason)| format!("{key} {field}: {reason}"));
    (result.text, refused.collect())
}

/// Expects that a text becomes another one, with nothing refused.
#[track_caller]
fn becomes(text: &str, values: &[&str], expected: &str) {
    let (written, refused) = pulled(text, values);
    assert_eq!(refused, [""; 0], "{written}");
    assert_eq!(written, expected);
}

/// Expects that a value is refused, and that the text stays.
#[track_caller]
fn refuses(text: &str, line: &str, reason: &str) {
    let (written, refused) = pulled(text, &[line]);
    assert_eq!(refused.len(), 1, "{written}");
    assert!(refused[0].contains(reason), "{refused:?}");
    assert_eq!(written, text);
}

#[test]
fn values_change_where_they_are_and_missing_ones_are_added_in_their_order() {
    becomes(
        "# The receiver of billing.
webhooks:
  # Ask before you change it.
  billing:   # the team
    name: Billing     # shown in the dashboard
    url: https://a.example.com/x

    actions: [workflow_run_completed]   # not more
    enabled: true # for now
    bearer_token: { env: TOKEN }
  other:
    url: https://b.example.com
    actions: all
# the end
",
        &[
            "billing name Billing: run #2",
            "billing enabled false",
            "billing timeout_seconds 30",
            "billing max_retries 5",
            "billing actions workflow_created workflow_run_completed",
            "other enabled false",
        ],
        "# The receiver of billing.
webhooks:
  # Ask before you change it.
  billing:   # the team
    name: \"Billing: run #2\"     # shown in the dashboard
    url: https://a.example.com/x

    actions: [workflow_created, workflow_run_completed]   # not more
    enabled: false # for now
    timeout_seconds: 30
    max_retries: 5
    bearer_token: { env: TOKEN }
  other:
    url: https://b.example.com
    actions: all
    enabled: false
# the end
",
    );
}

#[test]
fn quotes_and_blocks_stay() {
    becomes(
        "webhooks:
  a: { name: 'It''s', url: \"https://a.example.com\", actions: all }
  b:
    name: >-   # folded
      B
      and C
    url: |-
        https://b.example.com

    actions: all
  c:
    name: one
      two
    url: 'https://c.example.com'
    actions: 'all'
",
        &[
            "a name That's",
            "a url https://a.example.com/${x}",
            "a enabled false",
            "b name D # E",
            "b url https://b.example.com/$y",
            "c name three",
            "c url https://c.example.com/\u{202e}",
            "c actions workflow_created",
        ],
        "webhooks:
  a: { name: 'That''s', url: \"https://a.example.com/$${x}\", actions: all, enabled: false }
  b:
    name: >-   # folded
      D # E
    url: |-
        https://b.example.com/$$y

    actions: all
  c:
    name: three
    url: \"https://c.example.com/\\u202e\"
    actions: [workflow_created]
",
    );
}

#[test]
fn lists_keep_their_form() {
    becomes(
        "webhooks:
  a:
    url: https://a.example.com
    actions:
    - workflow_created   # one
    # two
    - \"workflow_updated\"
    - workflow_deleted # three
    max_retries: 1
  b:
    url: https://b.example.com
    actions: [
      workflow_created, # one
      workflow_updated  # two
    ]
  c:
    url: https://c.example.com
    actions: [ 'workflow_created',
               'workflow_updated', ]
",
        &[
            "a actions workflow_updated workflow_run_started",
            "a enabled false",
            "b actions workflow_updated workflow_deleted workflow_run_completed",
            "c actions workflow_created workflow_run_started workflow_updated",
        ],
        "webhooks:
  a:
    url: https://a.example.com
    actions:
    # two
    - \"workflow_updated\"
    - workflow_run_started
    enabled: false
    max_retries: 1
  b:
    url: https://b.example.com
    actions: [
      workflow_updated,  # two
      workflow_deleted,
      workflow_run_completed,
    ]
  c:
    url: https://c.example.com
    actions: [ 'workflow_created',
               'workflow_updated',
               'workflow_run_started', ]
",
    );
}

#[test]
fn a_list_without_any_of_its_items_is_filled_anew() {
    becomes(
        "webhooks:
  a:
    url: https://a.example.com
    actions:
      - workflow_created   # one
      - workflow_updated",
        &["a actions workflow_deleted workflow_run_started"],
        "webhooks:
  a:
    url: https://a.example.com
    actions:
      - workflow_deleted
      - workflow_run_started",
    );
}

#[test]
fn defaults_and_anchors_stay_and_the_webhook_gets_a_key_of_its_own() {
    becomes(
        "x-base: &base { max_retries: 2, actions: all }
x-time: &time 20
defaults:
  timeout_seconds: 15
  actions:
    - workflow_created
webhooks:
  a:
    url: https://a.example.com
  b:
    <<: *base
    url: https://b.example.com
    timeout_seconds: *time # like c
  c:
    url: https://c.example.com
    timeout_seconds: *time
",
        &[
            "a timeout_seconds 30",
            "a actions workflow_created workflow_deleted",
            "b timeout_seconds 5",
            "b max_retries 4",
            "b actions workflow_created",
        ],
        "x-base: &base { max_retries: 2, actions: all }
x-time: &time 20
defaults:
  timeout_seconds: 15
  actions:
    - workflow_created
webhooks:
  a:
    url: https://a.example.com
    actions:
      - workflow_created
      - workflow_deleted
    timeout_seconds: 30
  b:
    <<: *base
    url: https://b.example.com
    actions:
      - workflow_created
    timeout_seconds: 5 # like c
    max_retries: 4
  c:
    url: https://c.example.com
    timeout_seconds: *time
",
    );
}

const SHARED: &str = "webhooks:
  a: &a
    url: https://a.example.com
    actions: &actions [workflow_created]
    timeout_seconds: 20
  b:
    <<: *a
    timeout_seconds: 5
  c:
    url: https://c.example.com
    actions: *actions
  d: *a
";

#[test]
fn what_others_share_is_refused() {
    let shared = "shares it";
    refuses(SHARED, "a actions workflow_updated", shared);
    refuses(SHARED, "d enabled false", shared);
    refuses(SHARED, "a enabled false", shared);
    let without_d = SHARED.replace("  d: *a\n", "");
    refuses(&without_d, "a enabled false", shared);
    refuses(&without_d, "a url https://x.example.com", shared);
    becomes(
        &without_d,
        &["a timeout_seconds 30", "b enabled false"],
        &without_d
            .replace("timeout_seconds: 20", "timeout_seconds: 30")
            .replace(
                "timeout_seconds: 5",
                "enabled: false\n    timeout_seconds: 5",
            ),
    );
    // The others are written nevertheless.
    let (written, refused) = pulled(&without_d, &["a enabled false", "b max_retries 7"]);
    assert_eq!(refused.len(), 1);
    assert!(written.contains("max_retries: 7"));
}

#[test]
fn variables_are_refused_wherever_the_value_comes_from() {
    let text = "defaults: { timeout_seconds: '${TIME}' }
webhooks:
  a: { url: 'https://${HOST}/${PATH:-x}', actions: ['${ACTION}'], name: '$$5' }
";
    refuses(
        text,
        "a url https://x.example.com",
        "it comes from the variables HOST, PATH",
    );
    refuses(text, "a timeout_seconds 5", "the variable TIME");
    refuses(text, "a actions workflow_created", "the variable ACTION");
    becomes(text, &["a name $6"], &text.replace("$$5", "$$6"));
}

#[test]
fn what_no_file_can_declare_is_refused() {
    let text = "webhooks: { a: { url: 'https://a.example.com', actions: all } }\n";
    for (line, reason) in [
        ("a actions workflow_paused", "workflow_paused"),
        ("a actions ", "no actions"),
        ("a timeout_seconds 61", "61 is not from 1 to 60"),
        ("a max_retries -1", "-1 is not from 0 to 10"),
        ("a url https://user:pass@a.example.com", "the address"),
        ("a url https://a.example.com/\n", "the address"),
        ("a name a\u{1b}[31mb", "control character"),
        ("a name ", "0 characters"),
    ] {
        refuses(text, line, reason);
    }
    becomes(
        text,
        &["a name  A\nB\t C "],
        "webhooks: { a: { url: 'https://a.example.com', name: 'A B C', actions: all } }\n",
    );
}

#[test]
fn line_ends_a_byte_order_mark_and_several_documents_stay() {
    becomes(
        "\u{feff}---\r\nwebhooks:\r\n  a:\r\n    url: https://a.example.com\r\n    actions:\r\n      - workflow_created\r\n      \
         - workflow_updated\r\n...\r\n--- # two\r\nwebhooks:\r\n  b:\r\n    url: https://b.example.com\r\n    actions: all",
        &[
            "a actions workflow_created workflow_deleted",
            "a name A",
            "b enabled false",
            "b max_retries 1",
        ],
        "\u{feff}---\r\nwebhooks:\r\n  a:\r\n    name: A\r\n    url: https://a.example.com\r\n    actions:\r\n      - workflow_created\r\n      \
         - workflow_deleted\r\n...\r\n--- # two\r\nwebhooks:\r\n  b:\r\n    url: https://b.example.com\r\n    actions: all\r\n    \
         enabled: false\r\n    max_retries: 1",
    );
}

#[test]
fn json_stays_json() {
    becomes(
        "{\n  \"webhooks\": {\n    \"a\": {\n      \"url\": \"https://a.example.com\",\n      \"actions\": [\"workflow_created\"]\n    }\n  }\n}\n",
        &[
            "a name A",
            "a actions workflow_created workflow_deleted",
            "a enabled false",
        ],
        "{\n  \"webhooks\": {\n    \"a\": {\n      \"url\": \"https://a.example.com\",\n      \"name\": \"A\",\n      \
         \"actions\": [\"workflow_created\", \"workflow_deleted\"],\n      \"enabled\": false\n    }\n  }\n}\n",
    );
}

#[test]
fn a_form_that_cannot_be_edited_is_refused() {
    let text = "webhooks:
  a:
    url: https://a.example.com
    actions: [ workflow_created, workflow_updated, # two
      workflow_deleted ]
";
    refuses(
        text,
        "a actions workflow_deleted",
        "cannot be edited in place",
    );
    let tagged = "webhooks: { a: { url: https://a.example.com, actions: !!str all } }\n";
    refuses(tagged, "a actions workflow_deleted", "");
}
