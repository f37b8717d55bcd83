//! Resolves tokens from a program's own vault.
//!
//! The files still contain `bearer_token: { env: NAME }`. The program passes a lookup to the library instead
//! of the environment, and so decides what NAME means.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::Path;

use hookctl::declaration::{self, LoadOptions};
use hookctl::secret::{Permits, PlaintextSecrets, resolve};

/// A vault: a map here, the client of a service elsewhere.
struct Vault(HashMap<&'static str, &'static str>);

impl Vault {
    fn lookup(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|secret| (*secret).to_owned())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let vault = Vault(HashMap::from([
        ("BILLING_HOOK_TOKEN", "from-the-vault-1"),
        ("SCHEDULING_HOOK_TOKEN", "from-the-vault-2"),
    ]));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/infrastructure");
    let targets = ["qa".to_owned(), "prod".to_owned()];
    let vars = BTreeMap::from([("HOOK_HOST".to_owned(), "hooks.qa.clinic.example".to_owned())]);
    let loaded = declaration::load(
        &root.join("webhooks.d"),
        &LoadOptions {
            target: "qa",
            known_targets: &targets,
            vars: &vars,
            plaintext_secrets: PlaintextSecrets::Deny,
            ..LoadOptions::below(&root)
        },
    );
    let declarations = loaded.declarations.ok_or("the files do not validate")?;
    for (key, source) in declarations.secret_sources() {
        let secret = resolve(source, &|name| vault.lookup(name), &Permits::none()).await?;
        // A secret cannot be printed, even by accident: this prints a placeholder.
        print(&format!("{key}: {secret:?} from {source}"));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn print(text: &str) {
    println!("{text}");
}
