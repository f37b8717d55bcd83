//! Resolves tokens from a program's own vault, which the files name by a key of its own.
//!
//! The files contain `bearer_token: { vault: clinic/billing#token }`. The program registers a provider named `vault`. The
//! reader accepts the key, and the resolver asks the provider.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use hookctl::declaration::{LoadOptions, load_texts};
use hookctl::secret::{
    KeyValues, Permits, ProviderFuture, ProviderName, Providers, Resolver, Secret, SecretProvider,
    SecretReference,
};

/// A vault: a map here, the client of a service elsewhere.
struct Vault(HashMap<&'static str, &'static str>);

// ANCHOR: provider
impl SecretProvider for Vault {
    fn resolve<'a>(&'a self, reference: &'a SecretReference) -> ProviderFuture<'a> {
        Box::pin(async move {
            let found = self.0.get(reference.as_str());
            let token = found.ok_or("the vault has no such entry")?;
            Ok(Secret::new((*token).to_owned())?)
        })
    }
}
// ANCHOR_END: provider

const FILE: &str = "
webhooks:
  billing:
    url: https://hooks.example.com/billing
    actions: all
    bearer_token: { vault: clinic/billing#token }
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let vault = Vault(HashMap::from([("clinic/billing#token", "from-the-vault")]));
    // ANCHOR: register
    let mut providers = Providers::none();
    providers.register(ProviderName::parse("vault")?, vault)?;

    let names = providers.names();
    let loaded = load_texts(
        &[("billing.yaml".into(), FILE.to_owned())],
        &LoadOptions {
            providers: &names,
            ..LoadOptions::below(Path::new("/"))
        },
    );
    let declarations = loaded.declarations.ok_or("the file does not validate")?;
    // ANCHOR_END: register

    // This program has no API key that a token could be.
    let (permits, keys) = (Permits::none(), KeyValues::none());
    let resolver = Resolver::new(&|_| None, &permits, &keys).providers(&providers);
    for (key, source) in declarations.secret_sources() {
        let secret = resolver.resolve(source).await?;
        // A secret cannot be printed, even by accident: this prints a placeholder.
        print(&format!("{key}: {secret:?} from {source}"));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn print(text: &str) {
    println!("{text}");
}
