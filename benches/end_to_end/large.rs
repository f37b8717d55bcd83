//! Every kind of run with very many webhooks: 100 in each file, and a file for each.

use std::fs;
use std::path::Path;

use crate::process::{Sandbox, Usage};
use crate::{declare_file, repository};

/// Prints a table of the runs, without latency.
pub(crate) fn table(webhooks: usize) {
    println!("| webhooks | files | run | requests | wall | CPU | server | peak |");
    println!("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |");
    for in_each in [100, 1] {
        let bench = Bench::new(webhooks, in_each);
        let sync = ["sync", "--yes", "--force", "--quiet"];
        let without_prune = &sync[..];
        bench.declare(0);
        bench.row("create all", without_prune);
        bench.row("no change", without_prune);
        bench.row("again", without_prune);
        bench.declare_file(0, 11);
        bench.row("one edit", without_prune);
        bench.row("status", &["status", "--quiet"]);
        // A tenth of the webhooks is no longer declared.
        bench.declare(bench.files() / 10);
        bench.row("prune a tenth", &[&sync[..], &["--prune"]].concat());
        bench.forget();
        bench.row("import", &["import", "--quiet"]);
    }
}

struct Bench {
    webhooks: usize,
    in_each: usize,
    folder: tempfile::TempDir,
    sandbox: Sandbox,
}

impl Bench {
    fn new(webhooks: usize, in_each: usize) -> Self {
        let folder = repository();
        let sandbox = Sandbox::start(folder.path(), 0);
        Self {
            webhooks,
            in_each,
            folder,
            sandbox,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    const fn files(&self) -> usize {
        self.webhooks.div_ceil(self.in_each)
    }

    /// Declares the webhooks in all files but the first ones.
    fn declare(&self, without: usize) {
        fs::remove_dir_all(self.path().join("webhooks.d")).unwrap();
        fs::create_dir(self.path().join("webhooks.d")).unwrap();
        for file in without..self.files() {
            self.declare_file(file, 10);
        }
    }

    fn declare_file(&self, file: usize, first: usize) {
        let begin = file * self.in_each;
        let numbers = begin..self.webhooks.min(begin + self.in_each);
        declare_file(self.path(), file, numbers, |number| {
            let timeout = if number == begin { first } else { 10 };
            ("{ env: TOKEN }".to_owned(), timeout)
        });
    }

    /// Removes the files and the record.
    fn forget(&self) {
        for folder in ["webhooks.d", ".hookctl"] {
            fs::remove_dir_all(self.path().join(folder)).unwrap();
        }
        fs::create_dir(self.path().join("webhooks.d")).unwrap();
    }

    fn row(&self, name: &str, arguments: &[&str]) {
        let Usage {
            wall,
            cpu,
            server_cpu,
            peak,
            requests,
        } = self
            .sandbox
            .run(self.path(), &self.sandbox.url, arguments, &[]);
        println!(
            "| {} | {} | {name} | {requests} | {:.2} s | {cpu:.2} s | {server_cpu:.2} s | {peak:.0} MB |",
            self.webhooks,
            self.files(),
            wall.as_secs_f64(),
        );
    }
}
