//! Makes and shows a plan without any effect, as a bot that comments on pull requests does.
//!
//! `cargo run --example plan_only` plans this repository's `webhooks.d` against an empty account.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use hookctl::declaration::{self, LoadOptions};
use hookctl::plan::{Policy, plan};
use hookctl::render::{Detail, LooseSettings, PlanDocument, RenderContext, Styles};
use hookctl::state::{LastApplied, ObservedState};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let loaded = declaration::load(
        &root.join("webhooks.d"),
        // The library never reads the environment itself. Here every variable has a default.
        &LoadOptions::below(root),
    );
    let styles = Styles::new(false);
    let Some(declarations) = loaded.declarations else {
        let text =
            hookctl::render::diagnostics(&loaded.diagnostics, &loaded.sources, &styles, 80, 100);
        return Err(text.into());
    };

    // Without evidence, each token counts as unresolved.
    let desired = declarations.into_desired(&BTreeMap::new());
    // A real bot calls `observe(&api)` and `CacheReader::last_applied` here.
    let (observed, last_applied) = (ObservedState::default(), LastApplied::new());
    let plan = plan(&desired, &observed, &last_applied, &Policy::default())?;

    let scene = RenderContext {
        target: "default",
        sandbox: false,
        dry_run: true,
        settings: &LooseSettings::NONE,
    };
    print(&hookctl::render::plan(
        &plan,
        scene,
        &styles,
        Detail::that_fits(&plan),
    ));
    let document = PlanDocument::of_plan(scene, &plan, Vec::new());
    print(&format!("{} bytes of JSON\n", document.to_text().len()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn print(text: &str) {
    print!("{text}");
}
