//! The JSON Schema of the source of a secret, which declarations and the configuration share.

use serde_json::{Map, Value, json};

use hookctl_core::secret::ProviderName;

/// Returns the schema of a source. It is one object with all forms, not one for each: an editor then names a wrong key,
/// instead of saying that no form matches.
pub(crate) fn source(description: &str, is_nullable: bool, providers: &[ProviderName]) -> Value {
    let mut forms = Map::from_iter([
        (
            "env".to_owned(),
            json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "description": "An environment variable." }),
        ),
        (
            "file".to_owned(),
            json!({ "type": "string", "minLength": 1, "description": "A file, relative to this one. One trailing line break is removed." }),
        ),
        (
            "command".to_owned(),
            json!({ "type": "array", "minItems": 1, "items": { "type": "string" }, "description": "A program and its arguments, run without a shell in the folder of this file. Its output is the secret." }),
        ),
    ]);
    forms.extend(providers.iter().map(|name| {
        let about = "The text by which the provider names the secret.";
        let form = json!({ "type": "string", "minLength": 1, "description": about });
        (name.as_str().to_owned(), form)
    }));
    let types = if is_nullable {
        json!(["object", "string", "null"])
    } else {
        json!(["object", "string"])
    };
    json!({
        "description": description,
        "type": types,
        "minLength": 1,
        "properties": forms,
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    })
}
