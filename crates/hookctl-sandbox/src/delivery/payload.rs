//! The documented payload of each action. Pure.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// The team of the emulated account.
pub(super) const TEAM: &str = "5a9d0c0ffee0000000000001";

/// The id of the emulated workflow, which every event is about.
pub(super) const WORKFLOW_ID: &str = "5a9d0c0ffee0000000000002";

/// The name of the emulated workflow.
const WORKFLOW: &str = "Sandbox workflow";

/// What happened to a workflow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happening<'a> {
    pub(super) action: &'a str,
    pub(super) at: Timestamp,
    pub(super) run_id: &'a str,
}

/// Returns the time of the documented payloads: UTC, in milliseconds.
pub(super) fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Returns the payload that the vendor documents for an action, merged with `data` as JSON Merge Patch (RFC 7396).
pub(super) fn payload(happening: &Happening<'_>, data: Option<&Map<String, Value>>) -> Value {
    let Happening { action, at, run_id } = *happening;
    let earlier = |by| time(at.checked_sub(by).unwrap_or(at));
    let mut workflow = json!({ "id": WORKFLOW_ID, "teamId": TEAM, "name": WORKFLOW });
    let mut run = None;
    match action {
        "workflow_created" => set(
            &mut workflow,
            &json!({ "activeVersionNumber": 0, "createdAt": time(at), "updatedAt": time(at) }),
        ),
        "workflow_updated" => set(
            &mut workflow,
            &json!({
                "activeVersionNumber": 1,
                "createdAt": earlier(SignedDuration::from_hours(24)),
                "updatedAt": time(at),
            }),
        ),
        "workflow_deleted" => set(&mut workflow, &json!({ "deletedAt": time(at) })),
        "workflow_run_started" => {
            run = Some(json!({
                "id": run_id, "versionNumber": 1, "status": "in_progress",
                "triggeredBy": "manual", "startedAt": time(at),
            }));
        }
        _ => {
            run = Some(json!({
                "id": run_id, "versionNumber": 1, "status": "completed",
                "triggeredBy": "manual", "startedAt": earlier(SignedDuration::from_mins(1)),
                "completedAt": time(at), "output": { "collectedInformation": {} },
            }));
        }
    }
    let mut payload = json!({ "event": action, "workflow": workflow });
    if let Some(run) = run {
        set(&mut payload, &json!({ "run": run }));
    }
    if let Some(data) = data {
        merge(&mut payload, data);
    }
    payload
}

fn set(object: &mut Value, fields: &Value) {
    if let (Some(object), Some(fields)) = (object.as_object_mut(), fields.as_object()) {
        object.extend(fields.clone());
    }
}

/// Merges a patch into a value: objects are merged, `null` removes a field, and anything else replaces it.
fn merge(value: &mut Value, patch: &Map<String, Value>) {
    if !value.is_object() {
        *value = json!({});
    }
    let Some(object) = value.as_object_mut() else {
        return;
    };
    for (name, change) in patch {
        match change {
            Value::Null => {
                object.remove(name);
            }
            Value::Object(inner) => merge(object.entry(name).or_insert(Value::Null), inner),
            other => {
                object.insert(name.clone(), other.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::ACTIONS;

    fn of(action: &str, data: Option<&Value>) -> Value {
        let happening = Happening {
            action,
            at: "2026-01-02T03:04:05.678912Z".parse().unwrap(),
            run_id: "5eb7cf5a86d9755df3a6c594",
        };
        payload(&happening, data.map(|data| data.as_object().unwrap()))
    }

    fn names(value: &Value) -> Vec<&str> {
        let object = value.as_object().unwrap();
        let mut names: Vec<_> = object.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn each_action_has_its_documented_payload() {
        let of_workflow = [
            "activeVersionNumber",
            "createdAt",
            "id",
            "name",
            "teamId",
            "updatedAt",
        ];
        for action in ACTIONS {
            let payload = of(action, None);
            assert_eq!(payload["event"], action);
            let (workflow, run) = (names(&payload["workflow"]), payload.get("run").map(names));
            let (fields, of_run): (&[&str], Option<&[&str]>) = match action {
                "workflow_created" | "workflow_updated" => (&of_workflow, None),
                "workflow_deleted" => (&["deletedAt", "id", "name", "teamId"], None),
                "workflow_run_started" => (
                    &["id", "name", "teamId"],
                    Some(&["id", "startedAt", "status", "triggeredBy", "versionNumber"]),
                ),
                _ => (
                    &["id", "name", "teamId"],
                    Some(&[
                        "completedAt",
                        "id",
                        "output",
                        "startedAt",
                        "status",
                        "triggeredBy",
                        "versionNumber",
                    ]),
                ),
            };
            assert_eq!(workflow, fields, "{action}");
            assert_eq!(run.as_deref(), of_run, "{action}");
        }
        let completed = of("workflow_run_completed", None);
        assert_eq!(completed["run"]["completedAt"], "2026-01-02T03:04:05.678Z");
        assert_eq!(completed["run"]["status"], "completed");
        assert_eq!(
            of("workflow_run_started", None)["run"]["status"],
            "in_progress"
        );
    }

    #[test]
    fn data_is_merged_field_by_field() {
        let data = json!({
            "run": { "status": "failed", "output": null, "error": { "code": 7 } },
            "workflow": { "name": "Intake" },
        });
        let payload = of("workflow_run_completed", Some(&data));
        assert_eq!(payload["run"]["status"], "failed");
        assert_eq!(payload["run"]["triggeredBy"], "manual");
        assert_eq!(payload["run"]["error"], json!({ "code": 7 }));
        assert!(payload["run"].get("output").is_none());
        assert_eq!(payload["workflow"]["name"], "Intake");
        let created = of("workflow_created", Some(&json!({ "workflow": "x" })));
        assert_eq!(created["workflow"], "x");
    }
}
